//! Statistics of tasks that ended.

use std::{fmt, str::FromStr, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which statistics to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsQuery {
    /// Only tasks of this job, as name or `service.name`.
    pub job: Option<String>,
    /// Only tasks of this service; alternative to `job`.
    pub service: Option<String>,
    /// The first instant; a day before `until` if omitted.
    pub since: Option<Timestamp>,
    /// The instant before which the tasks ended; now if omitted.
    pub until: Option<Timestamp>,
    /// The length of a bucket, in whole minutes, and above an hour in whole hours. If omitted, the
    /// coordinator chooses one that makes about 100 buckets.
    pub bucket: Option<Duration>,
}

/// How many tasks ended, and how long they took.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct StatsView {
    /// The beginning of the first bucket: the requested instant, rounded down.
    pub since: Timestamp,
    /// The end of the last bucket: the requested instant, rounded up.
    pub until: Timestamp,
    /// The length of a bucket.
    pub bucket: String,
    /// All buckets from `since` to `until`, oldest first. Those in which no task ended have zeros.
    pub items: Vec<StatsBucket>,
    /// All of them together.
    pub total: TaskStats,
}

/// The tasks that ended within a bucket.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct StatsBucket {
    /// Its beginning.
    pub at: Timestamp,
    /// The statistics of its tasks.
    #[serde(flatten)]
    pub tasks: TaskStats,
}

/// Statistics of tasks that ended.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct TaskStats {
    /// How many succeeded.
    pub succeeded: u64,
    /// How many failed.
    pub failed: u64,
    /// How many were stopped.
    pub stopped: u64,
    /// How many were skipped.
    pub skipped: u64,
    /// From the start to the end of the attempt with which a task ended; `null` if none started.
    pub run_time: Option<DurationStats>,
    /// From the instant when that attempt was due to its start; `null` if none started.
    pub wait: Option<DurationStats>,
    /// From the fire of the schedule to the start, of tasks that were not retried; `null` if there is
    /// no such task.
    pub lateness: Option<DurationStats>,
}

/// Statistics of durations, in milliseconds.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct DurationStats {
    /// How many were measured.
    pub count: u64,
    /// The mean.
    pub mean_ms: f64,
    /// Half of them were not longer. This and the other percentiles are at most an eighth too high.
    pub p50_ms: u64,
    /// 95 % of them were not longer.
    pub p95_ms: u64,
    /// 99 % of them were not longer.
    pub p99_ms: u64,
    /// The longest one.
    pub max_ms: u64,
}

impl TaskStats {
    /// How many ended, in any state.
    pub fn ended(&self) -> u64 {
        [self.failed, self.stopped, self.skipped]
            .into_iter()
            .fold(self.succeeded, u64::saturating_add)
    }
}

/// Which jobs come first in a list of their statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub enum JobStatsOrder {
    /// Those with most failed tasks. Jobs without any are left out.
    #[default]
    Failed,
    /// Those whose tasks run longest, by the 95th percentile. Jobs that did not run are left out.
    RunTime,
    /// Those with most tasks.
    Tasks,
}

impl JobStatsOrder {
    /// Every order.
    pub const ALL: [Self; 3] = [Self::Failed, Self::RunTime, Self::Tasks];

    /// Its name, as in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::RunTime => "run_time",
            Self::Tasks => "tasks",
        }
    }
}

impl fmt::Display for JobStatsOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is not an order of the statistics of jobs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an order; there are failed, run_time and tasks")]
pub struct UnknownJobStatsOrder(pub String);

impl FromStr for JobStatsOrder {
    type Err = UnknownJobStatsOrder;

    fn from_str(text: &str) -> Result<Self, UnknownJobStatsOrder> {
        Self::ALL
            .into_iter()
            .find(|order| order.as_str() == text)
            .ok_or_else(|| UnknownJobStatsOrder(text.to_owned()))
    }
}

/// Which statistics of jobs to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobStatsQuery {
    /// Only jobs of this service.
    pub service: Option<String>,
    /// The first instant; a day before `until` if omitted.
    pub since: Option<Timestamp>,
    /// The instant before which the tasks ended; now if omitted.
    pub until: Option<Timestamp>,
    /// Which jobs come first.
    pub order: JobStatsOrder,
    /// How many jobs, up to 100; 10 if omitted.
    pub limit: Option<u32>,
}

/// The jobs that stand out within a range of time.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct JobStatsView {
    /// The beginning of the range: the requested instant, rounded down, or a later one if more tasks
    /// ended in the range than one answer reads.
    pub since: Timestamp,
    /// The end of the range: the requested instant, rounded up.
    pub until: Timestamp,
    /// The jobs, in the order that was requested.
    pub items: Vec<JobStats>,
}

/// The tasks of a job that ended within a range of time.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct JobStats {
    /// The name of the job.
    pub job: String,
    /// Its service.
    pub service: String,
    /// The statistics of its tasks.
    #[serde(flatten)]
    pub tasks: TaskStats,
}
