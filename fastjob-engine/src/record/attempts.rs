//! Tasks and their attempts, as they are planned, placed and ended.

use std::sync::Arc;

use fastjob_core::{
    AttemptId, AttemptState, Cause, ExecutorName, FailReason, Incarnation, JobId, ServiceKey,
    ServiceName, Shard, TaskId, TaskState, Trace,
};
use jiff::Timestamp;

use super::{LifeId, Partition};

/// The position of a task in the tree of tasks that follow from one start.
///
/// The root of the tree has no lineage. Each task divides its remaining budget among its children,
/// so the limit holds for the whole tree without a shared counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// The number of tasks above it: 1 for a child of the root.
    pub depth: u32,
    /// The maximum number of tasks that may follow from it, over all generations.
    pub budget: u32,
}

/// The shard of a head whose task is not spread over executors yet.
pub const NOT_SPREAD: Shard = Shard { index: 0, total: 0 };

/// What a task runs again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RerunOf {
    /// The task that had ended.
    pub task: TaskId,
    /// The shards that run again, ascending; empty if the task runs as a whole. The other shards
    /// have no attempts in the new task, and do not count for its end.
    pub shards: Box<[u32]>,
}

impl RerunOf {
    /// The shards that run again; `None` if the task runs as a whole.
    pub fn part(&self) -> Option<&[u32]> {
        (!self.shards.is_empty()).then_some(&*self.shards)
    }
}

/// The trace that a task is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskTrace {
    /// The trace, at the span that started the task, or at the task's own span if the trace begins
    /// with it.
    pub trace: Trace,
    /// When the task was created.
    pub since: Timestamp,
}

/// One life of an executor's process, from its start to its end, over any number of sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct LifeRow {
    /// Its id. Of two lives of an executor, the later one has the higher id.
    pub id: LifeId,
    /// The service of the executor.
    pub service: ServiceName,
    /// The name of the executor, the same in all its lives.
    pub executor: ExecutorName,
    /// Which start of the process this is.
    pub incarnation: Incarnation,
    /// When the engine first heard of it.
    pub since: Timestamp,
}

/// The part of an attempt that does not change after its creation, except when its task is spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attempt {
    /// Its id. A retry has a new one.
    pub attempt: AttemptId,
    /// The task that it belongs to.
    pub task: TaskId,
    /// The job of the task.
    pub job: JobId,
    /// Counts the attempts of its shard, from 1.
    pub number: u32,
    /// Its shard of the task; [`NOT_SPREAD`] on a head whose task is not spread yet.
    pub shard: Shard,
    /// Why the task was started.
    pub cause: Cause,
    /// The fire that the task stands for; `None` if it was started without one.
    pub fire_at: Option<Timestamp>,
    /// When it is due for dispatch: at its fire, at once, or at the end of a delay.
    pub due_at: Timestamp,
    /// When the engine created it, in whole milliseconds.
    pub created_at: Timestamp,
}

impl Attempt {
    /// Whether this is the head: the first attempt of its task, whose row also stores the task.
    pub fn is_head(&self) -> bool {
        self.attempt == self.task.first_attempt()
    }
}

/// An attempt to insert. The first attempt of a task is also its head.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAttempt {
    /// The part that every attempt has.
    pub row: Attempt,
    /// On heads: the task whose end started this one; `None` if no other task started it.
    pub parent: Option<TaskId>,
    /// On the heads of children. Loaded with every open attempt of such a task.
    pub lineage: Option<Lineage>,
    /// On the heads of reruns. Loaded with every open attempt of such a task.
    pub rerun: Option<Arc<RerunOf>>,
    /// On the heads of tasks that are part of a trace. Loaded with every open attempt of such a
    /// task.
    pub trace: Option<Arc<TaskTrace>>,
    /// On heads: the only executor that may run the task; `None` if its job's route chooses.
    pub wanted: Option<ExecutorName>,
    /// On heads: the idempotency key. Starts of the job with the same key create one task.
    pub key: Option<Arc<str>>,
    /// The life that it is placed on; `None` if it is not placed yet.
    pub life: Option<LifeId>,
    /// On heads: the task's own param; `None` if the job's param applies.
    pub param: Option<Arc<str>>,
    /// On heads: what this task stands for, for users.
    pub note: Option<String>,
    /// `Planned`, or `Skipped` for a task that records missed fires.
    pub state: AttemptState,
    /// `Queued` or `Skipped`, on a head; ignored on retries.
    pub task_state: TaskState,
    /// The service of the job, on the head of a task that is over when it is planned. `None` on all
    /// others: the end of a task says it.
    pub service: Option<ServiceKey>,
}

/// A new placement of an open attempt that is recorded already.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// The attempt.
    pub attempt: AttemptId,
    /// The life that it is placed on; `None` if it is on no executor any more.
    pub life: Option<LifeId>,
}

/// How an attempt ended. Applied only if the attempt is still open in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedAttempt {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its task.
    pub task: TaskId,
    /// `Succeeded`, `Failed`, `Stopped` or `Skipped`.
    pub state: AttemptState,
    /// Why it failed; `None` unless `state` is `Failed`.
    pub reason: Option<FailReason>,
    /// Why it ended like this, for users; `None` if there is nothing to say.
    pub message: Option<String>,
    /// What the handler returned; `None` if it returned nothing or did not run to its end.
    pub result: Option<String>,
    /// The last lines of its log; empty if it logged nothing.
    pub log_tail: String,
    /// Where they begin in the log, in bytes.
    pub log_at: u64,
    /// When its handler was entered; `None` if it never was. Not before the attempt's creation.
    pub started_at: Option<Timestamp>,
    /// When it ended: between `started_at` and the engine's wall clock.
    pub ended_at: Timestamp,
    /// The new state of the task; `None` if it does not change. The head gets this state and, if it
    /// is final, `ended_at` and the result as those of the task.
    pub task_state: Option<TaskState>,
    /// The list of the results of all shards; `None` if the task's result is that of this attempt.
    pub task_result: Option<String>,
    /// The service of the job, if the task ends; `None` if the job is not known any more.
    pub service: Option<ServiceKey>,
}

/// A task that was spread over executors after its head was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpreadTask {
    /// The task.
    pub task: TaskId,
    /// The number of its shards, at least 1. The head becomes the first one.
    pub total: u32,
}

/// The latest checkpoint of a shard of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The task.
    pub task: TaskId,
    /// The index of the shard, from 0.
    pub shard: u32,
    /// What the handler saved, as JSON; at most 64 KiB.
    pub value: Arc<str>,
}

/// A task that changes its state without the end of an attempt, for example to `Stopping`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MovedTask {
    /// The task.
    pub task: TaskId,
    /// Its new state.
    pub state: TaskState,
}

/// A child whose job is in another partition. The engine of that partition starts it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildStart {
    /// Its id, from the ids of the parent's partition. Never used twice. The child's head has a key
    /// made from it, so that the child is started once.
    pub id: i64,
    /// The partition of the child's job.
    pub partition: Partition,
    /// The child's job.
    pub job: JobId,
    /// The task whose end starts the child.
    pub parent: TaskId,
    /// The parent's result; `None` if there is none or the child does not get it.
    pub param: Option<Arc<str>>,
    /// The child's lineage; `None` if a release before this limit wrote the row.
    pub lineage: Option<Lineage>,
    /// The span of the attempt whose end starts the child; `None` if the parent is not part of a
    /// trace.
    pub trace: Option<Trace>,
}

impl ChildStart {
    /// The key of the child's head. The store searches for keys of this form.
    pub fn key(&self) -> Arc<str> {
        format!("fastjob:child:{}", self.id).into()
    }
}
