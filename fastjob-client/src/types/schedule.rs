//! When jobs fire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The fires of all jobs in a range.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ScheduleView {
    /// The first instant of the range.
    pub from: Timestamp,
    /// The end of the range, exclusive.
    pub until: Timestamp,
    /// By instant, then by service and name.
    pub items: Vec<FireView>,
    /// Fires at or after this instant were left out, because there are more than the limit; `None`
    /// if all are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub cut_at: Option<Timestamp>,
}

/// A fire of a job.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct FireView {
    /// When the job fires, before its jitter.
    pub at: Timestamp,
    /// The job's name.
    pub job: String,
    /// The job's service.
    pub service: String,
    /// The job's time zone, if its schedule has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub zone: Option<String>,
    /// Whether the job fires again in the range, more often than is listed of each job. A job with a
    /// fixed delay fires again after each end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// Which fires to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleQuery {
    /// Only jobs of this service.
    pub service: Option<String>,
    /// Only jobs with all these labels: `key=value`, or a key with any value.
    pub labels: Vec<String>,
    /// The first instant; now if omitted.
    pub from: Option<Timestamp>,
    /// The end, exclusive; a day after `from` if omitted.
    pub until: Option<Timestamp>,
    /// Fires of each job, 1 to 1000; 10 if omitted.
    pub per_job: Option<u32>,
    /// Fires of all jobs, 1 to 10000; 500 if omitted.
    pub limit: Option<u32>,
}
