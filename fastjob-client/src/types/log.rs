//! Pieces of logs.

use serde::{Deserialize, Serialize};

use super::task::one;

/// A piece of a log.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct LogView {
    /// The attempt that wrote it.
    pub attempt: i64,
    /// Its number within its shard, from 1.
    #[serde(default = "one")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub number: u32,
    /// Which part of the task it is, from 0.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub shard: u32,
    /// How many parts the task has; 0 while unknown.
    #[serde(default = "one")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub shards: u32,
    /// Where the piece begins, in bytes.
    pub offset: u64,
    /// Where the next piece begins.
    pub next_offset: u64,
    /// The text of the piece.
    pub text: String,
    /// Whether the log is complete: its attempt has ended, and there is no more text. A handler that
    /// still runs after its attempt has ended, because it ignores its timeout, may log more later.
    pub ended: bool,
    /// `executor` if the log was read from the executor, `archive` if from what the coordinator
    /// keeps of it, `tail` if only the tail in the outcome is left.
    pub source: String,
    /// What is missing of the log, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub note: Option<String>,
}
