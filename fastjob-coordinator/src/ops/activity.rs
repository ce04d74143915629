//! What jobs do at the moment, and how their last tasks ended.

use std::collections::{BTreeMap, HashMap};

use fastjob_core::JobId;
use fastjob_engine::{Command, OpenCount};
use serde::{Deserialize, Serialize};

use super::{Error, JobActivity, JobEndView, Ops, PAGE_MAX, node_calls::NodeCall};
use crate::{
    cluster::Owner,
    shell::AskError,
    store::{JobEnd, NodeId, NodeRow, Partition},
};

/// Most ends of a job in a list.
pub(crate) const ENDS_MAX: u32 = 20;

/// Counts the open tasks of jobs, as far as the node acts on them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct CountOpen {
    jobs: Vec<JobId>,
}

/// The open tasks of a job.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Counted {
    job: JobId,
    queued: u64,
    running: u64,
}

impl NodeCall for CountOpen {
    const NAME: &'static str = "count-open";
    type Reply = Vec<Counted>;

    async fn answer(self, ops: &Ops, _: Partition) -> Result<Vec<Counted>, Error> {
        if self.jobs.len() > PAGE_MAX as usize {
            return Err(Error::invalid("jobs", format_args!("there are more than {PAGE_MAX}")));
        }
        ops.count_here(self.jobs).await
    }
}

impl Ops {
    /// The activity of each job, with at most `ends` of its last ends.
    pub(super) async fn activity(
        &self,
        jobs: &[JobId],
        ends: u32,
    ) -> Result<HashMap<JobId, JobActivity>, Error> {
        if jobs.is_empty() {
            return Ok(HashMap::new());
        }
        let (open, last) =
            tokio::join!(self.count_open(jobs), self.store.last_ends(jobs, ends as usize));
        let (open, mut last) = (open?, last?);
        let activity = |job: &JobId| {
            let (queued, running) = open.get(job).copied().flatten().unzip();
            let ends = last.remove(job).unwrap_or_default();
            (*job, JobActivity { queued, running, ends: ends.into_iter().map(end).collect() })
        };
        Ok(jobs.iter().map(activity).collect())
    }

    /// How many tasks of each job wait and run; `None` if no node that acts on it answers.
    async fn count_open(
        &self,
        jobs: &[JobId],
    ) -> Result<HashMap<JobId, Option<(u64, u64)>>, Error> {
        let mut counts = HashMap::with_capacity(jobs.len());
        let mut here = Vec::new();
        let mut there: BTreeMap<NodeId, (NodeRow, Vec<JobId>)> = BTreeMap::new();
        for job in jobs {
            match self.map.owner(Partition::of_id(job.0, self.engines.partitions())) {
                Owner::Here => here.push(*job),
                Owner::There(node) => {
                    let new = || (node.clone(), Vec::new());
                    there.entry(node.id.clone()).or_insert_with(new).1.push(*job);
                }
                Owner::NoNode => _ = counts.insert(*job, None),
            }
        }
        counts.extend(here.iter().map(|job| (*job, None)));
        let calls = there.into_values().map(|(node, jobs)| (node, CountOpen { jobs }));
        let (counted, replies) = tokio::join!(self.count_here(here), self.gather(calls));
        let mut counted = counted?;
        for (_, call, reply) in replies {
            counts.extend(call.jobs.into_iter().map(|job| (job, None)));
            counted.extend(reply.into_iter().flatten());
        }
        for Counted { job, queued, running } in counted {
            counts.insert(job, Some((queued, running)));
        }
        Ok(counts)
    }

    /// Counts those in partitions that this node acts on.
    async fn count_here(&self, jobs: Vec<JobId>) -> Result<Vec<Counted>, Error> {
        let mut by_partition: BTreeMap<Partition, Vec<JobId>> = BTreeMap::new();
        for job in jobs {
            let partition = Partition::of_id(job.0, self.engines.partitions());
            by_partition.entry(partition).or_default().push(job);
        }
        let mut counted = Vec::new();
        for (partition, jobs) in by_partition {
            let Ok(engine) = self.engine(partition) else { continue };
            let asked = jobs.clone();
            match engine.query(|answer| Command::CountOpen { jobs, answer }).await {
                Ok(counts) => {
                    let none = |job| Counted { job, queued: 0, running: 0 };
                    counted.extend(asked.into_iter().map(none));
                    counted.extend(counts.into_iter().map(Counted::from));
                }
                Err(AskError::Moved) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Ok(counted)
    }
}

impl From<OpenCount> for Counted {
    fn from(count: OpenCount) -> Self {
        let OpenCount { job, queued, running } = count;
        Self { job, queued, running }
    }
}

fn end(end: JobEnd) -> JobEndView {
    let JobEnd { task, state, started_at, ended_at } = end;
    JobEndView { task: task.0, state: state.into(), started_at, ended_at }
}

/// How many ends to show.
pub(crate) fn ends(text: &str) -> Result<u32, String> {
    match text.parse::<i128>() {
        Ok(number) => match u32::try_from(number) {
            Ok(number) if number <= ENDS_MAX => Ok(number),
            _ => Err(format!("{number} is not between 0 and {ENDS_MAX}")),
        },
        Err(_) => Err(format!("`{text}` is not a whole number between 0 and {ENDS_MAX}")),
    }
}
