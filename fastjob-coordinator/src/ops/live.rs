//! The current state of open tasks, which only the engines know.

use std::collections::HashMap;

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
    type Reply = Vec<TaskId>;

    async fn answer(self, ops: &Ops, _: Partition) -> Result<Vec<TaskId>, Error> {
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
    type Reply = Vec<LiveWire>;

    async fn answer(self, ops: &Ops, _: Partition) -> Result<Vec<LiveWire>, Error> {
        if self.tasks.len() > PAGE_MAX as usize {
            return Err(Error::invalid("tasks", format_args!("there are more than {PAGE_MAX}")));
        }
        let live = ops.live_here(self.tasks).await?;
        Ok(live.into_iter().map(LiveWire::from).collect())
    }
}

/// The current states of tasks.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// Those that are open, as far as the owners of their partitions answered.
    pub(super) tasks: HashMap<TaskId, LiveTask>,
    /// Those whose owner did not answer, with its address.
    pub(super) unanswered: HashMap<TaskId, String>,
}

impl Ops {
    /// Open tasks of all nodes, in the order that is asked for, and the addresses of nodes that do
    /// not answer.
    pub(super) async fn open(&self, ask: &OpenAsk) -> Result<(Vec<TaskId>, Vec<String>), Error> {
        let mut open = self.open_here(ask).await?;
        let OpenAsk { states, job, since, until, is_oldest_first, after, limit } = ask.clone();
        let others = ListOpen { states, job, since, until, is_oldest_first, after, limit };
        let (replies, unanswered) = self.call_others(&others).await;
        open.extend(replies.into_iter().flatten());
        Ok((in_order(open, ask), unanswered))
    }

    async fn open_here(&self, ask: &OpenAsk) -> Result<Vec<TaskId>, Error> {
        let mut open = Vec::new();
        for engine in self.engines.all() {
            let ask = ask.clone();
            match engine.query(|answer| Command::Open { ask, answer }).await {
                Ok(page) => open.extend(page.tasks),
                Err(AskError::Moved) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Ok(in_order(open, ask))
    }

    /// The current states of these tasks on all nodes; tasks of partitions without an owner are
    /// omitted.
    pub(super) async fn live(&self, tasks: Vec<TaskId>) -> Result<Live, Error> {
        let here = self.live_here(tasks.clone()).await?.into_iter();
        let mut live =
            Live { tasks: here.map(|live| (live.task, live)).collect(), ..Live::default() };
        let mut by_node: HashMap<NodeId, (NodeRow, Vec<TaskId>)> = HashMap::new();
        for task in tasks {
            let partition = Partition::of_id(task.0, self.engines.partitions());
            if let Owner::There(node) = self.map.owner(partition) {
                let new = || (node.clone(), Vec::new());
                by_node.entry(node.id.clone()).or_insert_with(new).1.push(task);
            }
        }
        let calls = by_node.into_values().map(|(node, tasks)| (node, ReadLive { tasks }));
        for (node, call, reply) in self.gather(calls).await {
            match reply {
                Some(there) => {
                    let there = there.into_iter().map(LiveTask::from);
                    live.tasks.extend(there.map(|live| (live.task, live)));
                }
                None => {
                    let of_node = |task| (task, node.address.clone());
                    live.unanswered.extend(call.tasks.into_iter().map(of_node));
                }
            }
        }
        Ok(live)
    }

    async fn live_here(&self, tasks: Vec<TaskId>) -> Result<Vec<LiveTask>, Error> {
        let mut by_partition: HashMap<Partition, Vec<TaskId>> = HashMap::new();
        for task in tasks {
            let partition = Partition::of_id(task.0, self.engines.partitions());
            by_partition.entry(partition).or_default().push(task);
        }
        let mut live = Vec::new();
        for (partition, tasks) in by_partition {
            let Ok(engine) = self.engine(partition) else { continue };
            match engine.query(|answer| Command::Live { tasks, answer }).await {
                Ok(here) => live.extend(here),
                Err(AskError::Moved) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Ok(live)
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
            executor: at.executor,
            session: None,
        });
        Self { task: wire.task, state: wire.state, attempts: attempts.collect() }
    }
}
