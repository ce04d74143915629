//! What the engines of all nodes say about their open tasks.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use fastjob_core::{ExecutorName, JobId, JobPath, ServiceName, TaskId};
use fastjob_engine::{Command, HeldUp, LongRun, ServiceCount};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    cluster::Owner,
    ops::{Error, Ops, node_calls::NodeCall},
    shell::AskError,
    store::Partition,
};

/// How long an engine may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most groups of tasks of one kind that are kept.
const MOST: usize = 500;

/// Surveys the partitions of a node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::ops) struct SurveyNode {}

impl NodeCall for SurveyNode {
    const NAME: &'static str = "survey";
    type Reply = Surveyed;

    async fn answer(self, ops: &Ops, _: Partition) -> Result<Surveyed, Error> {
        // Each of the others asks.
        Ok((*ops.surveyed_here().await?).clone())
    }
}

/// What some partitions say.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(in crate::ops) struct Surveyed {
    /// The partitions on which the node acts.
    partitions: Vec<u32>,
    /// Open tasks that wait and that run, as the engines count them.
    pub(super) open: (u64, u64),
    pub(super) services: BTreeMap<ServiceName, Count>,
    /// Tasks that wait for an executor, by service.
    pub(super) waits: Vec<Held>,
    /// Other tasks that are late, by job.
    pub(super) late: Vec<Held>,
    /// Tasks that run longer than a minute.
    pub(super) long: Vec<Long>,
    /// Why nodes cannot do their work.
    pub(super) problems: Vec<String>,
    /// Until when the schedules of a node are paused, because its clock was set back.
    pub(super) paused_until: Option<Timestamp>,
    /// Of all nodes: the addresses of those that did not answer, and partitions on which none acts.
    #[serde(default)]
    pub(super) unanswered: Vec<String>,
}

/// How many jobs and open tasks a service has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(in crate::ops) struct Count {
    pub(super) jobs: u64,
    pub(super) enabled: u64,
    pub(super) queued: u64,
    pub(super) running: u64,
}

/// Tasks that are held up.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Held {
    pub(super) service: ServiceName,
    pub(super) job: JobPath,
    pub(super) task: TaskId,
    pub(super) since: Timestamp,
    pub(super) count: u64,
    pub(super) why: String,
}

/// A task that runs for long.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Long {
    pub(super) id: JobId,
    pub(super) service: ServiceName,
    pub(super) job: JobPath,
    pub(super) task: TaskId,
    pub(super) executor: Option<ExecutorName>,
    pub(super) since: Timestamp,
}

impl Ops {
    /// Surveys all nodes.
    pub(super) async fn survey(&self) -> Result<Surveyed, Error> {
        let (here, (replies, mut unanswered)) =
            tokio::join!(self.surveyed_here(), self.call_others(&SurveyNode {}));
        let mut all = (*here?).clone();
        for reply in replies {
            all.merge(reply);
        }
        let acted_on: HashSet<_> = all.partitions.iter().copied().collect();
        for partition in (0..self.engines.partitions()).filter(|at| !acted_on.contains(at)) {
            match self.map.owner(Partition(partition)) {
                Owner::There(node) if unanswered.contains(&node.address) => {}
                Owner::There(_) | Owner::Here | Owner::NoNode => {
                    unanswered.push(format!("partition {partition}"));
                }
            }
        }
        Ok(Surveyed { unanswered, ..all })
    }

    /// One engine after the other, so that they do not all stop at the same time. The partition of
    /// one that does not answer is left out, so it counts as one on which no node acts.
    pub(super) async fn survey_here(&self) -> Surveyed {
        let mut here = Surveyed::default();
        for lease in self.engines.loaded() {
            let Ok(engine) = self.engine(lease.partition) else { continue };
            let survey = engine.query(|answer| Command::Survey { answer });
            let partition = lease.partition.0;
            match tokio::time::timeout(PATIENCE, survey).await {
                Ok(Ok(survey)) => here.merge(Surveyed::of(lease.partition, survey)),
                Ok(Err(AskError::Moved)) => {}
                Ok(Err(err)) => tracing::warn!(partition, %err, "a survey has no answer"),
                Err(_) => tracing::warn!(partition, "a survey had no answer within {PATIENCE:?}"),
            }
        }
        let figures = self.metrics.engines.figures();
        here.open = (figures.queued, figures.running);
        here.problems = self.problems();
        here.paused_until = self.engines.paused_until();
        here
    }
}

impl Surveyed {
    fn of(partition: Partition, survey: fastjob_engine::Survey) -> Self {
        let held = |held: HeldUp| {
            let HeldUp { service, job, task, since, count, why } = held;
            Held { service, job, task, since, count, why }
        };
        let long = |run: LongRun| {
            let LongRun { id, service, job, task, executor, since } = run;
            Long { id, service, job, task, executor, since }
        };
        let service = |of: ServiceCount| {
            let ServiceCount { service, jobs, enabled, queued, running } = of;
            (service, Count { jobs, enabled, queued, running })
        };
        Self {
            partitions: vec![partition.0],
            services: survey.services.into_iter().map(service).collect(),
            waits: survey.waits.into_iter().map(held).collect(),
            late: survey.late.into_iter().map(held).collect(),
            long: survey.long.into_iter().map(long).collect(),
            ..Self::default()
        }
    }

    fn merge(&mut self, other: Self) {
        self.partitions.extend(other.partitions);
        self.open = (self.open.0 + other.open.0, self.open.1 + other.open.1);
        for (service, count) in other.services {
            let sum = self.services.entry(service).or_default();
            sum.jobs += count.jobs;
            sum.enabled += count.enabled;
            sum.queued += count.queued;
            sum.running += count.running;
        }
        for held in other.waits {
            let of_service = |known: &&mut Held| known.service == held.service;
            match self.waits.iter_mut().find(of_service) {
                Some(known) => known.merge(held),
                None => self.waits.push(held),
            }
        }
        self.late.extend(other.late);
        self.long.extend(other.long);
        for held in [&mut self.waits, &mut self.late] {
            held.sort_by_key(|held| held.since);
            held.truncate(MOST);
        }
        self.long.sort_by_key(|run| run.since);
        self.long.truncate(MOST);
        self.problems.extend(other.problems);
        self.problems.sort_unstable();
        self.problems.dedup();
        self.paused_until = self.paused_until.max(other.paused_until);
    }
}

impl Held {
    fn merge(&mut self, other: Self) {
        let count = self.count + other.count;
        if other.since < self.since {
            *self = other;
        }
        self.count = count;
    }
}
