//! Jobs: shown, saved, and when they fire.

use fastjob_core::{JobDraft, TaskState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Word;

/// A job with its metadata.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct JobView {
    /// Its number.
    pub id: i64,
    /// Counts saves, from 1.
    pub revision: i64,
    /// `code` while it follows the definition in its handler's code, `api` once it was saved by a
    /// caller.
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
    pub activity: Option<JobActivity>,
    /// The definition, defaults included.
    #[serde(flatten)]
    pub job: JobDraft,
}

/// What a job does at the moment, and how its last tasks ended.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
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
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct JobEndView {
    /// The task.
    pub task: i64,
    /// Its final state.
    pub state: Word<TaskState>,
    /// When its handler first started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// What saving a job did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
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

/// The next fires of a schedule.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
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
