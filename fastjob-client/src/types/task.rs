//! Tasks and their attempts.

use std::{fmt, str::FromStr};

use fastjob_core::{AttemptState, Cause, FailReason, TaskState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Word;

/// A task with its attempts.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct TaskView {
    /// Its number.
    pub id: i64,
    /// The job's name.
    pub job: String,
    /// The job's service.
    pub service: String,
    /// Its current state.
    #[cfg_attr(feature = "openapi", schema(value_type = TaskState))]
    pub state: Word<TaskState>,
    /// Why it was started.
    #[cfg_attr(feature = "openapi", schema(value_type = Cause))]
    pub cause: Word<Cause>,
    /// The fire of the schedule that started it.
    pub fire_at: Option<Timestamp>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When its handler first started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its own param, if it was started with one.
    pub param: Option<String>,
    /// What its handler returned.
    pub result: Option<String>,
    /// Additional information, such as which missed fires it replaces.
    pub note: Option<String>,
    /// The task whose end started this one.
    #[serde(default)]
    pub parent: Option<i64>,
    /// The task that this one runs again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub reruns: Option<i64>,
    /// The id of the trace that it is part of, 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub trace_id: Option<String>,
    /// The first task that has run this one again, unless that was requested with a key. Only when
    /// one task is read, not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub rerun_by: Option<i64>,
    /// The address of the coordinator that acts on the task, if that did not answer in time, or
    /// `partition N` if none acts on it at the moment: the state and the attempts are those that are
    /// recorded. A task is recorded as `queued` until it
    /// is stopping or ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub unanswered: Option<String>,
    /// Ordered by shard and number.
    pub attempts: Vec<AttemptView>,
}

/// The order of a list of tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub enum TaskOrder {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
    /// Only tasks that have run and ended, the longest run first. A coordinator rejects this order
    /// if the filters leave too many tasks.
    RunTime,
}

impl TaskOrder {
    /// Every order.
    pub const ALL: [Self; 3] = [Self::Newest, Self::Oldest, Self::RunTime];

    /// Its name, as in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::RunTime => "run_time",
        }
    }
}

impl fmt::Display for TaskOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is not an order of tasks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an order; there are newest, oldest and run_time")]
pub struct UnknownTaskOrder(pub String);

impl FromStr for TaskOrder {
    type Err = UnknownTaskOrder;

    fn from_str(text: &str) -> Result<Self, UnknownTaskOrder> {
        Self::ALL
            .into_iter()
            .find(|order| order.as_str() == text)
            .ok_or_else(|| UnknownTaskOrder(text.to_owned()))
    }
}

/// An attempt of a task.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct AttemptView {
    /// Its number among all attempts.
    pub id: i64,
    /// 1 for the first of its shard.
    pub number: u32,
    /// Which part of the task it is, from 0.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub shard: u32,
    /// How many parts the task has; 0 while unknown.
    #[serde(default = "one")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub shards: u32,
    /// Its current state.
    #[cfg_attr(feature = "openapi", schema(value_type = AttemptState))]
    pub state: Word<AttemptState>,
    /// Why it failed.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<FailReason>))]
    pub reason: Option<Word<FailReason>>,
    /// The handler's error message.
    pub message: Option<String>,
    /// The executor it was dispatched to.
    pub executor: Option<String>,
    /// The progress that its handler reported, while it runs.
    #[serde(default)]
    pub progress: Option<ProgressView>,
    /// What it waits for, in words; `None` if its handler runs or it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub waits_for: Option<String>,
    /// When it was due to be dispatched.
    pub due_at: Timestamp,
    /// When its handler started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// The progress that a handler reported.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ProgressView {
    /// Completed amount.
    pub done: u64,
    /// Total amount; 0 if unknown.
    pub total: u64,
    /// Progress in words.
    pub note: String,
}

/// The result of stopping a task.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct StopAnswer {
    /// Whether the task was still open, so that there was something to stop.
    pub stopped: bool,
    /// The task's state now: `stopping` until its executor has answered.
    #[cfg_attr(feature = "openapi", schema(value_type = TaskState))]
    pub state: Word<TaskState>,
}

pub(super) fn one() -> u32 {
    1
}

impl TaskView {
    /// Whether the task has ended, in whichever state.
    pub fn has_ended(&self) -> bool {
        // A state that a newer coordinator has added is final if there is an end.
        self.state.known().map_or(self.ended_at.is_some(), TaskState::is_final)
    }

    /// Whether the task has ended and succeeded.
    pub fn has_succeeded(&self) -> bool {
        self.state == TaskState::Succeeded
    }
}
