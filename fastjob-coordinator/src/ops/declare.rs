//! Jobs with children that executors declare: saved once their children are.
//!
//! A child may be declared after its parent, or by an executor that another node serves. So what
//! cannot be saved yet is tried again, until it is saved or its session ends.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fastjob_core::Job;

use super::{Error, Ops};
use crate::{
    engine::{self, Command, Event},
    store::{Origin, Partition},
};

/// Between the first two attempts to save what is left; each further pause is twice as long.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// From this pause on it is reported: a deployment takes some seconds to bring all jobs.
const REPORTED: Duration = Duration::from_secs(3);

impl Ops {
    /// Saves jobs that an executor declares, children first.
    pub(crate) async fn declare(&self, executor: &str, mut jobs: Vec<Arc<Job>>) {
        let (mut pause, mut reported) = (PAUSE, false);
        loop {
            let before = jobs.len();
            let mut refused = Vec::new();
            for job in ready(&mut jobs) {
                match self.declare_one(&job).await {
                    Ok(()) | Err(Error::Moved) => {}
                    Err(why) => refused.push((job, why)),
                }
            }
            let is_progress = before > jobs.len() + refused.len();
            if let Some((job, why)) = refused.first()
                && pause >= REPORTED
                && !std::mem::replace(&mut reported, true)
            {
                tracing::warn!(executor, job = %job.name, %why, count = refused.len(),
                    "jobs that an executor declares cannot be saved, and are tried again");
            }
            jobs.extend(refused.into_iter().map(|(job, _)| job));
            if jobs.is_empty() {
                if reported {
                    tracing::info!(executor, "all jobs that an executor declares are saved now");
                }
                return;
            }
            if !is_progress {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }

    /// Saves a job in its partition, which another node may have by now: the executor declares it
    /// there.
    async fn declare_one(&self, job: &Arc<Job>) -> Result<(), Error> {
        let partition = Partition::of_name(&job.service, &job.name, self.engines.partitions());
        let engine = self.engines.at(partition).ok_or(Error::Moved)?;
        let others = self.relatives(job).await?;
        let job = Box::new(Job::clone(job));
        let (mode, origin) = (engine::SaveMode::Replace, Origin::Code);
        let save = |answer| Event::CommandWith(others, Command::Save { job, mode, origin, answer });
        engine.ask_with(save).await?.map(|_| ()).map_err(Error::from)
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
