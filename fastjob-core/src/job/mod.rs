//! A job: what to run, when, where, how often, and what then.
//!
//! A [`Job`] is valid by construction: the one way in is a [`JobDraft`], the shape in which people
//! and programs write jobs, and every mistake in a draft is named at once.

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
    /// For people.
    pub description: String,
    /// The executors that may run it.
    pub service: ServiceName,
    /// The code.
    pub handler: HandlerName,
    /// What every task gets that is started without a param of its own.
    pub param: Option<Arc<str>>,
    /// Whether its schedule fires. A disabled job can still be started by hand.
    pub enabled: bool,
    /// For people and filters.
    pub labels: BTreeMap<String, String>,
    /// When it fires.
    pub timetable: Timetable,
    /// About fires that were missed.
    pub misfire: MisfireStrategy,
    /// Which executor gets an attempt.
    pub route: RouteStrategy,
    /// Over how many executors a task is spread.
    pub shard: ShardStrategy,
    /// About an attempt while another runs.
    pub block: Block,
    /// Longest run of an attempt.
    pub timeout: Option<Duration>,
    /// Between the stop token and the abort.
    pub grace: Duration,
    /// About attempts that fail.
    pub retry: RetryPolicy,
    /// How long to wait for an executor that can take an attempt.
    pub no_executor: Duration,
    /// Jobs to start when a task has ended.
    pub children: Vec<Child>,
    /// Channels to tell when something is wrong, and when it is well again.
    pub alarms: Vec<ChannelName>,
    /// When running and waiting is something wrong.
    pub alarm_after: AlarmAfter,
}

/// How long things may take before alarms are raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmAfter {
    /// An attempt that runs longer; never if none.
    pub runs: Option<Duration>,
    /// A task that has not started so long after it was due.
    pub starts: Duration,
}

impl AlarmAfter {
    /// Shortest time that may be set.
    pub const LEAST: Duration = Duration::from_secs(1);
}

impl Default for AlarmAfter {
    fn default() -> Self {
        Self { runs: None, starts: Duration::from_secs(60) }
    }
}

/// Most bytes of a param.
pub const PARAM_MAX: usize = 256 * 1024;
/// Most bytes of a description.
pub const DESCRIPTION_MAX: usize = 4 * 1024;
/// Most labels of a job.
pub const LABELS_MAX: usize = 64;

/// One thing that is wrong with a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, dotted.
    pub field: String,
    /// What is wrong with it, and what would do.
    pub message: String,
}

/// Everything that is wrong with a draft.
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

/// A param as stored: a text as it is, any other JSON as compact JSON, `null` as none.
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
