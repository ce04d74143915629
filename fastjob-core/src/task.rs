//! A task: one started piece of work, and its states.
//!
//! [`next`] is the only function that changes a task's state. It rejects unknown transitions by
//! default.

use serde::{Deserialize, Serialize};

use TaskState::*;

/// The state of a task.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Persisted; no attempt of it has been entered.
    Queued,
    /// A handler has been entered, or a retry is pending.
    Running,
    /// A stop was requested, and the end has not been reported yet.
    Stopping,
    /// Its handler returned a result.
    Succeeded,
    /// Its last attempt failed.
    Failed,
    /// It was stopped before it succeeded.
    Stopped,
    /// Its block or misfire strategy skipped it.
    Skipped,
}

/// What happens to a task.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TaskEvent {
    /// An attempt of it was entered.
    AttemptStarted,
    /// An attempt succeeded, and it was the last one needed.
    AttemptSucceeded,
    /// An attempt failed and a retry follows.
    RetryPlanned,
    /// An attempt failed and no retry follows.
    AttemptFailed,
    /// An attempt ended because it was stopped.
    AttemptStopped,
    /// The block or misfire strategy rejected its first attempt.
    AttemptSkipped,
    /// A stop was requested.
    StopAsked,
}

/// The next state of a task; `None` rejects the event. Nothing else changes a task's state.
pub const fn next(state: TaskState, event: TaskEvent) -> Option<TaskState> {
    use TaskEvent as E;
    match (state, event) {
        (Queued | Running, E::AttemptStarted | E::RetryPlanned) => Some(Running),
        (Stopping, E::AttemptStarted) => Some(Stopping),
        // A success counts even if a stop was already requested.
        (Queued | Running | Stopping, E::AttemptSucceeded) => Some(Succeeded),
        (Queued | Running, E::AttemptFailed) => Some(Failed),
        // After a stop request, the reason of a failure does not matter.
        (Stopping, E::AttemptFailed | E::AttemptSkipped) => Some(Stopped),
        (Queued | Running | Stopping, E::AttemptStopped) => Some(Stopped),
        (Queued | Running, E::AttemptSkipped) => Some(Skipped),
        (Queued | Running | Stopping, E::StopAsked) => Some(Stopping),
        (Stopping, E::RetryPlanned) | (Succeeded | Failed | Stopped | Skipped, _) => None,
    }
}

impl TaskState {
    /// Every state, in order of its occurrence.
    pub const ALL: [Self; 7] = [Queued, Running, Stopping, Succeeded, Failed, Stopped, Skipped];

    /// Whether the state is final.
    pub const fn is_final(self) -> bool {
        matches!(self, Succeeded | Failed | Stopped | Skipped)
    }

    /// The state's name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Queued => "queued",
            Running => "running",
            Stopping => "stopping",
            Succeeded => "succeeded",
            Failed => "failed",
            Stopped => "stopped",
            Skipped => "skipped",
        }
    }
}

impl std::fmt::Display for TaskState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is not a task state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a task state; there are queued, running, stopping, succeeded, failed, stopped \
     and skipped"
)]
pub struct UnknownTaskState(pub String);

impl std::str::FromStr for TaskState {
    type Err = UnknownTaskState;

    fn from_str(text: &str) -> Result<Self, UnknownTaskState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownTaskState(text.to_owned()))
    }
}

/// Why a task was started.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its job's schedule fired.
    Schedule,
    /// Its job's misfire strategy caught up on missed fires.
    Misfire,
    /// A user started it.
    Manual,
    /// A program started it.
    Api,
    /// Its parent ended.
    Parent,
    /// A caller started the fires of a past range.
    Backfill,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 6] =
        [Self::Schedule, Self::Misfire, Self::Manual, Self::Api, Self::Parent, Self::Backfill];

    /// The cause's name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Misfire => "misfire",
            Self::Manual => "manual",
            Self::Api => "api",
            Self::Parent => "parent",
            Self::Backfill => "backfill",
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is not a cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cause; there are schedule, misfire, manual, api, parent and backfill")]
pub struct UnknownCause(pub String);

impl std::str::FromStr for Cause {
    type Err = UnknownCause;

    fn from_str(text: &str) -> Result<Self, UnknownCause> {
        Self::ALL
            .into_iter()
            .find(|cause| cause.as_str() == text)
            .ok_or_else(|| UnknownCause(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [TaskEvent; 7] = [
        TaskEvent::AttemptStarted,
        TaskEvent::AttemptSucceeded,
        TaskEvent::RetryPlanned,
        TaskEvent::AttemptFailed,
        TaskEvent::AttemptStopped,
        TaskEvent::AttemptSkipped,
        TaskEvent::StopAsked,
    ];

    #[test]
    fn a_task_that_has_ended_never_changes_its_state() {
        for state in TaskState::ALL.into_iter().filter(|state| state.is_final()) {
            for event in EVENTS {
                assert_eq!(next(state, event), None, "{state} moved on {event:?}");
            }
        }
    }

    #[test]
    fn a_task_that_is_stopping_is_never_retried() {
        assert_eq!(next(Stopping, TaskEvent::RetryPlanned), None);
        assert_eq!(next(Stopping, TaskEvent::AttemptFailed), Some(Stopped));
        assert_eq!(next(Stopping, TaskEvent::AttemptSucceeded), Some(Succeeded));
    }

    #[test]
    fn every_open_state_can_reach_every_final_state() {
        for state in [Queued, Running, Stopping] {
            assert!(next(state, TaskEvent::AttemptStopped).is_some_and(TaskState::is_final));
            assert!(next(state, TaskEvent::AttemptSucceeded).is_some_and(TaskState::is_final));
            assert!(next(state, TaskEvent::AttemptFailed).is_some_and(TaskState::is_final));
        }
    }

    #[test]
    fn names_are_read_back() {
        for state in TaskState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("gone".parse::<TaskState>().is_err());
    }
}
