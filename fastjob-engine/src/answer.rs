//! The engine's answers to commands and to connecting executors.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastjob_core::{
    AttemptId, AttemptState, ExecutorName, HandlerName, Incarnation, Job, JobId, JobPath, Progress,
    ServiceName, TaskId, TaskState,
};
use jiff::Timestamp;

use crate::{
    event::{Beat, SavedRow, SessionId, Version},
    state::attempts::OverQuota,
};

/// Whether the engine accepts an executor's session.
#[derive(Debug)]
pub enum ConnectAnswer {
    /// The session is accepted.
    Welcome(Declared),
    /// The session is rejected: another one has the executor's name.
    Taken {
        /// The reason, as a message for the user.
        why: String,
    },
}

/// What is left to do about the jobs that an executor declares.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// One message for each job that was not saved: its name and the reason.
    pub refused: Vec<String>,
    /// Jobs of which code declares another definition than before, without effect:
    /// [`SaveDone::Noted`].
    pub noted: Vec<SavedRow>,
    /// New or changed jobs with children. To save them, the engine needs jobs of other partitions,
    /// so the caller sends each one in a separate [`Command::Save`](super::Command::Save).
    pub parents: Vec<Arc<Job>>,
}

/// The result of a change to a job: what it did, and the job's row after it.
pub type SaveAnswer = Result<(SaveDone, SavedRow), JobRefused>;

/// The result of [`Command::Apply`](super::Command::Apply): of each edit, what it did and the row
/// after it; or the edits that are not possible, by their number, and why.
pub type ApplyAnswer = Result<Vec<(SaveDone, SavedRow)>, Vec<(usize, JobRefused)>>;

/// What a change to a job did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveDone {
    /// There was no living job of this name; there is one now.
    Created,
    /// The job has a new revision.
    Updated,
    /// The job was like this already, or is deleted and code does not create it again.
    Unchanged,
    /// Code declares another definition than before. It is remembered, and is not in effect, because
    /// a person took the definition from the code.
    Noted,
    /// The job is deleted, and its row says so.
    Deleted,
}

/// Why a job was not found or not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobRefused {
    /// No living job of this partition has this name.
    #[error("no job is named `{0}`")]
    Unknown(String),
    /// The name fits living jobs of several services: the caller has to add the service.
    #[error("`{name}` is the name of jobs of several services: {}", choices.join(", "))]
    Ambiguous {
        /// The name as the caller gave it.
        name: String,
        /// The full names that it could mean, `service.name` each.
        choices: Vec<String>,
    },
    /// [`SaveMode::Create`](super::SaveMode::Create) found a living job of this full name.
    #[error("a job named `{0}` already exists")]
    Exists(String),
    /// A child exists, but cannot be a child of this job: it is ambiguous, belongs to another
    /// service, closes a cycle, or makes a chain too long or too large to check.
    #[error("its child `{child}` {why}")]
    Child {
        /// The child as the definition names it.
        child: String,
        /// The reason, as a predicate: "leads back to it".
        why: String,
    },
    /// No living job has the name of this child.
    #[error("its child `{0}` does not exist: save it first")]
    NoChild(String),
    /// A job that is a child of another one cannot be deleted.
    #[error("it is a child of {}: remove it from their children first", parents.join(", "))]
    IsChild {
        /// The full names of its parents, in backticks and sorted.
        parents: Vec<String>,
    },
    /// The job was changed since the caller read it: read it again, and repeat the command.
    #[error("`{0}` was changed at the same time: try again")]
    Changed(String),
    /// The [`Condition`](crate::Condition) of the command does not hold.
    #[error("{}", stale(name, *current))]
    Stale {
        /// The name of the job.
        name: String,
        /// The version that the job is at; `None` if there is no such job.
        current: Option<Version>,
    },
    /// The job cannot be released to the code.
    #[error("no executor has declared `{0}` in its code")]
    NoCode(String),
    /// The job's schedule is neither cron nor a fixed rate, so it has no past fires to start.
    #[error("{0}")]
    NoBackfill(String),
    /// The partition has no room: the number of jobs or the size of their definitions is at its
    /// limit.
    #[error("{0}")]
    TooMany(String),
    /// The job fires once, at this instant, which has passed.
    #[error("its only fire, {0}, is in the past, so it would never fire")]
    TooLate(Timestamp),
    /// The schedule has no fire after now.
    #[error("{}: {}", .0.field, .0.message)]
    NeverFires(fastjob_core::job::Problem),
    /// The task was not started: the node has too many open tasks, or too many bytes of params.
    #[error("{0}")]
    OverQuota(#[from] OverQuota),
    /// The task cannot run again, because its job was deleted. A job that has its name now is
    /// another one.
    #[error("the job of task {0} was deleted, so it cannot run again")]
    JobOfTaskDeleted(TaskId),
    /// The caller has to look for its key in the store again, and then repeat the command.
    #[error("it is unknown whether a task was already started with this key: try again")]
    LookAgain,
}

fn stale(name: &str, current: Option<Version>) -> String {
    match current {
        Some(Version { revision, .. }) => format!(
            "`{name}` was changed since it was read: it is at revision {revision} now; read it \
             again, and repeat the change"
        ),
        None => format!("there is no job `{name}`, or no longer: nothing was changed"),
    }
}

/// The result of a backfill.
pub type BackfillAnswer = Result<Backfilled, JobRefused>;

/// What a backfill did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backfilled {
    /// The tasks that it started, in the order of their fires.
    pub tasks: Vec<TaskId>,
    /// The tasks of fires that were backfilled before, in the order of their fires.
    pub existing: Vec<TaskId>,
    /// Whether the range has, or may have, more fires.
    pub more: bool,
}

/// The result of a start.
pub type StartAnswer = Result<StartedTask, JobRefused>;

/// The task of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartedTask {
    /// The task.
    pub task: TaskId,
    /// Whether this start created it, and not an earlier one with the same key.
    pub is_new: bool,
}

/// The result of a stop: the task's state after it; `None` if the task was not open.
pub type StopAnswer = Option<TaskState>;

/// Ids of open tasks, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenPage {
    /// Each task once, even if it has several open attempts.
    pub tasks: Vec<TaskId>,
}

/// How many tasks of a job are open. A task that is stopping counts as running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenCount {
    /// The job.
    pub job: JobId,
    /// Tasks that wait for their instant, an executor or their turn.
    pub queued: u64,
    /// Tasks that run, or that are stopping.
    pub running: u64,
}

/// The current state of an open task.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveTask {
    /// The task.
    pub task: TaskId,
    /// Its state over all its shards; it may not be durable yet.
    pub state: TaskState,
    /// Its attempts that have not ended.
    pub attempts: Vec<LiveAttempt>,
}

/// The current state of an open attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveAttempt {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its state; it may not be durable yet.
    pub state: AttemptState,
    /// When its handler was entered; `None` before that.
    pub started_at: Option<Timestamp>,
    /// The latest progress that its executor reported; `None` if it has reported none.
    pub progress: Option<Progress>,
    /// What it waits for, as a message for users; `None` if its handler runs.
    pub waits_for: Option<String>,
    /// The executor that it is placed on; `None` while it is not placed.
    pub executor: Option<ExecutorName>,
    /// The session over which that executor can be reached; `None` while it is disconnected.
    pub session: Option<SessionId>,
}

/// What the engine knows of one life of an executor, connected or not.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutorFigures {
    /// Its session; `None` while it is disconnected.
    pub session: Option<SessionId>,
    /// Whether it drains: it accepts no more attempts.
    pub leaving: bool,
    /// Whether a user drains it: it gets no new attempts.
    pub drained: bool,
    /// The service whose handlers it hosts.
    pub service: ServiceName,
    /// Its name, unique within the service.
    pub executor: ExecutorName,
    /// Which start of the executor's process this is.
    pub incarnation: Incarnation,
    /// Its address as it gave it, for display. Empty until it connects to this engine.
    pub address: String,
    /// The release of its executor library. Empty until it connects to this engine.
    pub version: String,
    /// When its latest session began; until it connects to this engine, when its life began.
    pub since: Timestamp,
    /// When its life began: when its process first connected.
    pub began_at: Timestamp,
    /// How many attempts it accepts at a time, waiting ones included; 0 until it connects to this
    /// engine.
    pub capacity: u32,
    /// How many attempts of this engine's partition it may hold or is about to be sent.
    pub attempts: u32,
    /// Its latest heartbeat; all zeros before the first one.
    pub beat: Beat,
    /// The time since that heartbeat arrived or, before the first one, since the engine has known
    /// this life.
    pub beat_age: Duration,
    /// The time since the engine last heard from it; `None` until it connects to this engine.
    pub silent_for: Option<Duration>,
    /// Its labels. Empty until it connects to this engine.
    pub labels: Arc<BTreeMap<String, String>>,
    /// Its handlers and their descriptions. Empty until it connects to this engine.
    pub handlers: Arc<BTreeMap<HandlerName, String>>,
}

/// The answer to [`Command::Survey`](super::Command::Survey). The counts of services are exact. What is
/// held up is searched among the first 50,000 open attempts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// The services that have jobs or open tasks, in no order.
    pub services: Vec<ServiceCount>,
    /// Tasks that wait for an executor that is missing, or that have waited for long, by service.
    pub waits: Vec<HeldUp>,
    /// Tasks that are late for another reason, by job.
    pub late: Vec<HeldUp>,
    /// Tasks that run longer than a minute, the first ones of some jobs.
    pub long: Vec<LongRun>,
}

/// How many jobs and open tasks a service has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCount {
    /// The service.
    pub service: ServiceName,
    /// Its jobs.
    pub jobs: u64,
    /// Those of them that are enabled.
    pub enabled: u64,
    /// Its tasks that wait.
    pub queued: u64,
    /// Its tasks that run, or that are stopping.
    pub running: u64,
}

/// Tasks of a service or of a job that are held up.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldUp {
    /// Their service.
    pub service: ServiceName,
    /// The job of the oldest one.
    pub job: JobPath,
    /// The oldest one.
    pub task: TaskId,
    /// When that was due.
    pub since: Timestamp,
    /// How many attempts there are.
    pub count: u64,
    /// What the oldest one waits for, as a message for users.
    pub why: String,
}

/// A task that runs for long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongRun {
    /// Its job.
    pub id: JobId,
    /// Its service.
    pub service: ServiceName,
    /// The name of the job.
    pub job: JobPath,
    /// The task.
    pub task: TaskId,
    /// The executor that runs it, while it is known.
    pub executor: Option<ExecutorName>,
    /// When its handler was entered.
    pub since: Timestamp,
}
