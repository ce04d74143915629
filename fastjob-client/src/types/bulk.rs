//! Actions on many jobs or tasks.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is done to each of many jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobAction {
    /// Their schedules are enabled.
    Enable,
    /// Their schedules are disabled.
    Disable,
    /// A task of each is started.
    Start,
    /// They are deleted.
    Delete,
    /// Their definitions are given back to the code that declares them.
    Release,
}

/// What is done to each of many tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TaskAction {
    /// They are stopped.
    Stop,
    /// They run again, as new tasks.
    Rerun,
}

/// An action on many jobs: either those that are named, or those that match a filter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct JobsRequest {
    /// What to do.
    pub action: JobAction,
    /// The jobs, at most 1,000, each as name or `service.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 1000))]
    pub jobs: Option<Vec<String>>,
    /// The parameters of the list of jobs, by name; a list of values for several. An empty filter
    /// matches all jobs. At most 10,000 may match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<std::collections::BTreeMap<String, Value>>))]
    pub filter: Option<Map<String, Value>>,
    /// Replaces the param of each job: a text or any JSON. Only to start.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub param: Value,
    /// The idempotency key of each start, as in [`StartRequest::key`](super::StartRequest::key): each
    /// job has its own keys. Only to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `manual` if a person requested it; `api` if omitted. Only to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Only says which jobs would be changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Nothing is done if another number of jobs matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<u64>,
}

/// An action on many tasks: either those that are named, or those that match a filter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TasksRequest {
    /// What to do.
    pub action: TaskAction,
    /// The numbers of the tasks, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 1000))]
    pub tasks: Option<Vec<i64>>,
    /// The parameters of the list of tasks, by name; a list of values for several. At most 10,000 may
    /// match. Without `state`, tasks that are queued or running are stopped; tasks that run again need
    /// states in which they have ended. Tasks that are reruns themselves do not match to be rerun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<std::collections::BTreeMap<String, Value>>))]
    pub filter: Option<Map<String, Value>>,
    /// Why, for the note of each task. Only to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `manual` if a person requested it; `api` if omitted. Only to rerun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Only says which tasks would be changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Nothing is done if another number of tasks matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<u64>,
}

/// What an action on many jobs or tasks did. Each of them is changed by itself: that one fails does
/// not affect the others.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Bulk<T> {
    /// How many there are.
    pub matched: u64,
    /// How many were changed, or were like that already.
    pub done: u64,
    /// How many failed, those included that do not exist.
    pub failed: u64,
    /// How many were not tried before the deadline of the call. Repeat it for these.
    pub not_done: u64,
    /// The first 1,000, those with an error first.
    pub items: Vec<T>,
    /// Nothing was changed.
    pub dry_run: bool,
    /// The addresses of coordinators that did not answer in time: tasks in the states `queued`,
    /// `running` and `stopping` may be missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<String>,
}

/// What an action did to a job.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct BulkJob {
    /// The job, as `service.name`, or as the request names it if it does not exist.
    pub job: String,
    /// The task that was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub task: Option<i64>,
    /// Why it was not changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub error: Option<String>,
}

/// What an action did to a task.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct BulkTask {
    /// The task.
    pub task: i64,
    /// The task that runs it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub new_task: Option<i64>,
    /// Why it was not changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub error: Option<String>,
}

impl JobsRequest {
    fn new(
        action: JobAction,
        jobs: Option<Vec<String>>,
        filter: Option<Map<String, Value>>,
    ) -> Self {
        let (param, key, cause) = (Value::Null, None, None);
        Self { action, jobs, filter, param, key, cause, dry_run: false, expect: None }
    }

    /// An action on the jobs of these names.
    pub fn named(action: JobAction, jobs: Vec<String>) -> Self {
        Self::new(action, Some(jobs), None)
    }

    /// An action on the jobs that match a filter, such as that of a list.
    pub fn matching(action: JobAction, filter: Map<String, Value>) -> Self {
        Self::new(action, None, Some(filter))
    }
}

impl TasksRequest {
    fn new(
        action: TaskAction,
        tasks: Option<Vec<i64>>,
        filter: Option<Map<String, Value>>,
    ) -> Self {
        let (reason, cause) = (None, None);
        Self { action, tasks, filter, reason, cause, dry_run: false, expect: None }
    }

    /// An action on the tasks with these numbers.
    pub fn named(action: TaskAction, tasks: Vec<i64>) -> Self {
        Self::new(action, Some(tasks), None)
    }

    /// An action on the tasks that match a filter, such as that of a list.
    pub fn matching(action: TaskAction, filter: Map<String, Value>) -> Self {
        Self::new(action, None, Some(filter))
    }
}

impl fmt::Display for JobAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Start => "start",
            Self::Delete => "delete",
            Self::Release => "release",
        })
    }
}

impl fmt::Display for TaskAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop",
            Self::Rerun => "rerun",
        })
    }
}
