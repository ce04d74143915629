//! Versions of a job.

use fastjob_core::{JobDraft, job::FieldChange};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A version of a job, in the list of its versions.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct VersionView {
    /// Counts saves, from 1.
    pub revision: i64,
    /// When it was saved.
    pub saved_at: Timestamp,
    /// Who owned the definition: see [`JobView::origin`](super::JobView::origin).
    pub origin: String,
    /// The job was deleted. Its definition is the one that it had.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// The coordinator cannot read the definition, because another release has saved it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    /// The fields that differ from the version before. Long values are shortened. Empty for the oldest
    /// version that is kept, and if only who owns the definition changed, or what code declares.
    pub changes: Vec<FieldChange>,
}

/// A version of a job with its definition.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct JobVersion {
    /// Counts saves, from 1.
    pub revision: i64,
    /// When it was saved.
    pub saved_at: Timestamp,
    /// Who owned the definition: see [`JobView::origin`](super::JobView::origin).
    pub origin: String,
    /// The job was deleted. Its definition is the one that it had.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// The definition, defaults included.
    pub job: JobDraft,
}

/// The request to save an earlier version of a job again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RestoreRequest {
    /// The revision to save again.
    pub revision: i64,
}
