//! Metrics by job, for the first jobs only: each job is several time series.
//!
//! The jobs are those whose tasks end first after the start of the node, until the limit is reached.
//! They keep their series, so that a counter never disappears and comes back. All further jobs count
//! together as `other`, which is no name of a job.
//!
//! A job that is deleted keeps its series and its place. One that is created again under its name is
//! another job with another id: while there is room, it takes a place and adds to the series of that
//! name; afterwards it counts as `other`.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use fastjob_core::{JobId, JobPath, id_map::IdMap};
use fastjob_engine::{JobTally, TASK_ENDS, Tally};

use super::{
    histogram::{add, add_all, read_all},
    out::{In, Out},
};

/// The name of the label: Prometheus itself adds a label `job`, of the scrape.
const NAME: &str = "job_name";
/// The value for all further jobs. The full name of a job has a dot.
const OTHER: &str = "other";

/// A job of which no task has succeeded.
const NEVER: i64 = i64::MIN;

/// Counts by job.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    /// Most jobs that are distinguished; 0 counts none by job.
    most: usize,
    /// Engines only read it, once per batch, unless a job is new and there is room for it.
    known: RwLock<Known>,
    other: OfJob,
}

#[derive(Debug, Default)]
struct Known {
    by_id: IdMap<JobId, Arc<OfJob>>,
    /// The same counts by the full name of the job.
    by_name: BTreeMap<JobPath, Arc<OfJob>>,
}

impl Known {
    /// The counts of a job, which takes a place if it has none; `None` if there is no room.
    fn place(&mut self, tally: &JobTally, most: usize) -> Option<&Arc<OfJob>> {
        if !self.by_id.contains_key(&tally.id) && self.by_id.len() < most {
            let of_job = self.by_name.entry(tally.job.path()).or_default();
            self.by_id.insert(tally.id, Arc::clone(of_job));
        }
        self.by_id.get(&tally.id)
    }
}

#[derive(Debug)]
struct OfJob {
    ended: [AtomicU64; TASK_ENDS.len()],
    run_ms: AtomicU64,
    /// In milliseconds since the Unix epoch, or [`NEVER`].
    succeeded_at: AtomicI64,
}

impl Default for OfJob {
    fn default() -> Self {
        Self {
            ended: Default::default(),
            run_ms: AtomicU64::new(0),
            succeeded_at: AtomicI64::new(NEVER),
        }
    }
}

impl OfJob {
    fn add(&self, tally: &JobTally) {
        add_all(&self.ended, &tally.tasks);
        add(&self.run_ms, tally.run_ms);
        if let Some(at) = tally.succeeded_at {
            self.succeeded_at.fetch_max(at.as_millisecond(), Relaxed);
        }
    }
}

impl Jobs {
    pub(super) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
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
        let mut new = Vec::new();
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let has_room = known.by_id.len() < self.most;
            for job in jobs {
                match known.by_id.get(&job.id) {
                    Some(of_job) => of_job.add(job),
                    None if has_room => new.push(job),
                    None => self.other.add(job),
                }
            }
        }
        if new.is_empty() {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for job in new {
            match known.place(job, self.most) {
                Some(of_job) => of_job.add(job),
                None => self.other.add(job),
            }
        }
    }

    pub(super) fn write(&self, out: &mut Out<'_>) -> fmt::Result {
        if self.most == 0 {
            return Ok(());
        }
        let jobs: Vec<_> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let named = known.by_name.iter();
            named.map(|(name, of_job)| (name.clone(), Arc::clone(of_job))).collect()
        };
        let all = || {
            let named = jobs.iter().map(|(name, of_job)| (name.as_str(), &**of_job));
            named.chain([(OTHER, &self.other)])
        };
        let mut ended = out.counters(
            In::Count,
            "fastjob_job_tasks_ended",
            "Tasks that ended, by job and final state; jobs beyond the limit are `other`",
        )?;
        for (job, of_job) in all() {
            for (state, count) in TASK_ENDS.iter().zip(read_all(&of_job.ended)) {
                ended.count(&[(NAME, job), ("state", state.as_str())], count)?;
            }
        }
        let mut run_time = out.counters(
            In::Seconds,
            "fastjob_job_run_time",
            "Run times of the attempts with which tasks ended, by job",
        )?;
        for (job, of_job) in all() {
            run_time.seconds(&[(NAME, job)], of_job.run_ms.load(Relaxed) as f64 / 1e3)?;
        }
        let mut succeeded = out.gauges(
            In::Seconds,
            "fastjob_job_last_success_timestamp",
            "When the latest task of a job that succeeded on this node ended, since the Unix epoch",
        )?;
        for (job, of_job) in all().filter(|(job, _)| *job != OTHER) {
            let at = of_job.succeeded_at.load(Relaxed);
            if at != NEVER {
                succeeded.gauge(&[(NAME, job)], at as f64 / 1e3)?;
            }
        }
        Ok(())
    }
}
