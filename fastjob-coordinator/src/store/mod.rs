//! What the coordinator stores.
//!
//! The engine decides and the store verifies: every change of state is checked against the state
//! that it expects. The traits are small and use the domain's terms; each database implements all
//! of them.

mod alarms;
mod batch;
mod binary;
mod cluster;
mod codes;
#[cfg(test)]
pub(crate) mod double;
mod drains;
mod error;
mod filter;
mod index;
mod journal;
mod key;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod repair;
mod retention;
mod rows;
#[cfg(all(feature = "postgres", any(test, feature = "simulation")))]
pub(crate) mod simulated;
pub(crate) mod sqlite;
mod stats;
#[cfg(test)]
mod suite;
mod unreadable;
mod versions;
pub(crate) mod writer;

use std::collections::HashMap;

use fastjob_core::{
    AttemptId, AttemptState, Cause, ExecutorName, FailReason, JobId, JobName, ServiceName, Shard,
    TaskId, TaskState,
};
use jiff::Timestamp;

use self::error::while_doing;
pub(crate) use self::{
    alarms::{
        AlarmFilter, AlarmState, AlarmStore, PastAlarm, Silence, SilenceRow, SilenceStore,
        WaitingAlarm,
    },
    batch::clean,
    cluster::{Alive, ClusterStore, ClusterView, Holding, NodeId, NodeRow, NodeUntil},
    drains::{AddedDrain, DrainRow, DrainStore},
    error::{Error, Result},
    filter::{Listed, OpenNow, Order, Place, Stopped, TaskFilter},
    key::{ClusterKey, unhex},
    repair::{Marks, RepairStore, Survey},
    retention::RetentionStore,
    stats::{Bucket, JobSums, Measure, StatFilter, StatStore, Stats, Subject},
    versions::{JobVersion, VERSIONS_MOST, VersionStore},
};
pub(crate) use fastjob_engine::record::{
    AlarmKind, Attempt, ChildStart, Commit, EndedAttempt, EndedShard, JobLink, JobRow, Lease,
    LifeId, LifeRow, Lineage, Loaded, LoadedJobs, NewAttempt, OpenAttempt, Origin, Overrides,
    Partition, RerunOf, TaskTrace, definition_bytes,
};

/// An attempt for display.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AttemptRow {
    pub(crate) attempt: AttemptId,
    pub(crate) number: u32,
    pub(crate) shard: Shard,
    /// As stored: `Planned` until it ends.
    pub(crate) state: AttemptState,
    pub(crate) reason: Option<FailReason>,
    pub(crate) message: Option<String>,
    pub(crate) executor: Option<ExecutorName>,
    pub(crate) due_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
}

/// A task for display.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TaskRow {
    pub(crate) task: TaskId,
    pub(crate) job: JobId,
    pub(crate) service: ServiceName,
    pub(crate) name: JobName,
    /// As stored: `Queued` until it is stopping or ends.
    pub(crate) state: TaskState,
    pub(crate) cause: Cause,
    pub(crate) fire_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) param: Option<String>,
    pub(crate) result: Option<String>,
    pub(crate) note: Option<String>,
    /// The task whose end started it.
    pub(crate) parent: Option<TaskId>,
    /// The task that it runs again.
    pub(crate) reruns: Option<TaskId>,
    /// The id of the trace that it is part of.
    pub(crate) trace: Option<String>,
    /// In the order of their shards and numbers.
    pub(crate) attempts: Vec<AttemptRow>,
}

/// Approximate bytes of an attempt in a list, without its texts.
const ATTEMPT_BYTES: i64 = 400;

/// Sums up the bytes of each task.
fn sums(rows: Vec<(i64, i64)>) -> HashMap<TaskId, u64> {
    let mut sums = HashMap::with_capacity(rows.len());
    for (task, bytes) in rows {
        *sums.entry(TaskId(task)).or_default() += bytes.unsigned_abs();
    }
    sums
}

/// How a task of a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JobEnd {
    pub(crate) task: TaskId,
    pub(crate) state: TaskState,
    /// When its handler was first entered.
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Timestamp,
}

/// The schema that the first release creates. Older ones were those of development versions.
const OLDEST: i64 = 100;

/// Writes.
#[async_trait::async_trait]
pub(crate) trait CommitStore: Send + Sync {
    /// Applies all commits, in order, in one transaction; durable on return. If one of them has a
    /// lease that has ended, this fails with [`Error::Fenced`] and applies none.
    async fn commit(&self, commits: &[Commit]) -> Result<()>;
    /// Closes all connections at the end of the process. SQLite then checkpoints its WAL, so that
    /// the file alone is complete and can be copied.
    async fn close(&self) -> Result<()>;
}

/// Facts about the whole store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoreFacts {
    /// The unique name of the store, generated when it was created.
    pub(crate) cluster: String,
    /// The number of partitions that jobs hash into; never changes.
    pub(crate) partitions: u32,
    /// When it was created.
    pub(crate) since: Timestamp,
    /// The secret that its nodes share.
    pub(crate) key: ClusterKey,
}

/// Keeps the index of the history small.
#[async_trait::async_trait]
pub(crate) trait IndexStore: Send + Sync {
    /// Merges some segments of the index of these partitions. Returns whether it merged any: then
    /// there may be more.
    async fn merge_index(&self, partitions: &[Partition]) -> Result<bool>;
}

/// Loads what an engine starts with.
#[async_trait::async_trait]
pub(crate) trait LoadStore: Send + Sync {
    /// The facts about the whole store.
    async fn facts(&self) -> Result<StoreFacts>;
    /// Everything a coordinator needs to take over the partition, including all that was committed
    /// before it was acquired. If one of its jobs cannot be read, this fails with
    /// [`Error::Unreadable`].
    async fn load(&self, partition: Partition) -> Result<Loaded>;
    /// Children of these partitions' jobs that are waiting to start, ordered by id; at most
    /// `limit`.
    async fn child_starts(&self, partitions: &[Partition], limit: u32) -> Result<Vec<ChildStart>>;
}

/// Most child starts loaded with a partition; the rest is read as those complete.
const CHILD_STARTS: u32 = 1_000;

/// Jobs, as clients query them.
#[async_trait::async_trait]
pub(crate) trait JobStore: Send + Sync {
    /// The job, unless it is unknown or deleted.
    async fn job(&self, service: &ServiceName, name: &JobName) -> Result<Option<JobRow>>;
    /// Those of the jobs that exist and are not deleted.
    async fn links(&self, jobs: &[JobId]) -> Result<Vec<JobLink>>;
    /// Jobs, not deleted, that have one of these as a child, ordered by id; at most `limit`.
    async fn parents_of(&self, jobs: &[JobId], limit: u32) -> Result<Vec<JobLink>>;
    /// The jobs of this name in all services, without deleted ones.
    async fn jobs_named(&self, name: &JobName) -> Result<Vec<JobRow>>;
    /// Jobs after the given one, by service and name, without deleted ones and those that this
    /// release cannot read. At most `limit`, and no more once their definitions reach `bytes`
    /// bytes. Fewer only if there are no more.
    async fn jobs(
        &self,
        after: Option<(ServiceName, JobName)>,
        limit: u32,
        bytes: u64,
    ) -> Result<JobPage>;
}

/// A page of jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct JobPage {
    pub(crate) jobs: Vec<JobRow>,
    /// The job after which the next page begins; `None` if there are no more.
    pub(crate) next: Option<(ServiceName, JobName)>,
}

/// The end of an attempt's log, as reported with its outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogTail {
    /// Where it begins in the log, in bytes.
    pub(crate) at: u64,
    pub(crate) text: String,
}

impl LogTail {
    /// Where the log ends, as far as that is known.
    pub(crate) fn end(&self) -> u64 {
        self.at.saturating_add(self.text.len() as u64)
    }
}

/// Tasks, as clients query them.
#[async_trait::async_trait]
pub(crate) trait TaskStore: Send + Sync {
    /// The task with all its attempts.
    async fn task(&self, task: TaskId) -> Result<Option<TaskRow>>;
    /// Those of the tasks that exist, newest first, with their attempts.
    async fn tasks_by_id(&self, tasks: &[TaskId]) -> Result<Vec<TaskRow>>;
    /// Tasks that match the filter, in its order.
    async fn task_ids(&self, filter: &TaskFilter) -> Result<Listed>;
    /// The newest tasks of each job that have ended, newest first, at most `each`. Jobs without any
    /// are left out.
    async fn last_ends(&self, jobs: &[JobId], each: usize) -> Result<HashMap<JobId, Vec<JobEnd>>>;
    /// Approximate bytes of each task with its attempts; without tasks that do not exist.
    async fn task_bytes(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, u64>>;
    /// The task that was started with this key, while it is retained.
    async fn task_of_key(&self, job: JobId, key: &str) -> Result<Option<TaskId>>;
    /// The tasks that were started with these keys, while they are retained.
    async fn tasks_of_keys(&self, job: JobId, keys: &[String]) -> Result<HashMap<String, TaskId>>;
    /// The tail of an attempt's log, as reported with its outcome.
    async fn log_tail(&self, attempt: AttemptId) -> Result<Option<LogTail>>;
}

/// The sum of all store traits.
pub(crate) trait Store:
    CommitStore
    + IndexStore
    + RetentionStore
    + LoadStore
    + JobStore
    + VersionStore
    + TaskStore
    + StatStore
    + AlarmStore
    + SilenceStore
    + DrainStore
    + RepairStore
{
}

impl<T> Store for T where
    T: CommitStore
        + IndexStore
        + RetentionStore
        + LoadStore
        + JobStore
        + VersionStore
        + TaskStore
        + StatStore
        + AlarmStore
        + SilenceStore
        + DrainStore
        + RepairStore
{
}
