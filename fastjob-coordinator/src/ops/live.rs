//! The current state of open tasks, which only the engines know.

use std::collections::{HashMap, HashSet};

use fastjob_core::{AttemptId, AttemptState, ExecutorName, JobId, Progress, TaskId, TaskState};
use fastjob_engine::{Command, LiveAttempt, LiveTask, OpenAsk};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Error, Ops, PAGE_MAX, ProgressView, node_calls::NodeCall, out_of_bounds};
use crate::{
    cluster::Owner,
    shell::AskError,
    store::{NodeId, NodeRow, Partition},
};

/// Most open tasks that are listed at once. Filters of which the engines know nothing are applied to
/// these.
pub(super) const OPEN_MOST: u32 = 10_000;

/// Lists the open tasks on a node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ListOpen {
    states: Vec<TaskState>,
    job: Option<JobId>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    is_oldest_first: bool,
    after: Option<TaskId>,
    limit: u32,
}

impl NodeCall for ListOpen {
    const NAME: &'static str = "list-open";
    type Reply = Open;

    async fn answer(self, ops: &Ops, _: Partition) -> Result<Open, Error> {
        let Self { states, job, since, until, is_oldest_first, after, limit } = self;
        if limit > OPEN_MOST {
            return Err(Error::invalid("limit", out_of_bounds(limit, OPEN_MOST)));
        }
        let ask = OpenAsk { states, job, since, until, is_oldest_first, after, limit };
        ops.open_here(&ask).await
    }
}

/// Reads the current state of tasks; those that are not open on the node are left out.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ReadLive {
    tasks: Vec<TaskId>,
}

impl NodeCall for ReadLive {
    const NAME: &'static str = "read-live";
    type Reply = (Vec<LiveWire>, Vec<u32>);

    async fn answer(self, ops: &Ops, _: Partition) -> Result<Self::Reply, Error> {
        if self.tasks.len() > PAGE_MAX as usize {
            return Err(Error::invalid("tasks", format_args!("there are more than {PAGE_MAX}")));
        }
        let (live, partitions) = ops.live_here(self.tasks).await?;
        Ok((live.into_iter().map(LiveWire::from).collect(), partitions))
    }
}

/// The current states of tasks.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// Those that are open, as far as the owners of their partitions answered.
    pub(super) tasks: HashMap<TaskId, LiveTask>,
    /// Those of which no owner says anything: its address, or their partition.
    pub(super) unanswered: HashMap<TaskId, String>,
}

/// The open tasks of some partitions.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Open {
    tasks: Vec<TaskId>,
    /// The partitions on which the node acts.
    partitions: Vec<u32>,
}

/// What a list says of a partition on which no node acts.
fn no_node(partition: Partition) -> String {
    format!("partition {}", partition.0)
}

impl Ops {
    /// Open tasks of all nodes, in the order that is asked for, and the addresses of nodes that do
    /// not answer, or partitions on which none acts.
    pub(super) async fn open(&self, ask: &OpenAsk) -> Result<(Vec<TaskId>, Vec<String>), Error> {
        let OpenAsk { states, job, since, until, is_oldest_first, after, limit } = ask.clone();
        let others = ListOpen { states, job, since, until, is_oldest_first, after, limit };
        let (here, (replies, mut unanswered)) =
            tokio::join!(self.open_here(ask), self.call_others(&others));
        let mut open = here?;
        for reply in replies {
            open.tasks.extend(reply.tasks);
            open.partitions.extend(reply.partitions);
        }
        let acted_on: HashSet<_> = open.partitions.iter().copied().collect();
        for partition in (0..self.engines.partitions()).filter(|at| !acted_on.contains(at)) {
            match self.map.owner(Partition(partition)) {
                Owner::There(node) if unanswered.contains(&node.address) => {}
                Owner::There(_) | Owner::Here | Owner::NoNode => {
                    unanswered.push(no_node(Partition(partition)));
                }
            }
        }
        Ok((in_order(open.tasks, ask), unanswered))
    }

    async fn open_here(&self, ask: &OpenAsk) -> Result<Open, Error> {
        let mut open = Open::default();
        for lease in self.engines.loaded() {
            let Ok(engine) = self.engine(lease.partition) else { continue };
            let ask = ask.clone();
            match engine.query(|answer| Command::Open { ask, answer }).await {
                Ok(page) => {
                    open.tasks.extend(page.tasks);
                    open.partitions.push(lease.partition.0);
                }
                Err(AskError::Moved) => {}
                Err(err) => return Err(err.into()),
            }
        }
        open.tasks = in_order(open.tasks, ask);
        Ok(open)
    }

    /// The current states of these tasks on all nodes.
    pub(super) async fn live(&self, tasks: Vec<TaskId>) -> Result<Live, Error> {
        let of = |task: TaskId| Partition::of_id(task.0, self.engines.partitions());
        let mut live = Live::default();
        let mut by_node: HashMap<NodeId, (NodeRow, Vec<TaskId>)> = HashMap::new();
        for task in &tasks {
            if let Owner::There(node) = self.map.owner(of(*task)) {
                let new = || (node.clone(), Vec::new());
                by_node.entry(node.id.clone()).or_insert_with(new).1.push(*task);
            }
        }
        let calls = by_node.into_values().map(|(node, tasks)| (node, ReadLive { tasks }));
        let (here, replies) = tokio::join!(self.live_here(tasks.clone()), self.gather(calls));
        let (here, partitions) = here?;
        live.tasks.extend(here.into_iter().map(|live| (live.task, live)));
        let mut acted_on: HashSet<_> = partitions.into_iter().collect();
        for (node, call, reply) in replies {
            match reply {
                Some((there, partitions)) => {
                    let there = there.into_iter().map(LiveTask::from);
                    live.tasks.extend(there.map(|live| (live.task, live)));
                    acted_on.extend(partitions);
                }
                None => {
                    let of_node = |task| (task, node.address.clone());
                    live.unanswered.extend(call.tasks.into_iter().map(of_node));
                }
            }
        }
        for task in tasks {
            if !acted_on.contains(&of(task).0) {
                live.unanswered.entry(task).or_insert_with(|| no_node(of(task)));
            }
        }
        Ok(live)
    }

    /// The current states of the tasks in partitions on which this node acts, and these partitions.
    async fn live_here(&self, tasks: Vec<TaskId>) -> Result<(Vec<LiveTask>, Vec<u32>), Error> {
        let mut by_partition: HashMap<Partition, Vec<TaskId>> = HashMap::new();
        for task in tasks {
            let partition = Partition::of_id(task.0, self.engines.partitions());
            by_partition.entry(partition).or_default().push(task);
        }
        let (mut live, mut partitions) = (Vec::new(), Vec::new());
        for (partition, tasks) in by_partition {
            let Ok(engine) = self.engine(partition) else { continue };
            match engine.query(|answer| Command::Live { tasks, answer }).await {
                Ok(here) => {
                    live.extend(here);
                    partitions.push(partition.0);
                }
                Err(AskError::Moved) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Ok((live, partitions))
    }
}

/// The first of these tasks, each once.
fn in_order(mut open: Vec<TaskId>, ask: &OpenAsk) -> Vec<TaskId> {
    if ask.is_oldest_first {
        open.sort_unstable();
    } else {
        open.sort_unstable_by(|a, b| b.cmp(a));
    }
    open.dedup();
    open.truncate(ask.limit as usize);
    open
}

/// The wire format of a [`LiveTask`].
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct LiveWire {
    task: TaskId,
    state: TaskState,
    attempts: Vec<LiveAttemptWire>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct LiveAttemptWire {
    attempt: AttemptId,
    state: AttemptState,
    started_at: Option<Timestamp>,
    progress: Option<ProgressView>,
    #[serde(default)]
    waits_for: Option<String>,
    executor: Option<ExecutorName>,
}

impl From<LiveTask> for LiveWire {
    fn from(live: LiveTask) -> Self {
        let attempts = live.attempts.into_iter().map(|at| LiveAttemptWire {
            attempt: at.attempt,
            state: at.state,
            started_at: at.started_at,
            progress: at.progress.map(|Progress { done, total, note }| ProgressView {
                done,
                total,
                note,
            }),
            waits_for: at.waits_for,
            executor: at.executor,
        });
        Self { task: live.task, state: live.state, attempts: attempts.collect() }
    }
}

impl From<LiveWire> for LiveTask {
    fn from(wire: LiveWire) -> Self {
        let attempts = wire.attempts.into_iter().map(|at| LiveAttempt {
            attempt: at.attempt,
            state: at.state,
            started_at: at.started_at,
            progress: at.progress.map(|ProgressView { done, total, note }| Progress {
                done,
                total,
                note,
            }),
            waits_for: at.waits_for,
            executor: at.executor,
            session: None,
        });
        Self { task: wire.task, state: wire.state, attempts: attempts.collect() }
    }
}
