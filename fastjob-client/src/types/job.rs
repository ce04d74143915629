//! Jobs: shown, saved, and when they fire.

use fastjob_core::{JobDraft, TaskState, job::FieldChange};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Word;

/// A job with its metadata.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct JobView {
    /// Its number.
    pub id: i64,
    /// Counts saves, from 1.
    pub revision: i64,
    /// `code` while it follows the definition in its handler's code, `api` if a person or a program
    /// has defined or edited it.
    pub origin: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last saved.
    pub updated_at: Timestamp,
    /// When its schedule fires next, if it does.
    pub next_fire_at: Option<Timestamp>,
    /// What it does at the moment, and how its last tasks ended, if the call asked for it with
    /// `ends`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub activity: Option<JobActivity>,
    /// Which settings people have set, whatever the code declares: `enabled` and `alarms`. Only if the
    /// origin is `code`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<String>,
    /// What code declares, if that differs from the definition in effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub declared: Option<Box<JobDraft>>,
    /// The definition, defaults included.
    #[serde(flatten)]
    pub job: JobDraft,
}

impl JobView {
    /// Its version, as the header `ETag` has it: every change of the job has another one.
    pub fn etag(&self) -> String {
        format!("\"{}-{}\"", self.id, self.revision)
    }
}

/// What a job does at the moment, and how its last tasks ended.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct JobActivity {
    /// How many tasks wait; `null` if no coordinator that acts on the job answers.
    pub queued: Option<u64>,
    /// How many tasks run or are stopping; `null` if no coordinator that acts on the job answers.
    pub running: Option<u64>,
    /// The newest tasks that have ended, newest first: at most as many as the call asked for.
    pub ends: Vec<JobEndView>,
}

/// How a task of a job ended.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct JobEndView {
    /// The task.
    pub task: i64,
    /// Its final state.
    #[cfg_attr(feature = "openapi", schema(value_type = TaskState))]
    pub state: Word<TaskState>,
    /// When its handler first started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// What saving a job did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub enum Saved {
    /// It is new.
    Created,
    /// It was changed.
    Updated,
    /// It was the same already.
    Unchanged,
}

/// Jobs to save together: all of them, or none.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ApplyRequest {
    /// The jobs, each once, as the fields of a [`JobDraft`] and `origin`. Of an existing job, fields
    /// that are omitted keep their values, and `null` resets a field to its default.
    pub jobs: Vec<Map<String, Value>>,
    /// Fields that are omitted get their defaults, in existing jobs too.
    pub replace: bool,
    /// Only says what would change.
    pub dry_run: bool,
}

/// What saving several jobs did, or would do.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Applied {
    /// The jobs in the order of the request.
    pub items: Vec<AppliedJob>,
}

/// What saving a job did, or would do.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct AppliedJob {
    /// The job, as `service.name`.
    pub job: String,
    /// What was done.
    #[cfg_attr(feature = "openapi", schema(value_type = Saved))]
    pub saved: Word<Saved>,
    /// The fields of an existing job that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// Who owns the definition afterwards: see [`JobView::origin`].
    pub origin: String,
    /// The code owned the definition before, and no longer does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_code: bool,
    /// The fields that differ from what the code declares, and have no effect, because the request
    /// says that the job follows its code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<FieldChange>,
}

/// The next fires of a schedule.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Fires {
    /// In order.
    pub fires: Vec<Timestamp>,
}

impl Saved {
    /// The word, as in JSON and in the header `fastjob-saved`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }
}
