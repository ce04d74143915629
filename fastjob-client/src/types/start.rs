//! Starts: of one task, of one that runs again, and of past fires.

use fastjob_core::{TaskState, Trace};
use serde::{Deserialize, Serialize};

use super::Word;

/// The request to start a job.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// Idempotency key: repeated starts of the job with the same key give one task, as long as that
    /// task is retained. A start with the key of a task that has another param is rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `manual` if a person requested it; `api` if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The trace that the start is part of. It is sent as the headers `traceparent` and `tracestate`,
    /// and is no part of the JSON.
    #[serde(skip)]
    pub trace: Option<Trace>,
}

/// The request to run a task again that has ended.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RerunRequest {
    /// Replaces the old task's param: a text or any JSON.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub param: serde_json::Value,
    /// Which shards run again, with their places in the whole: `failed` for those that did not
    /// succeed, numbers separated by commas, or `all`, which is the default. A task without several
    /// shards runs as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<String>,
    /// The executor to run it on, which overrides the job's route. Not with some of the shards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<String>,
    /// Reruns the task although it was rerun before. If `false`, a repeated request starts nothing
    /// twice, as long as the rerun is retained.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// A key of the caller, as in [`StartRequest::key`]: a task has one rerun for each key. Not with
    /// `again`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `manual` if a person requested it; `api` if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The trace that the start is part of. It is sent as the headers `traceparent` and `tracestate`,
    /// and is no part of the JSON.
    #[serde(skip)]
    pub trace: Option<Trace>,
}

/// A task that was started.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Started {
    /// Its number.
    pub task: i64,
    /// Whether this start created it; `false` if an earlier start with the same key did.
    #[serde(default = "yes")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub created: bool,
    /// The state of a task that an earlier start created, unless it has just ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = TaskState, nullable = false))]
    pub state: Option<Word<TaskState>>,
}

fn yes() -> bool {
    true
}

/// Which past fires of a job to start now.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BackfillRequest {
    /// From this instant on, RFC 3339.
    pub from: String,
    /// Up to this instant, exclusive, or now if that is earlier or this is omitted; RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Maximum number of fires, 1 to 1,000; 100 if omitted. The earliest fires are started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Also starts fires that were backfilled before. If `false`, repeating a request starts nothing
    /// twice, as long as the tasks are retained.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// A key of the caller, as for a start: each fire is started once for each key, also if it
    /// was backfilled before. Not with `again`: another key is another backfill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The tasks of past fires.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Backfilled {
    /// The numbers of the tasks that were started, the earliest fire first.
    pub tasks: Vec<i64>,
    /// The numbers of the tasks of fires that were backfilled before, the earliest fire first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub existing: Vec<i64>,
    /// Whether the range has more fires than `max` allowed.
    pub more: bool,
}
