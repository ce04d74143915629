//! What the coordinator keeps, in its own words.
//!
//! The engine decides, the store judges: every change of state is checked against the state that it
//! expects. The traits are small and speak our language; each database implements them all.

mod codes;
#[cfg(test)]
pub(crate) mod double;
mod key;
pub(crate) mod postgres;
mod repair;
mod retention;
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
    key::{ClusterKey, hex, unhex},
    repair::{IDS_MOST, Marks, RepairStore, Survey},
    retention::RetentionStore,
};
pub(crate) use crate::record::{
    AlarmKind, ChildStart, Commit, EndedAttempt, EndedShard, JobLink, JobRow, Lease, LifeId,
    LifeRow, Lineage, Loaded, NewAttempt, OpenAttempt, Origin, Partition, definition_bytes,
};

/// An attempt as it is shown.
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

/// A task as it is shown.
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

/// About how many bytes an attempt takes in a list without its texts.
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
    /// Final states only: what is open is asked of the engine.
    pub(crate) state: Option<TaskState>,
    /// Created at or after.
    pub(crate) since: Option<Timestamp>,
    /// Below this id: where the last page ended.
    pub(crate) below: Option<TaskId>,
    /// At most so many.
    pub(crate) limit: u32,
}

/// An alarm that waits for its channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WaitingAlarm {
    /// Names the alarm on its channel, and grows with every commit.
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

/// Where an alarm is on its channel.
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

/// An alarm as it is shown.
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
    /// At most so many.
    pub(crate) limit: u32,
}

/// What people do not want to be told of for a while.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Silence {
    /// The job and its `service.name`; `None` stands for every job.
    pub(crate) job: Option<(JobId, String)>,
    /// `None` stands for every channel.
    pub(crate) channel: Option<ChannelName>,
    pub(crate) until: Timestamp,
    pub(crate) reason: String,
}

/// A silence as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SilenceRow {
    pub(crate) id: i64,
    pub(crate) silence: Silence,
    pub(crate) created_at: Timestamp,
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be opened or created, or the database not reached.
    #[error("could not open the store {path}: {why}")]
    Open { path: String, why: String },
    /// Another coordinator holds the file.
    #[error(
        "the store {0} is in use by another coordinator: stop that one first, or give this one a \
         store of its own"
    )]
    InUse(String),
    /// A newer release wrote it.
    #[error(
        "the store {path} was written by a newer release (schema {found}, this release knows \
         {known}): start that release, or restore a backup"
    )]
    Newer { path: String, found: i64, known: i64 },
    /// Other nodes hold these partitions by now; nothing of the transaction was written.
    #[error("{} of this node are held by others by now", partitions(.0))]
    Fenced(Vec<Lease>),
    /// Something in it cannot be read.
    #[error("the store holds {what} that this release cannot read")]
    Corrupt { what: String },
    /// Coordinators use the store.
    #[error(
        "coordinators use the store: {}. Stop them first; one that was killed is taken for alive \
         until its lease is over", .0.join(", ")
    )]
    Alive(Vec<String>),
    /// JSON and the protocol hold no larger ids.
    #[error("the ids of the store reach {until} already: they cannot be lifted by {by}")]
    NoMoreIds { until: i64, by: i64 },
    /// The database did not answer.
    #[error("could not {doing}: the database did not answer in time")]
    TimedOut { doing: &'static str },
    /// A newer release saved a job in a way that this one cannot read.
    #[error(
        "job {job} cannot be read by this release: {why}; start the release that saved it, or \
         delete or change the job there"
    )]
    Unreadable { job: JobId, why: String },
    /// The database refused.
    #[error("could not {doing}")]
    Database {
        doing: &'static str,
        #[source]
        source: sqlx::Error,
    },
}

impl Error {
    /// Whether the database takes exception to what is written, and not to the moment: it would
    /// refuse the same again.
    pub(crate) fn is_refusal(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        if matches!(source, sqlx::Error::Encode(_)) {
            return true;
        }
        let Some(err) = source.as_database_error() else { return false };
        if let Some(err) = err.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            // data exceptions, constraints, limits of the program
            return ["22", "23", "54"].iter().any(|class| err.code().starts_with(class));
        }
        // too big, constraints, types that do not fit; the low byte says what, the rest says more
        let code = err.code().and_then(|code| code.parse::<i32>().ok());
        code.is_some_and(|code| matches!(code & 0xff, 18..=20))
    }

    /// Whether the database gave up because there is too much of it: less may be taken.
    pub(crate) fn is_too_much(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        let code = source.as_database_error().and_then(|err| err.code());
        // out_of_memory, query_canceled: by its time limit, protocol_violation: of the message size
        matches!(code.as_deref(), Some("53200" | "57014" | "08P01"))
    }
}

fn partitions(lost: &[Lease]) -> String {
    let noun = if lost.len() == 1 { "partition" } else { "partitions" };
    let numbers: Vec<_> = lost.iter().map(|lease| lease.partition.0.to_string()).collect();
    format!("{noun} {}", numbers.join(", "))
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Writes.
#[async_trait::async_trait]
pub(crate) trait CommitStore: Send + Sync {
    /// Applies all the commits in their order in one transaction; durable when it returns. If one of
    /// them has a lease that is over, it is [`Error::Fenced`] and none is applied.
    async fn commit(&self, commits: &[Commit]) -> Result<()>;
    /// Lets go of the connections, at the end of the process that used them. A store that is a file
    /// is then all in that file, as whoever copies it expects.
    async fn close(&self) -> Result<()>;
}

/// What the whole store is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoreFacts {
    /// The store's own name, made when it was created.
    pub(crate) cluster: String,
    /// Into how many partitions its jobs hash; never changes.
    pub(crate) partitions: u32,
    /// When it was created.
    pub(crate) since: Timestamp,
    /// What its nodes alone know.
    pub(crate) key: ClusterKey,
}

/// What the engine starts from.
#[async_trait::async_trait]
pub(crate) trait LoadStore: Send + Sync {
    /// What the whole store is.
    async fn facts(&self) -> Result<StoreFacts>;
    /// Everything a coordinator needs to carry on with the partition; what was committed before it
    /// was acquired is in it. If one of its jobs cannot be read, it is [`Error::Unreadable`].
    async fn load(&self, partition: Partition) -> Result<Loaded>;
    /// Children of these partitions' jobs that wait to be started, in the order of their ids; at most
    /// `limit`.
    async fn child_starts(&self, partitions: &[Partition], limit: u32) -> Result<Vec<ChildStart>>;
}

/// Most children to start that a partition is loaded with; the rest is read as those are done.
const CHILD_STARTS: u32 = 1_000;

/// Names one run of a node's process.
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

/// A partition, and who holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Holding {
    pub(crate) lease: Lease,
    /// The node that took it last and did not release it, and whether that still beats.
    pub(crate) holder: Option<(NodeId, Alive)>,
}

/// Whether a node's beats are recent enough, by the database's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alive {
    Yes,
    No,
}

/// Until when the database takes a node for alive: each beat changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeUntil {
    pub(crate) node: NodeId,
    /// By the database's clock; means something only to it.
    pub(crate) until: i64,
}

/// The cluster, as the database sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ClusterView {
    /// The nodes that beat, by id.
    pub(crate) nodes: Vec<NodeRow>,
    /// All partitions, by number.
    pub(crate) partitions: Vec<Holding>,
    /// All nodes that have a row, also those that do not beat.
    pub(crate) until: Vec<NodeUntil>,
    /// The database's clock.
    pub(crate) clock: Option<Timestamp>,
}

/// Who may act on which partition; only of stores that several nodes share.
///
/// Time is the database's: a node is alive until its last beat is older than its lease.
#[async_trait::async_trait]
pub(crate) trait ClusterStore: Send + Sync {
    /// Says that the node lives and for how long it may be taken to, and tells what there is.
    /// Removes nodes that have been silent for a day.
    async fn beat(&self, node: &NodeRow, lease: std::time::Duration) -> Result<ClusterView>;
    /// Takes a partition that nobody holds, or whose holder is not alive; the new term, or `None`
    /// if another was faster, or if a commit of the old holder is under way that does not end within
    /// about a second: nobody acts on the partition before such a commit has ended. A node may
    /// take its own partition again, in a new term that ends the one before: after it has been
    /// silent for longer than its lease, say.
    async fn acquire(&self, node: &NodeId, partition: Partition) -> Result<Option<Lease>>;
    /// Gives a partition back, if this is still its lease.
    async fn release(&self, node: &NodeId, lease: Lease) -> Result<()>;
    /// Removes the node, and gives back what it still holds.
    async fn leave(&self, node: &NodeId) -> Result<()>;
    /// Removes a node that is dead although the database takes it for alive, unless it has beaten
    /// since: what it holds is free.
    async fn forget(&self, node: &NodeUntil) -> Result<()>;
}

/// Jobs, as people ask for them.
#[async_trait::async_trait]
pub(crate) trait JobStore: Send + Sync {
    /// The job, unless it is unknown or deleted.
    async fn job(&self, service: &ServiceName, name: &JobName) -> Result<Option<JobRow>>;
    /// Those of the jobs that live.
    async fn links(&self, jobs: &[JobId]) -> Result<Vec<JobLink>>;
    /// The living jobs that have one of these as a child, by id; at most `limit`.
    async fn parents_of(&self, jobs: &[JobId], limit: u32) -> Result<Vec<JobLink>>;
    /// The jobs of this name in all services, deleted ones left out.
    async fn jobs_named(&self, name: &JobName) -> Result<Vec<JobRow>>;
    /// Jobs by service and name, after the given one, without deleted ones and those that this
    /// release cannot read: at most `limit`, and no more once their definitions have `bytes` bytes.
    /// Fewer only where there are no more.
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
    /// After which job the next page begins; `None` if there are no more.
    pub(crate) next: Option<(ServiceName, JobName)>,
}

/// Tasks, as people ask for them.
#[async_trait::async_trait]
pub(crate) trait TaskStore: Send + Sync {
    /// The task with all its attempts.
    async fn task(&self, task: TaskId) -> Result<Option<TaskRow>>;
    /// Those of the tasks that exist, newest first, with their attempts.
    async fn tasks_by_id(&self, tasks: &[TaskId]) -> Result<Vec<TaskRow>>;
    /// Tasks that meet the filter, newest first.
    async fn task_ids(&self, filter: &TaskFilter) -> Result<Vec<TaskId>>;
    /// About how many bytes each of the tasks takes with its attempts; without those that do not
    /// exist.
    async fn task_bytes(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, u64>>;
    /// The task that was started with this key, while it is kept.
    async fn task_of_key(&self, job: JobId, key: &str) -> Result<Option<TaskId>>;
    /// The tail of an attempt's log that came with its outcome.
    async fn log_tail(&self, attempt: AttemptId) -> Result<Option<String>>;
}

/// Alarms, as they are sent.
#[async_trait::async_trait]
pub(crate) trait AlarmStore: Send + Sync {
    /// What waits for the channel above the number, in order; at most `limit`.
    async fn waiting_alarms(
        &self,
        channel: &ChannelName,
        after: i64,
        limit: u32,
    ) -> Result<Vec<WaitingAlarm>>;
    /// Alarms that meet the filter, newest first.
    async fn past_alarms(&self, filter: &AlarmFilter) -> Result<Vec<PastAlarm>>;
    /// Marks those that still wait as sent, and returns how many did.
    async fn alarms_sent(&self, numbers: &[i64], at: Timestamp) -> Result<u64>;
    /// Notes a try in vain; with an instant, they are given up.
    async fn alarms_failed(
        &self,
        numbers: &[i64],
        given_up: Option<Timestamp>,
        error: &str,
    ) -> Result<()>;
    /// Gives up at most `limit` that wait since before `before` for a channel that is not among the
    /// given ones, and returns their channels.
    async fn give_up_alarms(
        &self,
        configured: &[ChannelName],
        before: Timestamp,
        now: Timestamp,
        error: &str,
        limit: u32,
    ) -> Result<Vec<ChannelName>>;
    /// Removes at most `limit` that were done before `before`, and returns how many.
    async fn remove_alarms(&self, before: Timestamp, limit: u32) -> Result<u64>;
}

/// Silences: what is not to be sent.
#[async_trait::async_trait]
pub(crate) trait SilenceStore: Send + Sync {
    /// Saves a silence and returns its id; `None` if there are `most` already.
    async fn add_silence(
        &self,
        silence: &Silence,
        now: Timestamp,
        most: u32,
    ) -> Result<Option<i64>>;
    /// Those that have not expired, oldest first.
    async fn silences(&self, now: Timestamp) -> Result<Vec<SilenceRow>>;
    /// Ends a silence; `false` if there was none, or it had expired.
    async fn remove_silence(&self, id: i64, now: Timestamp) -> Result<bool>;
    /// Marks those of the channel's alarms that a silence covers now as silenced, and returns in
    /// order those that still wait; `None` if there is nothing to judge: no silence is on the
    /// channel.
    async fn silence_alarms(
        &self,
        channel: &ChannelName,
        numbers: &[i64],
        now: Timestamp,
    ) -> Result<Option<Vec<WaitingAlarm>>>;
    /// Removes those that have expired, and returns how many.
    async fn remove_expired_silences(&self, now: Timestamp) -> Result<u64>;
}

/// All of it.
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
