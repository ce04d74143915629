//! What an engine continues from.

use std::sync::Arc;

use fastjob_core::{AttemptState, ExecutorName, JobId, Shard, TaskId, TaskState};
use jiff::Timestamp;

use super::{ChildStart, LifeRow, NewAttempt};
pub use crate::state::catalog::LoadedJobs;

/// An open attempt, as the store has it when an engine starts.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenAttempt {
    /// The attempt with its current placement. Its parent, key, param and note are not loaded.
    pub planned: NewAttempt,
    /// The state of the task, from its head.
    pub task_state: TaskState,
    /// The task's own param, from its head; `None` if the job's param applies.
    pub task_param: Option<Arc<str>>,
    /// The latest checkpoint of its shard, as JSON; `None` if there is none.
    pub checkpoint: Option<Arc<str>>,
    /// The executor of the previous attempt of its shard; `None` if there was no such attempt or it
    /// was on no executor.
    pub failed_on: Option<ExecutorName>,
}

/// A shard that has ended and is not retried, of a task that is still open.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedShard {
    /// The task.
    pub task: TaskId,
    /// The shard.
    pub shard: Shard,
    /// The number of its last attempt, from 1.
    pub number: u32,
    /// `Succeeded`, `Failed`, `Stopped` or `Skipped`.
    pub state: AttemptState,
    /// What the handler of its last attempt returned; `None` if it returned nothing.
    pub result: Option<String>,
}

/// What an engine needs to continue with a partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// Every id below this may have been assigned.
    pub ids_until: i64,
    /// Every fire up to here is recorded; `None` if nothing was ever planned.
    pub watermark: Option<Timestamp>,
    /// The latest wall clock of a commit; `None` if there was no commit.
    pub clock: Option<Timestamp>,
    /// All jobs of the partition, including deleted ones.
    pub jobs: LoadedJobs,
    /// How far the fires of single jobs are planned, if that is beyond the watermark.
    pub cursors: Vec<(JobId, Timestamp)>,
    /// As in [`Commit::fired_ahead`](super::Commit::fired_ahead).
    pub fired_ahead: Vec<(JobId, Timestamp)>,
    /// All attempts that have not ended.
    pub open: Vec<OpenAttempt>,
    /// The latest attempts of shards that have ended, of tasks that have not.
    pub ended_shards: Vec<EndedShard>,
    /// The jobs whose last alarm of kind `Failed` or `Recovered` is `Failed`.
    pub failing: Vec<JobId>,
    /// The lives that the open attempts are placed on.
    pub lives: Vec<LifeRow>,
    /// An id above those of all lives in the store.
    pub next_life: i64,
    /// Children to start, in the order of their ids.
    pub child_starts: Vec<ChildStart>,
}
