//! What the engine answers to those who asked.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastjob_core::{
    AttemptId, AttemptState, ExecutorName, HandlerName, Incarnation, Job, Progress, ServiceName,
    TaskId, TaskState,
};
use jiff::Timestamp;

use super::{
    event::{Beat, SavedRow, SessionId},
    quota::OverQuota,
};

/// Whether an executor may stay.
#[derive(Debug)]
pub(crate) enum ConnectAnswer {
    /// It may.
    Welcome(Declared),
    /// Another session has its name.
    Taken { why: String },
}

/// What is left to do about the jobs that an executor declares.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declared {
    /// Why jobs were not saved.
    pub(crate) refused: Vec<String>,
    /// New or changed jobs with children. To save them the jobs of other partitions are needed, so the
    /// caller sends each in a [`Command::Save`](super::Command::Save) of its own.
    pub(crate) parents: Vec<Arc<Job>>,
}

/// What became of a change to a job.
pub(crate) type SaveAnswer = Result<(SaveDone, SavedRow), JobRefused>;

/// What saving did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SaveDone {
    Created,
    Updated,
    Unchanged,
    Deleted,
}

/// Why a job was not found or not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JobRefused {
    #[error("no job is named `{0}`")]
    Unknown(String),
    #[error("`{name}` is the name of jobs of several services: {}", choices.join(", "))]
    Ambiguous { name: String, choices: Vec<String> },
    #[error("there is a job named `{0}` already")]
    Exists(String),
    #[error("its child `{child}` {why}")]
    Child { child: String, why: String },
    #[error("its child `{0}` is not known: save it first")]
    NoChild(String),
    #[error("it is a child of {}: take it out of there first", parents.join(", "))]
    IsChild { parents: Vec<String> },
    #[error("{0}")]
    NoBackfill(String),
    /// There is no room for another.
    #[error("{0}")]
    TooMany(String),
    #[error("its one fire, {0}, is in the past, so it would never fire")]
    TooLate(Timestamp),
    #[error("{}: {}", .0.field, .0.message)]
    NeverFires(fastjob_core::job::Problem),
    #[error("{0}")]
    OverQuota(#[from] OverQuota),
    /// The caller has to look for its key in the store again, and then to ask again.
    #[error("it is not known yet whether a task was started with this key: try again")]
    LookAgain,
}

/// What became of a backfill: the tasks, and whether there would have been more.
pub(crate) type BackfillAnswer = Result<(Vec<TaskId>, bool), JobRefused>;

/// What became of a start.
pub(crate) type StartAnswer = Result<TaskId, JobRefused>;

/// What became of a stop: the task's state, if it was open.
pub(crate) type StopAnswer = Option<TaskState>;

/// Ids of open tasks, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OpenPage {
    pub(crate) tasks: Vec<TaskId>,
}

/// How an open task is just now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LiveTask {
    pub(crate) task: TaskId,
    pub(crate) state: TaskState,
    /// Those that have not ended.
    pub(crate) attempts: Vec<LiveAttempt>,
}

/// How an open attempt is just now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LiveAttempt {
    pub(crate) attempt: AttemptId,
    pub(crate) state: AttemptState,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) progress: Option<Progress>,
    pub(crate) executor: Option<ExecutorName>,
    /// Where the executor can be reached.
    pub(crate) session: Option<SessionId>,
}

/// An executor, as the engine knows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExecutorFigures {
    pub(crate) session: Option<SessionId>,
    pub(crate) leaving: bool,
    pub(crate) service: ServiceName,
    pub(crate) executor: ExecutorName,
    pub(crate) incarnation: Incarnation,
    pub(crate) address: String,
    pub(crate) version: String,
    pub(crate) since: Timestamp,
    pub(crate) capacity: u32,
    pub(crate) attempts: u32,
    pub(crate) beat: Beat,
    pub(crate) beat_age: Duration,
    pub(crate) labels: Arc<BTreeMap<String, String>>,
    pub(crate) handlers: Arc<BTreeMap<HandlerName, String>>,
}
