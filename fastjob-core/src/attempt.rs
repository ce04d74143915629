//! An attempt: one dispatch of a task to one executor, its states, and how it ended.
//!
//! [`next`] is the only function that changes an attempt's state. It rejects unknown transitions by
//! default. The attempt's id fences late reports.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use AttemptState::*;

/// The state of an attempt.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Recorded, not sent yet.
    Planned,
    /// Sent to its executor.
    Dispatched,
    /// Its handler has been entered.
    Running,
    /// Its handler returned a result.
    Succeeded,
    /// It failed; the [`FailReason`] says how.
    Failed,
    /// It ended because it was stopped.
    Stopped,
    /// The block strategy rejected it.
    Skipped,
}

/// What happens to an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AttemptEvent {
    /// It was sent to its executor.
    Dispatched,
    /// Its executor never received it.
    NotReceived,
    /// Its handler was entered.
    Started,
    /// It ended.
    Ended(End),
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum End {
    /// Its handler returned a result.
    Succeeded,
    /// It failed, for this reason.
    Failed(FailReason),
    /// It ended because it was stopped.
    Stopped,
    /// The block strategy rejected it.
    Skipped,
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum FailReason {
    /// The handler returned a retryable error.
    #[serde(rename = "error")]
    Error,
    /// The handler returned a permanent error.
    #[serde(rename = "fatal error")]
    Fatal,
    /// It ran longer than its job allows.
    #[serde(rename = "timed out")]
    TimedOut,
    /// Its executor was lost.
    #[serde(rename = "executor lost")]
    ExecutorLost,
    /// The handler panicked.
    #[serde(rename = "panicked")]
    Panicked,
    /// No executor could accept it in time.
    #[serde(rename = "no executor")]
    NoExecutor,
}

/// The next state of an attempt; `None` rejects the event. Nothing else changes an attempt's state.
pub const fn next(state: AttemptState, event: AttemptEvent) -> Option<AttemptState> {
    use AttemptEvent as E;
    match (state, event) {
        (Planned, E::Dispatched) => Some(Dispatched),
        (Dispatched, E::NotReceived) => Some(Planned),
        // After a reconnect, the start may arrive before the result of the dispatch is known.
        (Planned | Dispatched | Running, E::Started) => Some(Running),
        (Planned | Dispatched | Running, E::Ended(end)) => Some(end.state()),
        (Dispatched | Running, E::Dispatched)
        | (Planned | Running, E::NotReceived)
        | (Succeeded | Failed | Stopped | Skipped, _) => None,
    }
}

impl AttemptState {
    /// Every state, in order of its occurrence.
    pub const ALL: [Self; 7] = [Planned, Dispatched, Running, Succeeded, Failed, Stopped, Skipped];

    /// Whether the state is final.
    pub const fn is_final(self) -> bool {
        matches!(self, Succeeded | Failed | Stopped | Skipped)
    }

    /// The state's name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Planned => "planned",
            Dispatched => "dispatched",
            Running => "running",
            Succeeded => "succeeded",
            Failed => "failed",
            Stopped => "stopped",
            Skipped => "skipped",
        }
    }
}

impl End {
    /// The state of an attempt that ended this way.
    pub const fn state(self) -> AttemptState {
        match self {
            Self::Succeeded => Succeeded,
            Self::Failed(_) => Failed,
            Self::Stopped => Stopped,
            Self::Skipped => Skipped,
        }
    }

    /// The reason, if it failed.
    pub const fn reason(self) -> Option<FailReason> {
        match self {
            Self::Failed(reason) => Some(reason),
            Self::Succeeded | Self::Stopped | Self::Skipped => None,
        }
    }
}

impl FailReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::Error,
        Self::Fatal,
        Self::TimedOut,
        Self::ExecutorLost,
        Self::Panicked,
        Self::NoExecutor,
    ];

    /// The reason as text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Fatal => "fatal error",
            Self::TimedOut => "timed out",
            Self::ExecutorLost => "executor lost",
            Self::Panicked => "panicked",
            Self::NoExecutor => "no executor",
        }
    }

    /// Whether a retry may succeed.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Error | Self::TimedOut | Self::ExecutorLost | Self::Panicked => true,
            // Waiting for an executor already was the retry.
            Self::Fatal | Self::NoExecutor => false,
        }
    }
}

/// A text that is not a reason of a failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a reason; there are error, fatal_error, timed_out, executor_lost, panicked and \
     no_executor"
)]
pub struct UnknownReason(pub String);

impl FromStr for FailReason {
    type Err = UnknownReason;

    /// Reads its text, with spaces or with underscores.
    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        let words = text.replace('_', " ");
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == words)
            .ok_or_else(|| UnknownReason(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: [End; 4] =
        [End::Succeeded, End::Failed(FailReason::Error), End::Stopped, End::Skipped];

    #[test]
    fn an_attempt_that_has_ended_never_changes_its_state() {
        let events = [AttemptEvent::Dispatched, AttemptEvent::NotReceived, AttemptEvent::Started];
        let events = events.into_iter().chain(ENDS.map(AttemptEvent::Ended));
        for event in events {
            for state in AttemptState::ALL.into_iter().filter(|state| state.is_final()) {
                assert_eq!(next(state, event), None, "{state:?} moved on {event:?}");
            }
        }
    }

    #[test]
    fn an_open_attempt_can_end_in_every_way() {
        for state in [Planned, Dispatched, Running] {
            for end in ENDS {
                assert_eq!(next(state, AttemptEvent::Ended(end)), Some(end.state()));
            }
        }
    }

    #[test]
    fn an_attempt_that_was_never_received_can_be_sent_again() {
        let sent = next(Planned, AttemptEvent::Dispatched).unwrap();
        assert_eq!(next(sent, AttemptEvent::NotReceived), Some(Planned));
        assert_eq!(next(Running, AttemptEvent::NotReceived), None);
    }
}
