//! Words of the API that a newer coordinator may extend.

use std::fmt;

use fastjob_core::{AttemptState, Cause, FailReason, TaskState};
use serde::{Deserialize, Serialize};

use super::{AttentionKind, ExecutorState, Saved};

/// A word of the API, such as the state of a task: one that this release knows, or the text of one
/// that a newer coordinator has added. So a new word does not make the whole answer unreadable.
///
/// ```
/// use fastjob_client::types::{TaskState, Word};
///
/// let state: Word<TaskState> = serde_json::from_str("\"running\"")?;
/// assert_eq!(state, TaskState::Running);
/// let newer: Word<TaskState> = serde_json::from_str("\"hibernating\"")?;
/// assert_eq!((newer.known(), newer.as_str()), (None, "hibernating"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Word<T> {
    /// A word of this release.
    Known(T),
    /// A word of a newer release.
    Unknown(String),
}

impl<T: Copy> Word<T> {
    /// The word, if this release knows it.
    pub fn known(&self) -> Option<T> {
        match self {
            Self::Known(word) => Some(*word),
            Self::Unknown(_) => None,
        }
    }
}

impl<T> From<T> for Word<T> {
    fn from(word: T) -> Self {
        Self::Known(word)
    }
}

impl<T: PartialEq> PartialEq<T> for Word<T> {
    fn eq(&self, other: &T) -> bool {
        matches!(self, Self::Known(word) if word == other)
    }
}

macro_rules! words {
    ($($word:ty),*) => {$(
        impl Word<$word> {
            /// The text of the word, as in JSON.
            pub fn as_str(&self) -> &str {
                match self {
                    Self::Known(word) => word.as_str(),
                    Self::Unknown(text) => text,
                }
            }
        }

        impl fmt::Display for Word<$word> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    )*};
}

words!(TaskState, AttemptState, Cause, FailReason, Saved, ExecutorState, AttentionKind);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_every_known_word_is_its_json() {
        fn check<T: Serialize>(word: &Word<T>, text: &str) {
            assert_eq!(serde_json::to_value(word).unwrap(), text);
        }
        for state in TaskState::ALL {
            check(&Word::from(state), state.as_str());
        }
        for state in [AttemptState::Planned, AttemptState::Failed, AttemptState::Skipped] {
            check(&Word::from(state), state.as_str());
        }
        for cause in Cause::ALL {
            check(&Word::from(cause), cause.as_str());
        }
        for reason in [FailReason::Error, FailReason::TimedOut, FailReason::NoExecutor] {
            check(&Word::from(reason), reason.as_str());
        }
        for state in ExecutorState::ALL {
            check(&Word::from(state), state.as_str());
        }
        for kind in AttentionKind::ALL {
            check(&Word::from(kind), kind.as_str());
        }
        for saved in [Saved::Created, Saved::Updated, Saved::Unchanged] {
            check(&Word::from(saved), saved.as_str());
        }
    }
}
