//! A job: what to run, when, where, how often, and what happens afterwards.
//!
//! A [`Job`] is always valid: it can only be created from a [`JobDraft`], the form in which users
//! and programs write jobs. All problems of a draft are reported at once.

mod check;
mod draft;
mod fires;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

pub use self::draft::{
    AlarmWhenDraft, BlockDraft, ChildDraft, ExcludeDraft, FireAllDraft, JobDraft, MisfireDraft,
    RetryDraft, RouteDraft, ScheduleDraft, ShardDraft, WordOr,
};
use crate::{
    block::Block,
    children::Child,
    id::{ChannelName, HandlerName, JobName, ServiceName},
    misfire::MisfireStrategy,
    path::JobPath,
    retry::RetryPolicy,
    route::RouteStrategy,
    schedule::Timetable,
    shard::ShardStrategy,
};

/// A valid job definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Unique within the service.
    pub name: JobName,
    /// A description for users.
    pub description: String,
    /// The service whose executors may run it.
    pub service: ServiceName,
    /// The handler.
    pub handler: HandlerName,
    /// The param of tasks that are started without one.
    pub param: Option<Arc<str>>,
    /// Whether its schedule fires. A disabled job can still be started manually.
    pub enabled: bool,
    /// Labels for users and for filters.
    pub labels: BTreeMap<String, String>,
    /// When it fires.
    pub timetable: Timetable,
    /// What happens to missed fires.
    pub misfire: MisfireStrategy,
    /// Which executor gets an attempt.
    pub route: RouteStrategy,
    /// How many shards a task has, and where they run.
    pub shard: ShardStrategy,
    /// What happens when an attempt arrives while another one runs.
    pub block: Block,
    /// Timeout of an attempt.
    pub timeout: Option<Duration>,
    /// Time between the stop token and the abort.
    pub grace: Duration,
    /// How failed attempts are retried.
    pub retry: RetryPolicy,
    /// How long to wait for an executor that can accept an attempt.
    pub no_executor: Duration,
    /// Jobs to start when a task has ended.
    pub children: Vec<Child>,
    /// Channels to notify about problems, and when they are resolved.
    pub alarms: Vec<ChannelName>,
    /// Thresholds for slow-run and late-start alarms.
    pub alarm_after: AlarmAfter,
}

impl Job {
    /// The job's path with its service.
    pub fn path(&self) -> JobPath {
        JobPath::of(&self.service, &self.name)
    }
}

/// Thresholds for slow-run and late-start alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmAfter {
    /// Maximum duration of an attempt; no alarm if `None`.
    pub runs: Option<Duration>,
    /// Maximum delay of a task's start.
    pub starts: Duration,
}

impl AlarmAfter {
    /// Minimum threshold.
    pub const LEAST: Duration = Duration::from_secs(1);
}

impl Default for AlarmAfter {
    fn default() -> Self {
        Self { runs: None, starts: Duration::from_secs(60) }
    }
}

/// Maximum bytes of a param.
pub const PARAM_MAX: usize = 256 * 1024;
/// Maximum bytes of a description.
pub const DESCRIPTION_MAX: usize = 4 * 1024;
/// Maximum number of labels of a job.
pub const LABELS_MAX: usize = 64;

/// A problem of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The path of the field, with dots.
    pub field: String,
    /// What is wrong, and which values are valid.
    pub message: String,
}

/// All problems of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidJob {
    /// The job's name, if it had one.
    pub name: Option<String>,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for InvalidJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "job `{name}` is not valid: ")?,
            None => f.write_str("the job is not valid: ")?,
        }
        for (i, problem) in self.problems.iter().enumerate() {
            let comma = if i > 0 { "; " } else { "" };
            write!(f, "{comma}{}: {}", problem.field, problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidJob {}

/// A param as stored: text as it is, other JSON in compact form, `null` as none.
pub fn param_text(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other @ (serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_)) => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
