//! What the coordinator keeps, in its own words.
//!
//! The engine decides, the store judges: every change of state is checked against the state that it
//! expects. The traits are small and speak our language; each database implements them all.

mod codes;
pub(crate) mod sqlite;
#[cfg(test)]
mod suite;
pub(crate) mod writer;

use fastjob_core::{
    AttemptId, AttemptState, Cause, ChannelName, ExecutorName, FailReason, JobId, JobName,
    ServiceName, Shard, TaskId, TaskState,
};
use jiff::Timestamp;

pub(crate) use crate::record::{
    AlarmKind, Commit, EndedAttempt, EndedShard, JobRow, LifeId, LifeRow, Loaded, NewAttempt,
    OpenAttempt, Origin,
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

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be opened or created.
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
    /// Something in it cannot be read.
    #[error("the store holds {what} that this release cannot read")]
    Corrupt { what: String },
    /// The database refused.
    #[error("could not {doing}")]
    Database {
        doing: &'static str,
        #[source]
        source: sqlx::Error,
    },
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Writes.
#[async_trait::async_trait]
pub(crate) trait CommitStore: Send + Sync {
    /// Applies all the commits in their order in one transaction; durable when it returns.
    async fn commit(&self, commits: &[Commit]) -> Result<()>;
    /// Removes at most `limit` tasks that ended before `before`, their attempts and logs, and
    /// returns how many.
    async fn remove_ended(&self, before: Timestamp, limit: u32) -> Result<u64>;
}

/// What the engine starts from.
#[async_trait::async_trait]
pub(crate) trait LoadStore: Send + Sync {
    /// Everything a coordinator needs to carry on.
    async fn load(&self) -> Result<Loaded>;
}

/// Jobs, as people ask for them.
#[async_trait::async_trait]
pub(crate) trait JobStore: Send + Sync {
    /// The job, unless it is unknown or deleted.
    async fn job(&self, service: &ServiceName, name: &JobName) -> Result<Option<JobRow>>;
    /// The jobs of this name in all services, deleted ones left out.
    async fn jobs_named(&self, name: &JobName) -> Result<Vec<JobRow>>;
    /// Jobs by service and name, after the given one, deleted ones left out; at most `limit`.
    async fn jobs(&self, after: Option<(ServiceName, JobName)>, limit: u32) -> Result<Vec<JobRow>>;
}

/// Tasks, as people ask for them.
#[async_trait::async_trait]
pub(crate) trait TaskStore: Send + Sync {
    /// The task with all its attempts.
    async fn task(&self, task: TaskId) -> Result<Option<TaskRow>>;
    /// Those of the tasks that exist, newest first, with their attempts.
    async fn tasks_by_id(&self, tasks: &[TaskId]) -> Result<Vec<TaskRow>>;
    /// Tasks that meet the filter, newest first, with their attempts.
    async fn tasks(&self, filter: &TaskFilter) -> Result<Vec<TaskRow>>;
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
    /// Marks those that still wait as sent, and returns how many did.
    async fn alarms_sent(&self, numbers: &[i64], at: Timestamp) -> Result<u64>;
    /// Notes a try in vain; with an instant, they are given up.
    async fn alarms_failed(
        &self,
        numbers: &[i64],
        given_up: Option<Timestamp>,
        error: &str,
    ) -> Result<()>;
    /// Removes at most `limit` that were done before `before`, and returns how many.
    async fn remove_alarms(&self, before: Timestamp, limit: u32) -> Result<u64>;
}

/// All of it.
pub(crate) trait Store: CommitStore + LoadStore + JobStore + TaskStore + AlarmStore {}

impl<T: CommitStore + LoadStore + JobStore + TaskStore + AlarmStore> Store for T {}
