//! Starts: of one task, and of past fires.

use serde::{Deserialize, Serialize};

/// The request to start a job.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StartRequest {
    /// Replaces the job's param: a text or any JSON.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub param: serde_json::Value,
    /// The executor to run it on, which overrides the job's route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<String>,
    /// When to start, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// How long from now to start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
    /// Idempotency key: repeated starts with the same key give one task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `manual` if a person requested it; `api` if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// A task that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Started {
    /// Its number.
    pub task: i64,
}

/// Which past fires of a job to start now.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BackfillRequest {
    /// From this instant on, RFC 3339.
    pub from: String,
    /// Up to this instant, exclusive, or now if that is earlier or this is omitted; RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Maximum number of tasks, 1 to 1,000; 100 if omitted. The earliest fires are started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// `manual` if a person requested it; `api` if omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// The tasks of past fires.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Backfilled {
    /// Their numbers, the earliest fire first.
    pub tasks: Vec<i64>,
    /// Whether the range has more fires than `max` allowed.
    pub more: bool,
}
