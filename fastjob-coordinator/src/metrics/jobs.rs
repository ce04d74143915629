//! Metrics by job, for the first jobs only: each job is several time series.
//!
//! The jobs are those whose tasks end first after the start of the node, until the limit is reached.
//! They keep their series, so that a counter never disappears and comes back. All further jobs count
//! together as `other`, which is no name of a job.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use fastjob_core::JobPath;
use fastjob_engine::{JobTally, TASK_ENDS, Tally};

use super::out::{In, Out};

/// The name of the label: Prometheus itself adds a label `job`, of the scrape.
const NAME: &str = "job_name";
/// The value for all further jobs. The full name of a job has a dot.
const OTHER: &str = "other";

/// Counts by job.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    /// Most jobs that are told apart; 0 counts none by job.
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    jobs: HashMap<JobPath, OfJob>,
    other: OfJob,
}

#[derive(Clone, Debug, Default)]
struct OfJob {
    ended: [u64; TASK_ENDS.len()],
    run_ms: u64,
    /// In milliseconds since the Unix epoch.
    succeeded_at: Option<i64>,
}

impl OfJob {
    fn add(&mut self, tally: &JobTally) {
        self.ended.iter_mut().zip(tally.tasks).for_each(|(all, new)| *all += new);
        self.run_ms = self.run_ms.saturating_add(tally.run_ms);
        let succeeded_at = tally.succeeded_at.map(|at| at.as_millisecond());
        self.succeeded_at = self.succeeded_at.max(succeeded_at);
    }
}

impl Jobs {
    pub(super) fn new(most: usize) -> Self {
        Self { most, state: Mutex::default() }
    }

    /// Whether engines have to count by job.
    pub(crate) fn are_counted(&self) -> bool {
        self.most > 0
    }

    /// Adds what an engine has counted in one batch of events.
    pub(super) fn add(&self, tally: &Tally) {
        let mut jobs = tally.jobs().peekable();
        if jobs.peek().is_none() {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for job in jobs {
            let path = job.job.path();
            let full = state.jobs.len() >= self.most;
            match state.jobs.get_mut(&path) {
                Some(known) => known.add(job),
                None if full => state.other.add(job),
                None => state.jobs.entry(path).or_default().add(job),
            }
        }
    }

    pub(super) fn write(&self, out: &mut Out<'_>) -> fmt::Result {
        if self.most == 0 {
            return Ok(());
        }
        let (mut jobs, other): (Vec<_>, _) = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let jobs = state.jobs.iter().map(|(path, of_job)| (path.clone(), of_job.clone()));
            (jobs.collect(), state.other.clone())
        };
        jobs.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let all = || {
            let named = jobs.iter().map(|(path, of_job)| (path.as_str(), of_job));
            named.chain([(OTHER, &other)])
        };
        let mut ended = out.counters(
            In::Count,
            "fastjob_job_tasks_ended",
            "Tasks that ended, by job and final state; jobs beyond the limit are `other`",
        )?;
        for (job, of_job) in all() {
            for (state, count) in TASK_ENDS.iter().zip(of_job.ended) {
                ended.count(&[(NAME, job), ("state", state.as_str())], count)?;
            }
        }
        let mut run_time = out.counters(
            In::Seconds,
            "fastjob_job_run_time",
            "Run times of the attempts with which tasks ended, by job",
        )?;
        for (job, of_job) in all() {
            run_time.seconds(&[(NAME, job)], of_job.run_ms as f64 / 1e3)?;
        }
        let mut succeeded = out.gauges(
            In::Seconds,
            "fastjob_job_last_success_timestamp",
            "When the latest task of a job that succeeded on this node ended, since the Unix epoch",
        )?;
        for (job, of_job) in all().filter(|(job, _)| *job != OTHER) {
            if let Some(at) = of_job.succeeded_at {
                succeeded.gauge(&[(NAME, job)], at as f64 / 1e3)?;
            }
        }
        Ok(())
    }
}
