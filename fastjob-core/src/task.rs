//! A task: one started piece of work, and where it goes next.
//!
//! [`next`] is the one place that moves a task. It refuses by default.

use serde::{Deserialize, Serialize};

use TaskState::*;

/// Where a task is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Recorded; no attempt of it has been entered.
    Queued,
    /// A handler has been entered, or a retry is to come.
    Running,
    /// Somebody asked for its end, which has not been reported yet.
    Stopping,
    /// Its handler returned a result.
    Succeeded,
    /// Its last attempt failed.
    Failed,
    /// It was stopped before it succeeded.
    Stopped,
    /// Its block or misfire strategy refused it.
    Skipped,
}

/// What happens to a task.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TaskEvent {
    /// An attempt of it was entered.
    AttemptStarted,
    /// An attempt succeeded, and was the last that was needed.
    AttemptSucceeded,
    /// An attempt failed and another will follow.
    RetryPlanned,
    /// An attempt failed and none will follow.
    AttemptFailed,
    /// An attempt ended because it was told to.
    AttemptStopped,
    /// The block or misfire strategy refused its first attempt.
    AttemptSkipped,
    /// Somebody asked for its end.
    StopAsked,
}

/// Where a task goes next; `None` refuses the event. Nothing else moves a task.
pub const fn next(state: TaskState, event: TaskEvent) -> Option<TaskState> {
    use TaskEvent as E;
    match (state, event) {
        (Queued | Running, E::AttemptStarted | E::RetryPlanned) => Some(Running),
        (Stopping, E::AttemptStarted) => Some(Stopping),
        // What was done is done, also when a stop was on its way.
        (Queued | Running | Stopping, E::AttemptSucceeded) => Some(Succeeded),
        (Queued | Running, E::AttemptFailed) => Some(Failed),
        // Nobody waits for the reason of a failure after asking for the end.
        (Stopping, E::AttemptFailed | E::AttemptSkipped) => Some(Stopped),
        (Queued | Running | Stopping, E::AttemptStopped) => Some(Stopped),
        (Queued | Running, E::AttemptSkipped) => Some(Skipped),
        (Queued | Running | Stopping, E::StopAsked) => Some(Stopping),
        (Stopping, E::RetryPlanned) | (Succeeded | Failed | Stopped | Skipped, _) => None,
    }
}

impl TaskState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 7] = [Queued, Running, Stopping, Succeeded, Failed, Stopped, Skipped];

    /// Whether nothing moves the task any more.
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

/// A text that names no task state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no task state; there are queued, running, stopping, succeeded, failed, stopped and \
     skipped"
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
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its job's schedule fired.
    Schedule,
    /// Its job's misfire strategy made up for fires that were missed.
    Misfire,
    /// A person started it.
    Manual,
    /// A program started it.
    Api,
    /// Its parent ended.
    Parent,
}

impl Cause {
    /// The cause's name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Misfire => "misfire",
            Self::Manual => "manual",
            Self::Api => "api",
            Self::Parent => "parent",
        }
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
    fn nothing_moves_a_task_that_has_ended() {
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
    fn every_open_state_has_a_way_to_every_end() {
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
