//! Declared jobs with children: saved once their children are saved.
//!
//! A child may be declared after its parent, or by an executor that is connected to another node.
//! So a job with an unknown child is retried until it is saved or its session ends.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fastjob_core::Job;
use fastjob_engine::{Command, Condition, Event, JobRefused, SaveDone};

use super::{Error, Ops};
use crate::{
    cluster::log_noted,
    store::{Origin, Partition},
};

/// The pause before the first retry; each further pause is twice as long.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Retries are logged from this pause on: a deployment takes some seconds to declare all jobs.
const REPORTED: Duration = Duration::from_secs(3);

/// The result of trying to save a job.
enum Tried {
    /// It is saved, or belongs to another node, which receives the declaration as well.
    Done,
    /// It may be saved later.
    NotYet(String),
    /// It is rejected permanently.
    Refused(String),
}

impl Ops {
    /// Saves declared jobs of an executor, children first.
    pub(crate) async fn declare(&self, executor: &str, mut jobs: Vec<Arc<Job>>) {
        let (mut pause, mut reported) = (PAUSE, false);
        let mut is_progress = true;
        while !jobs.is_empty() {
            let before = jobs.len();
            // If nothing progresses, try all: a child that is itself not saved yet may exist in an
            // earlier revision.
            let now = if is_progress { ready(&mut jobs) } else { std::mem::take(&mut jobs) };
            let mut first = None;
            for job in now {
                match self.declare_one(executor, &job).await {
                    Tried::Done => {}
                    Tried::NotYet(why) => {
                        first.get_or_insert_with(|| format!("{}: {why}", job.name));
                        jobs.push(job);
                    }
                    Tried::Refused(why) => tracing::warn!(executor, job = %job.name, why,
                        "a declared job was rejected"),
                }
            }
            is_progress = jobs.len() < before;
            if is_progress {
                continue;
            }
            if let Some(first) = first
                && pause >= REPORTED
                && !std::mem::replace(&mut reported, true)
            {
                tracing::warn!(
                    executor,
                    first,
                    jobs = jobs.len(),
                    "declared jobs cannot be saved yet, retrying"
                );
            }
            // Jitter, because executors of one service often connect together.
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        if reported {
            tracing::info!(executor, "all declared jobs are saved or rejected");
        }
    }

    async fn declare_one(&self, executor: &str, job: &Arc<Job>) -> Tried {
        let partition = Partition::of_name(&job.service, &job.name, self.engines.partitions());
        let Some(engine) = self.engines.at(partition) else { return Tried::Done };
        let others = match self.relatives(job).await {
            Ok(others) => others,
            Err(err @ Error::Store(_)) => return Tried::NotYet(err.to_string()),
            Err(err) => return Tried::Refused(err.to_string()),
        };
        let job = Box::new(Job::clone(job));
        let (mode, origin) = (fastjob_engine::SaveMode::Replace, Origin::Code);
        let condition = Condition::Unconditional;
        let save = |answer| {
            let command = Command::Save { job, mode, origin, condition, answer };
            Event::CommandWith(others, command)
        };
        match engine.ask_with(save).await {
            Ok(Ok((SaveDone::Noted, row))) => {
                log_noted(executor, &row);
                Tried::Done
            }
            Ok(Ok(_)) => Tried::Done,
            Ok(Err(why @ (JobRefused::NoChild(_) | JobRefused::LookAgain))) => {
                Tried::NotYet(why.to_string())
            }
            Ok(Err(why)) => Tried::Refused(why.to_string()),
            // The store is unavailable, or the engine has ended.
            Err(err) => Tried::NotYet(err.to_string()),
        }
    }
}

/// Removes and returns the jobs without a child in the list; all jobs, if there is no such job.
fn ready(jobs: &mut Vec<Arc<Job>>) -> Vec<Arc<Job>> {
    let names: BTreeSet<String> =
        jobs.iter().flat_map(|job| [job.name.to_string(), job.path().to_string()]).collect();
    let waits = |job: &Arc<Job>| {
        let own = [job.name.to_string(), job.path().to_string()];
        let mut children = job.children.iter().map(|child| child.job.as_str());
        children.any(|child| names.contains(child) && !own.iter().any(|own| own == child))
    };
    let (waiting, ready): (Vec<_>, Vec<_>) = std::mem::take(jobs).into_iter().partition(waits);
    if ready.is_empty() {
        return waiting;
    }
    *jobs = waiting;
    ready
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, children: &[&str]) -> Arc<Job> {
        let children: Vec<_> =
            children.iter().map(|child| format!("{{\"job\":\"{child}\"}}")).collect();
        let text = format!(
            r#"{{"name": "{name}", "handler": "h", "children": [{}]}}"#,
            children.join(",")
        );
        let draft: fastjob_core::JobDraft = serde_json::from_str(&text).unwrap();
        Arc::new(draft.try_into().unwrap())
    }

    fn names(jobs: &[Arc<Job>]) -> Vec<&str> {
        jobs.iter().map(|job| job.name.as_str()).collect()
    }

    #[test]
    fn children_are_saved_before_their_parents() {
        let mut jobs = vec![job("a", &["b"]), job("b", &["default.c"]), job("c", &["there"])];
        for expected in ["c", "b", "a"] {
            assert_eq!(names(&ready(&mut jobs)), [expected]);
        }
        assert!(jobs.is_empty());
    }

    #[test]
    fn jobs_in_a_cycle_do_not_wait_for_each_other() {
        let mut jobs = vec![job("a", &["b"]), job("b", &["a"])];
        assert_eq!(names(&ready(&mut jobs)), ["a", "b"]);
        assert!(jobs.is_empty());
    }
}
