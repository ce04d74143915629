//! A job: what to run, when, where, how often, and what happens afterwards.
//!
//! A [`Job`] is always valid: it can only be created from a [`JobDraft`], the form in which users
//! and programs write jobs. All problems of a draft are reported at once.

mod check;
mod definitions;
mod differences;
mod draft;
mod fires;
mod merge;
#[cfg(feature = "openapi")]
mod schemas;
mod settings;

use std::{fmt, sync::Arc, time::Duration};

pub use self::{
    definitions::{Definitions, InvalidDefinition},
    differences::{FieldChange, differences},
    draft::{
        AlarmWhenDraft, BlockDraft, ChildDraft, ExcludeDraft, FireAllDraft, JobDraft, MisfireDraft,
        RetryDraft, RouteDraft, ScheduleDraft, ShardDraft, WordOr,
    },
    merge::merged,
    settings::{About, Settings},
};
use crate::{id::JobName, path::JobPath};

/// A valid job definition.
///
/// A coordinator keeps a million of them, of which most differ in few fields. These are here; all
/// others are [`Settings`], which several jobs share. A job dereferences to its settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Unique within the service.
    pub name: JobName,
    /// The param of tasks that are started without one.
    pub param: Option<Arc<str>>,
    /// Whether its schedule fires. A disabled job can still be started manually.
    pub enabled: bool,
    /// What is only for users, which several jobs can share; `None` if there is nothing.
    pub about: Option<Arc<About>>,
    /// All other settings.
    pub settings: Arc<Settings>,
}

impl Job {
    /// The job's path with its service.
    pub fn path(&self) -> JobPath {
        JobPath::of(&self.service, &self.name)
    }

    /// A description for users.
    pub fn description(&self) -> &str {
        self.about.as_ref().map_or("", |about| about.description())
    }

    /// Labels for users and for filters, in the order of their keys.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.about.iter().flat_map(|about| about.labels())
    }

    /// The job with the alarm channels and thresholds of another one.
    #[must_use]
    pub fn with_alarms_of(&self, other: &Self) -> Self {
        let mut job = self.clone();
        if !job.has_alarms_of(other) {
            let settings = Arc::make_mut(&mut job.settings);
            settings.alarms.clone_from(&other.alarms);
            settings.alarm_after = other.alarm_after;
        }
        job
    }

    /// Whether the alarm channels and thresholds are those of another job.
    pub fn has_alarms_of(&self, other: &Self) -> bool {
        self.alarms == other.alarms && self.alarm_after == other.alarm_after
    }

    /// Whether two jobs differ at most in what people may override without editing a definition:
    /// whether the job is enabled, and its alarms.
    pub fn is_same_definition(&self, other: &Self) -> bool {
        *self == Self { enabled: self.enabled, ..other.with_alarms_of(self) }
    }
}

/// Thresholds for slow-run and late-start alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
/// What `alarms` has instead of channels if the job has none, although its service has default
/// channels.
pub const NO_ALARMS: &str = "none";
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
