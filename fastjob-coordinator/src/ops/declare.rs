//! Jobs with children that executors declare: saved once their children are.
//!
//! A child may be declared after its parent, or by an executor that another node serves. So a job
//! whose child is not known is tried again, until it is saved or its session ends.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fastjob_core::Job;

use super::{Error, Ops};
use crate::{
    engine::{self, Command, Event, JobRefused},
    store::{Origin, Partition},
};

/// Between the first two attempts to save what is left; each further pause is twice as long.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// From this pause on it is reported: a deployment takes some seconds to bring all jobs.
const REPORTED: Duration = Duration::from_secs(3);

/// What became of a job.
enum Tried {
    /// It is saved, or another node has its partition and hears of it, too.
    Done,
    /// It may be saved later.
    NotYet(String),
    /// It will not be saved.
    Refused(String),
}

impl Ops {
    /// Saves jobs that an executor declares, children first.
    pub(crate) async fn declare(&self, executor: &str, mut jobs: Vec<Arc<Job>>) {
        let (mut pause, mut reported) = (PAUSE, false);
        let mut is_progress = true;
        while !jobs.is_empty() {
            let before = jobs.len();
            // A child that waits itself may be there in an earlier form.
            let now = if is_progress { ready(&mut jobs) } else { std::mem::take(&mut jobs) };
            let mut first = None;
            for job in now {
                match self.declare_one(&job).await {
                    Tried::Done => {}
                    Tried::NotYet(why) => {
                        first.get_or_insert_with(|| format!("{}: {why}", job.name));
                        jobs.push(job);
                    }
                    Tried::Refused(why) => tracing::warn!(executor, job = %job.name, why,
                        "a job that an executor declares was not saved"),
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
                    "jobs that an executor declares are not saved yet, and are tried again"
                );
            }
            // Executors of one service come together.
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        if reported {
            tracing::info!(executor, "no job that an executor declares waits any more");
        }
    }

    async fn declare_one(&self, job: &Arc<Job>) -> Tried {
        let partition = Partition::of_name(&job.service, &job.name, self.engines.partitions());
        let Some(engine) = self.engines.at(partition) else { return Tried::Done };
        let others = match self.relatives(job).await {
            Ok(others) => others,
            Err(err @ Error::Store(_)) => return Tried::NotYet(err.to_string()),
            Err(err) => return Tried::Refused(err.to_string()),
        };
        let job = Box::new(Job::clone(job));
        let (mode, origin) = (engine::SaveMode::Replace, Origin::Code);
        let save = |answer| Event::CommandWith(others, Command::Save { job, mode, origin, answer });
        match engine.ask_with(save).await {
            Ok(Ok(_)) => Tried::Done,
            Ok(Err(why @ (JobRefused::NoChild(_) | JobRefused::LookAgain))) => {
                Tried::NotYet(why.to_string())
            }
            Ok(Err(why)) => Tried::Refused(why.to_string()),
            // The store is away, or the engine has ended.
            Err(err) => Tried::NotYet(err.to_string()),
        }
    }
}

/// Takes out the jobs none of whose children is among these; all, if that leaves none.
fn ready(jobs: &mut Vec<Arc<Job>>) -> Vec<Arc<Job>> {
    let names: BTreeSet<String> =
        jobs.iter().flat_map(|job| [job.name.to_string(), full(job)]).collect();
    let waits = |job: &Arc<Job>| {
        let own = [job.name.to_string(), full(job)];
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

fn full(job: &Job) -> String {
    format!("{}.{}", job.service, job.name)
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
    fn jobs_in_a_circle_do_not_wait_for_each_other() {
        let mut jobs = vec![job("a", &["b"]), job("b", &["a"])];
        assert_eq!(names(&ready(&mut jobs)), ["a", "b"]);
        assert!(jobs.is_empty());
    }
}
