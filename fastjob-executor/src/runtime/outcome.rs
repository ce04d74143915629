//! An attempt's outcome: how it ended, and why.

use std::sync::Arc;

use fastjob_core::{FailReason, attempt::End};
use jiff::Timestamp;

use super::name::Name;
use crate::clock;

/// Maximum bytes of a message.
const MESSAGE_MAX: usize = 16 * 1024;

/// The end of an exclusive attempt whose coordinator cannot be heard. It counts as lost, because the
/// coordinator is about to abandon this executor.
pub(super) const CUT_OFF: End = End::Failed(FailReason::ExecutorLost);

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) name: Name,
    pub(crate) end: End,
    /// What the handler returned.
    pub(crate) result: Option<String>,
    /// Why it did not succeed.
    pub(crate) message: String,
    /// `None` if its handler was never entered.
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Timestamp,
    /// The last lines of its log.
    pub(crate) log_tail: String,
    /// Where they begin in the log, in bytes.
    pub(crate) log_at: u64,
    /// The last checkpoint that is known, as JSON, if it did not succeed.
    pub(crate) checkpoint: Option<Arc<str>>,
}

impl Outcome {
    /// The outcome of an attempt whose handler was never entered, and which ends now.
    pub(super) fn unentered(name: Name, end: End, message: &str) -> Self {
        Self {
            name,
            end,
            result: None,
            message: cut(message.to_owned()),
            started_at: None,
            ended_at: clock::now(),
            log_tail: String::new(),
            log_at: 0,
            checkpoint: None,
        }
    }

    /// Bytes of its texts, in memory and encoded. The rest of its encoding has less than a hundred
    /// bytes, so a batch that is limited in texts and in number is also limited when it is encoded.
    pub(super) fn bytes(&self) -> usize {
        self.log_tail.len()
            + self.message.len()
            + self.result.as_ref().map_or(0, String::len)
            + self.checkpoint.as_ref().map_or(0, |json| json.len())
    }
}

/// Cuts a message to the length that a coordinator accepts.
pub(super) fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_MAX - 4));
        message.push('…');
    }
    message
}

#[cfg(test)]
impl Outcome {
    /// A success without texts.
    pub(crate) fn for_test(name: Name) -> Self {
        Self::unentered(name, End::Succeeded, "")
    }
}
