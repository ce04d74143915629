//! The JSON types of the REST API, which the coordinator serializes and the client reads.
//!
//! A newer coordinator may add fields, which are ignored, and words, which are read as
//! [`Word::Unknown`]. Requests are strict: a coordinator rejects a field that it does not know.
//!
//! The types of answers are `#[non_exhaustive]`. In tests, read one from JSON.

mod alarm;
mod bulk;
mod cluster;
mod handler;
mod job;
mod live;
mod log;
mod problem;
mod schedule;
mod start;
mod stats;
mod task;
mod version;
mod word;

pub use fastjob_core::{AttemptState, Cause, FailReason, JobDraft, TaskState, job::FieldChange};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    alarm::{AlarmView, ChannelView, SilenceRequest, SilenceView, Tested},
    bulk::{Bulk, BulkJob, BulkTask, JobAction, JobsRequest, TaskAction, TasksRequest},
    cluster::{ExecutorState, ExecutorView, NodeView},
    handler::HandlerView,
    job::{Applied, AppliedJob, ApplyRequest, Fires, JobActivity, JobEndView, JobView, Saved},
    live::{
        About, Attention, AttentionKind, Changed, Counts, ExecutorTotals, JobTotals, OpenTasks,
        Overview, ServiceView,
    },
    log::LogView,
    problem::{InvalidField, ProblemDetails, ProblemKind},
    schedule::{FireView, ScheduleQuery, ScheduleView},
    start::{BackfillRequest, Backfilled, RerunRequest, StartRequest, Started},
    stats::{
        DurationStats, JobStats, JobStatsOrder, JobStatsQuery, JobStatsView, StatsBucket,
        StatsQuery, StatsView, TaskStats, UnknownJobStatsOrder,
    },
    task::{AttemptView, ProgressView, StopAnswer, TaskOrder, TaskView, UnknownTaskOrder},
    version::{JobVersion, RestoreRequest, VersionView},
    word::Word,
};

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Page<T> {
    /// At most as many as requested.
    pub items: Vec<T>,
    /// Where the next page begins; `null` on the last one.
    pub next_cursor: Option<String>,
    /// Present if the page ended early, because its filters had to look at too many items that do
    /// not match. Then it has all matching items up to those created at about this instant, in the
    /// order of the list, and the next page continues exactly there. Such a page may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub searched_to: Option<Timestamp>,
    /// The addresses of coordinators of the cluster that did not answer in time, and `partition N` for
    /// each partition on which none acts at the moment. Tasks of these in the states `queued`,
    /// `running` and `stopping` may be missing in a list by state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<String>,
    /// How many items the list has on all pages, if that is known. It may be a few seconds old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

#[cfg(feature = "exhaustive")]
impl<T> Page<T> {
    /// A page that did not end early, of a list that asks no other coordinator.
    pub fn new(items: Vec<T>, next_cursor: Option<String>) -> Self {
        Self { items, next_cursor, searched_to: None, unanswered: Vec::new(), total: None }
    }
}

/// The state of a coordinator's process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Health {
    /// `alive` from `/healthz`, `ready` from `/readyz`.
    pub status: String,
}

#[cfg(test)]
mod tests;
