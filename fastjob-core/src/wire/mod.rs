//! The protocol between executor and coordinator, and its conversion to this crate's types.
//!
//! [`v1`] is generated from `proto/fastjob/v1` and committed; a test checks that it is current.
//! Unknown values are rejected, because the peer speaks another protocol.

mod hex;
mod mac;
mod proof;
mod start;

pub use self::{
    hex::{hex, unhex},
    mac::{is_mac, mac},
    proof::{ExecutorKey, ExecutorProof, NONCE_BYTES},
    start::{AttemptToSend, Encoded, Start},
};

use jiff::Timestamp;

use crate::{
    attempt::{End, FailReason},
    block::BlockStrategy,
    task::Cause,
};

/// The generated messages and service.
#[expect(
    missing_docs,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code; the .proto files have the documentation"
)]
pub mod v1 {
    include!("generated/fastjob.v1.rs");
}

/// The version of the protocol that this crate speaks.
pub const PROTOCOL: u32 = 1;

/// Maximum size of a message, in bytes.
pub const MESSAGE_MAX: usize = 16 * 1024 * 1024;

/// Maximum number of attempts or outcomes in one message.
pub const BATCH_MAX: usize = 4_096;

/// Approximate number of bytes of params, results and log tails that a sender puts into one
/// message.
pub const BATCH_BYTES: usize = 2 * 1024 * 1024;

/// Maximum bytes of the log tail that an outcome includes.
pub const LOG_TAIL_MAX: usize = 8 * 1024;

/// Maximum bytes of text in one piece of a log that a coordinator keeps.
pub const LOG_PIECE_MAX: usize = 1024 * 1024;

/// Maximum bytes of a compressed piece: text that does not compress becomes slightly longer.
pub const LOG_GZIP_MAX: usize = LOG_PIECE_MAX + 16 * 1024;

/// Maximum bytes of the JSON schema of one handler's param.
pub const SCHEMA_MAX: usize = 64 * 1024;

/// Maximum bytes of all schemas of one executor.
pub const SCHEMAS_MAX: usize = 1024 * 1024;

/// A message with a value that this protocol does not define.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer sent {what} {value}, which protocol {PROTOCOL} does not define")]
pub struct UnknownValue {
    what: &'static str,
    value: i64,
}

/// An instant in whole milliseconds since the Unix epoch.
///
/// # Errors
///
/// Fails with [`UnknownValue`] if the instant is out of range.
pub fn instant(millis: i64) -> Result<Timestamp, UnknownValue> {
    Timestamp::from_millisecond(millis)
        .map_err(|_| UnknownValue { what: "the instant", value: millis })
}

impl From<Cause> for v1::Cause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Schedule => Self::Schedule,
            Cause::Misfire => Self::Misfire,
            Cause::Manual => Self::Manual,
            Cause::Api => Self::Api,
            Cause::Parent => Self::Parent,
            Cause::Backfill => Self::Backfill,
        }
    }
}

impl TryFrom<v1::Cause> for Cause {
    type Error = UnknownValue;

    fn try_from(cause: v1::Cause) -> Result<Self, UnknownValue> {
        Ok(match cause {
            v1::Cause::Schedule => Self::Schedule,
            v1::Cause::Misfire => Self::Misfire,
            v1::Cause::Manual => Self::Manual,
            v1::Cause::Api => Self::Api,
            v1::Cause::Parent => Self::Parent,
            v1::Cause::Backfill => Self::Backfill,
            v1::Cause::Unspecified => return Err(UnknownValue { what: "the cause", value: 0 }),
        })
    }
}

impl From<BlockStrategy> for v1::Block {
    fn from(strategy: BlockStrategy) -> Self {
        match strategy {
            BlockStrategy::Serial => Self::Serial,
            BlockStrategy::SkipNew => Self::SkipNew,
            BlockStrategy::ReplaceRunning => Self::ReplaceRunning,
            BlockStrategy::Parallel => Self::Parallel,
        }
    }
}

impl TryFrom<v1::End> for End {
    type Error = UnknownValue;

    fn try_from(end: v1::End) -> Result<Self, UnknownValue> {
        Ok(match end {
            v1::End::Succeeded => Self::Succeeded,
            v1::End::Stopped => Self::Stopped,
            v1::End::Skipped => Self::Skipped,
            v1::End::Failed => Self::Failed(FailReason::Error),
            v1::End::FailedFatal => Self::Failed(FailReason::Fatal),
            v1::End::TimedOut => Self::Failed(FailReason::TimedOut),
            v1::End::Panicked => Self::Failed(FailReason::Panicked),
            // The executor stopped it because it was about to be considered lost.
            v1::End::CutOff => Self::Failed(FailReason::ExecutorLost),
            v1::End::Unspecified => return Err(UnknownValue { what: "the end", value: 0 }),
        })
    }
}
