//! Jobs: shown, saved, and when they fire.

use fastjob_core::JobDraft;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
    /// The definition, defaults included.
    #[serde(flatten)]
    pub job: JobDraft,
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
