//! What the coordinator stores.
//!
//! The engine decides and the store verifies: every change of state is checked against the state
//! that it expects. The traits are small and use the domain's terms; each database implements all
//! of them.

mod batch;
mod codes;
#[cfg(test)]
pub(crate) mod double;
mod key;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod repair;
mod retention;
mod rows;
pub(crate) mod sqlite;
#[cfg(test)]
mod suite;
mod unreadable;
pub(crate) mod writer;

use std::collections::HashMap;

use fastjob_core::{
    AttemptId, AttemptState, Cause, ChannelName, ExecutorName, FailReason, JobId, JobName,
    ServiceName, Shard, TaskId, TaskState,
};
use jiff::Timestamp;

pub(crate) use self::{
    key::{ClusterKey, unhex},
    repair::{Marks, RepairStore, Survey},
    retention::RetentionStore,
};
pub(crate) use fastjob_engine::record::{
    AlarmKind, Attempt, ChildStart, Commit, EndedAttempt, EndedShard, JobLink, JobRow, Lease,
    LifeId, LifeRow, Lineage, Loaded, NewAttempt, OpenAttempt, Origin, Partition, definition_bytes,
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

/// Which tasks to list, newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskFilter {
    pub(crate) job: Option<JobId>,
    /// Final states only: the engine knows the open ones.
    pub(crate) state: Option<TaskState>,
    /// Created at or after.
    pub(crate) since: Option<Timestamp>,
    /// Below this id: where the last page ended.
    pub(crate) below: Option<TaskId>,
    /// The maximum number.
    pub(crate) limit: u32,
}

/// An alarm that waits for its channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WaitingAlarm {
    /// Numbers the alarms of a channel; grows with every commit.
    pub(crate) number: i64,
    pub(crate) job: JobId,
    pub(crate) task: Option<TaskId>,
    pub(crate) kind: AlarmKind,
    pub(crate) at: Timestamp,
    pub(crate) job_name: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) executor: Option<String>,
    pub(crate) attempts: u32,
}

/// The state of an alarm on its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlarmState {
    Waiting,
    Sent,
    GivenUp,
    Silenced,
}

impl AlarmState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::GivenUp => "given_up",
            Self::Silenced => "silenced",
        }
    }
}

/// An alarm for display.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PastAlarm {
    pub(crate) alarm: WaitingAlarm,
    pub(crate) channel: ChannelName,
    pub(crate) state: AlarmState,
    pub(crate) tries: u32,
    pub(crate) last_error: Option<String>,
    pub(crate) done_at: Option<Timestamp>,
}

/// Which alarms to list, newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct AlarmFilter {
    pub(crate) job: Option<JobId>,
    pub(crate) channel: Option<ChannelName>,
    /// Below this number: where the last page ended.
    pub(crate) below: Option<i64>,
    /// The maximum number.
    pub(crate) limit: u32,
}

/// Suppresses alarms for a limited time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Silence {
    /// The job with its `service.name`; `None` means every job.
    pub(crate) job: Option<(JobId, String)>,
    /// `None` means every channel.
    pub(crate) channel: Option<ChannelName>,
    pub(crate) until: Timestamp,
    pub(crate) reason: String,
}

/// A silence for display.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SilenceRow {
    pub(crate) id: i64,
    pub(crate) silence: Silence,
    pub(crate) created_at: Timestamp,
}

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be opened or created, or the database cannot be reached.
    #[error("could not open the store {path}: {why}")]
    Open { path: String, why: String },
    /// Another coordinator uses the file.
    #[error(
        "the store {0} is in use by another coordinator: stop it first, or use a different \
         store"
    )]
    InUse(String),
    /// A newer release wrote it.
    #[error(
        "the store {path} was written by a newer release (schema {found}, this release knows \
         {known}): start that release, or restore a backup"
    )]
    Newer { path: String, found: i64, known: i64 },
    /// This node lost these leases to other nodes; nothing of the transaction was written.
    #[error("this node lost {} to other nodes", partitions(.0))]
    Fenced(Vec<Lease>),
    /// A value cannot be read.
    #[error("this release cannot read a value in the store: {what}")]
    Corrupt { what: String },
    /// Coordinators are using the store.
    #[error(
        "coordinators are using the store: {}. Stop them first; one that was killed counts as \
         running until its lease ends", .0.join(", ")
    )]
    Alive(Vec<String>),
    /// JSON and the protocol cannot represent larger ids.
    #[error("the ids of the store already reach {until}: they cannot be raised by {by}")]
    NoMoreIds { until: i64, by: i64 },
    /// The database did not respond in time.
    #[error("could not {doing}: the database did not respond in time")]
    TimedOut { doing: &'static str },
    /// A newer release saved a job that this one cannot read.
    #[error(
        "job {job} cannot be read by this release: {why}; start the release that saved it, or \
         delete or change the job there"
    )]
    Unreadable { job: JobId, why: String },
    /// The database rejected the operation.
    #[error("could not {doing}")]
    Database {
        doing: &'static str,
        #[source]
        source: sqlx::Error,
    },
}

impl Error {
    /// Whether the error is caused by the data written, so that a retry would fail as well.
    pub(crate) fn is_refusal(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        if matches!(source, sqlx::Error::Encode(_)) {
            return true;
        }
        let Some(err) = source.as_database_error() else { return false };
        #[cfg(feature = "postgres")]
        if let Some(err) = err.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            // data exception, integrity constraint violation, program limit exceeded
            return ["22", "23", "54"].iter().any(|class| err.code().starts_with(class));
        }
        // SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH; the low byte is the primary code
        let code = err.code().and_then(|code| code.parse::<i32>().ok());
        code.is_some_and(|code| matches!(code & 0xff, 18..=20))
    }

    /// Whether the database aborted because the amount was too large: a smaller one may succeed.
    pub(crate) fn is_too_much(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        let code = source.as_database_error().and_then(|err| err.code());
        // out_of_memory, query_canceled (timeout), protocol_violation (message too large)
        matches!(code.as_deref(), Some("53200" | "57014" | "08P01"))
    }
}

fn partitions(lost: &[Lease]) -> String {
    let noun = if lost.len() == 1 { "partition" } else { "partitions" };
    let numbers: Vec<_> = lost.iter().map(|lease| lease.partition.0.to_string()).collect();
    format!("{noun} {}", numbers.join(", "))
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Adds the operation to an error of the database.
fn while_doing(doing: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |source| Error::Database { doing, source }
}

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

/// Identifies one process of a node.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct NodeId(pub(crate) String);

/// A node as the others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeRow {
    pub(crate) id: NodeId,
    /// Where executors and the other nodes reach it: `http://HOST:PORT`.
    pub(crate) address: String,
    pub(crate) version: String,
    pub(crate) since: Timestamp,
}

/// A partition and its holder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Holding {
    pub(crate) lease: Lease,
    /// The last node that took it and did not release it, and whether that node is alive.
    pub(crate) holder: Option<(NodeId, Alive)>,
}

/// Whether a node's heartbeats are recent enough, by the database's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alive {
    Yes,
    No,
}

/// Until when the database considers a node alive; changes with each heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeUntil {
    pub(crate) node: NodeId,
    /// By the database's clock, and comparable only with other values of it.
    pub(crate) until: i64,
}

/// The state of the cluster in the database.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ClusterView {
    /// The nodes that are alive, by id.
    pub(crate) nodes: Vec<NodeRow>,
    /// All partitions, by number.
    pub(crate) partitions: Vec<Holding>,
    /// All nodes that have a row, including those that are not alive.
    pub(crate) until: Vec<NodeUntil>,
    /// The database's clock.
    pub(crate) clock: Option<Timestamp>,
}

/// Which node may act on which partition; only for stores that several nodes share.
///
/// Time is the database's: a node is alive until its last heartbeat is older than its lease.
#[async_trait::async_trait]
pub(crate) trait ClusterStore: Send + Sync {
    /// Records a heartbeat that is valid for `lease`, and returns the state of the cluster. Removes
    /// nodes that have been silent for a day.
    async fn beat(&self, node: &NodeRow, lease: std::time::Duration) -> Result<ClusterView>;
    /// Takes a partition that has no holder, or whose holder is not alive, and returns the new
    /// term. Returns `None` if another node was faster, or if a commit of the old holder is in
    /// progress and does not end within about a second: no node may act on the partition before
    /// that commit has ended. A node may take its own partition again, which ends its old term: for
    /// example, after it was silent for longer than its lease.
    async fn acquire(&self, node: &NodeId, partition: Partition) -> Result<Option<Lease>>;
    /// Releases a partition, if this is still its lease.
    async fn release(&self, node: &NodeId, lease: Lease) -> Result<()>;
    /// Removes the node, and releases what it still holds.
    async fn leave(&self, node: &NodeId) -> Result<()>;
    /// Removes a dead node that the database still considers alive, unless it has sent a heartbeat
    /// since. This releases its partitions.
    async fn forget(&self, node: &NodeUntil) -> Result<()>;
}

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

/// Tasks, as clients query them.
#[async_trait::async_trait]
pub(crate) trait TaskStore: Send + Sync {
    /// The task with all its attempts.
    async fn task(&self, task: TaskId) -> Result<Option<TaskRow>>;
    /// Those of the tasks that exist, newest first, with their attempts.
    async fn tasks_by_id(&self, tasks: &[TaskId]) -> Result<Vec<TaskRow>>;
    /// Tasks that match the filter, newest first.
    async fn task_ids(&self, filter: &TaskFilter) -> Result<Vec<TaskId>>;
    /// Approximate bytes of each task with its attempts; without tasks that do not exist.
    async fn task_bytes(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, u64>>;
    /// The task that was started with this key, while it is retained.
    async fn task_of_key(&self, job: JobId, key: &str) -> Result<Option<TaskId>>;
    /// The tail of an attempt's log, as reported with its outcome.
    async fn log_tail(&self, attempt: AttemptId) -> Result<Option<String>>;
}

/// Alarms and their delivery.
#[async_trait::async_trait]
pub(crate) trait AlarmStore: Send + Sync {
    /// Alarms above the number that are waiting for the channel, in order; at most `limit`.
    async fn waiting_alarms(
        &self,
        channel: &ChannelName,
        after: i64,
        limit: u32,
    ) -> Result<Vec<WaitingAlarm>>;
    /// Alarms that match the filter, newest first.
    async fn past_alarms(&self, filter: &AlarmFilter) -> Result<Vec<PastAlarm>>;
    /// Marks those that are still waiting as sent, and returns how many there were.
    async fn alarms_sent(&self, numbers: &[i64], at: Timestamp) -> Result<u64>;
    /// Records a failed attempt to send; with an instant, the alarms are abandoned.
    async fn alarms_failed(
        &self,
        numbers: &[i64],
        given_up: Option<Timestamp>,
        error: &str,
    ) -> Result<()>;
    /// Abandons at most `limit` alarms that have waited since before `before` for a channel other
    /// than the given ones, and returns their channels.
    async fn give_up_alarms(
        &self,
        configured: &[ChannelName],
        before: Timestamp,
        now: Timestamp,
        error: &str,
        limit: u32,
    ) -> Result<Vec<ChannelName>>;
    /// Removes at most `limit` alarms that were done before `before`, and returns how many.
    async fn remove_alarms(&self, before: Timestamp, limit: u32) -> Result<u64>;
}

/// Silences, which suppress alarms.
#[async_trait::async_trait]
pub(crate) trait SilenceStore: Send + Sync {
    /// Saves a silence and returns its id; `None` if there are `most` silences already.
    async fn add_silence(
        &self,
        silence: &Silence,
        now: Timestamp,
        most: u32,
    ) -> Result<Option<i64>>;
    /// Those that have not expired, oldest first.
    async fn silences(&self, now: Timestamp) -> Result<Vec<SilenceRow>>;
    /// Ends a silence; `false` if it does not exist or has expired.
    async fn remove_silence(&self, id: i64, now: Timestamp) -> Result<bool>;
    /// Marks those of the channel's alarms that a silence covers now as silenced, and returns the
    /// ones that still wait, in order. Returns `None` if no silence applies to the channel.
    async fn silence_alarms(
        &self,
        channel: &ChannelName,
        numbers: &[i64],
        now: Timestamp,
    ) -> Result<Option<Vec<WaitingAlarm>>>;
    /// Removes expired silences, and returns how many.
    async fn remove_expired_silences(&self, now: Timestamp) -> Result<u64>;
}

/// The sum of all store traits.
pub(crate) trait Store:
    CommitStore
    + RetentionStore
    + LoadStore
    + JobStore
    + TaskStore
    + AlarmStore
    + SilenceStore
    + RepairStore
{
}

impl<T> Store for T where
    T: CommitStore
        + RetentionStore
        + LoadStore
        + JobStore
        + TaskStore
        + AlarmStore
        + SilenceStore
        + RepairStore
{
}
