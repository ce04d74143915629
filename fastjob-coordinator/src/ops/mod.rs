//! The use cases that all edges call, one file per noun.
//!
//! An edge parses its requests into these calls and formats their results; it decides nothing.

mod about;
mod activity;
mod alarms;
mod all_jobs;
mod apply;
mod archive;
mod bulk;
mod credential;
mod declare;
mod drains;
mod executors;
mod family;
mod follow;
mod handlers;
mod handshake;
mod history;
mod idle;
mod job_filters;
mod jobs;
mod listing;
mod live;
mod log;
mod longest;
mod metrics;
mod node_calls;
mod nodes;
mod order;
mod overview;
mod pages;
mod params;
mod peers;
mod preview;
mod pulse;
mod refusal;
mod rerun;
mod schedule;
mod silences;
mod sorted_jobs;
mod start;
mod stats;
mod stats_by_job;
mod tasks;
mod version;

use std::{ops::Deref, sync::Arc};

pub(crate) use fastjob_client::types::{
    AlarmView, Applied, AppliedJob, AttemptView, BackfillRequest, Backfilled, Bulk, BulkJob,
    BulkTask, ChannelView, DurationStats, ExecutorView, FireView, Fires, HandlerView, JobAction,
    JobActivity, JobEndView, JobVersion, JobView, JobsRequest, LogView, NodeView, Page,
    ProgressView, RerunRequest, RestoreRequest, Saved, ScheduleView, SilenceRequest, SilenceView,
    StartRequest, Started, StatsBucket, StatsView, StopAnswer, TaskAction, TaskStats, TaskView,
    TasksRequest, Tested, VersionView,
};
use fastjob_core::job::Problem;
use tokio::sync::Semaphore;

pub(crate) use self::{
    about::Identity,
    activity::{ENDS_MAX, ends},
    alarms::ListAlarms,
    all_jobs::{Labelled, ListJobs},
    archive::{Claim, NotAllowed},
    bulk::{BulkJobs, BulkTasks, Which},
    credential::{Credential, HEADER as NODE_HEADER, NotOfCluster, Question},
    executors::AskExecutors,
    follow::{Feeds, Follower, LogKey},
    handlers::ListHandlers,
    handshake::{Handshakes, NotProven, Use},
    job_filters::AskJobFilters,
    jobs::SaveMode,
    listing::ListTasks,
    log::LogChoice,
    node_calls::{BadCall, CALLS, INTERNAL},
    overview::Overviews,
    pages::PAGE_BYTES,
    peers::{Peers, Transport},
    pulse::{PageEvent, Pulse, Watcher},
    schedule::AskSchedule,
    sorted_jobs::SortedJobs,
    start::FullNames,
    stats::AskStats,
    stats_by_job::{AskJobStats, JobStatsCache},
    version::{IfMatch, tag, tag_of},
};
use crate::{
    alarm::Channels,
    archive::Archive,
    cluster::{ClusterMap, Drains, Engines},
    handlers::Handlers,
    losses::Losses,
    metrics::Metrics,
    sessions::Sessions,
    shell::AskError,
    store::{self, writer::Health},
    traces::Traces,
};

/// Maximum number of items of a page.
pub(crate) const PAGE_MAX: u32 = 500;
/// Default number of items of a page.
pub(crate) const PAGE_DEFAULT: u32 = 50;

/// Parses the size of a page.
///
/// # Errors
///
/// Fails with what is wrong with the text, and what is allowed.
pub(crate) fn page_size(text: &str) -> Result<u32, String> {
    how_many(text, PAGE_MAX)
}

/// Parses a count between 1 and `most`.
///
/// # Errors
///
/// Fails with what is wrong with the text, and what is allowed.
pub(crate) fn how_many(text: &str, most: u32) -> Result<u32, String> {
    match text.parse::<i128>() {
        Ok(number) => match u32::try_from(number) {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(out_of_bounds(number, most)),
        },
        Err(_) => Err(format!("`{text}` is not a whole number between 1 and {most}")),
    }
}

fn out_of_bounds(number: impl std::fmt::Display, most: u32) -> String {
    format!("{number} is not between 1 and {most}")
}

/// All operations of a coordinator. Cheap to clone: each request has a copy.
#[derive(Clone)]
pub(crate) struct Ops(Arc<Parts>);

impl From<Parts> for Ops {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Ops {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What the operations use.
pub(crate) struct Parts {
    pub(crate) engines: Engines,
    pub(crate) map: ClusterMap,
    pub(crate) peers: Peers,
    pub(crate) store: Arc<dyn store::Store>,
    pub(crate) sessions: Sessions,
    pub(crate) channels: Channels,
    pub(crate) drains: Drains,
    pub(crate) losses: Losses,
    pub(crate) traces: Traces,
    pub(crate) handlers: Handlers,
    pub(crate) metrics: Metrics,
    pub(crate) feeds: Feeds,
    pub(crate) identity: Identity,
    pub(crate) overviews: Overviews,
    /// One request at a time reads the statistics of all jobs.
    pub(crate) job_stats: JobStatsCache,
    /// What live pages are sent.
    pub(crate) pulse: Pulse,
    /// Where whole logs are kept, if they are.
    pub(crate) archive: Option<Archive>,
    /// One request at a time saves many jobs.
    pub(crate) applying: Semaphore,
    /// One request at a time acts on many jobs or tasks.
    pub(crate) bulk: Semaphore,
    /// One request at a time reads all jobs.
    pub(crate) scanning: Semaphore,
    pub(crate) labelled: Labelled,
    pub(crate) full_names: FullNames,
    pub(crate) sorted: SortedJobs,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What the call refers to does not exist.
    #[error("{0}")]
    NotFound(String),
    /// A bare name matches jobs of several services.
    #[error("several services have a job named {name}: use {}", choices.join(" or "))]
    Ambiguous { name: String, choices: Vec<String> },
    /// It conflicts with the current state.
    #[error("{0}")]
    Conflict(String),
    /// The job is not at a version that the caller accepts; nothing was done.
    #[error("{message}")]
    Stale {
        message: String,
        /// The id and the revision of the job; `None` if there is no such job.
        current: Option<(i64, i64)>,
    },
    /// The request is invalid; nothing was done.
    #[error("{message}")]
    Invalid { message: String, problems: Vec<Problem> },
    /// A quota is reached; nothing was done.
    #[error("{0}")]
    OverQuota(String),
    /// Temporarily unavailable; either nothing was done, or the result is unknown.
    #[error("{0}")]
    Unavailable(String),
    /// Another node now acts on it; nothing was done.
    #[error("another node now acts on it")]
    Moved,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] store::Error),
}

impl From<AskError> for Error {
    fn from(err: AskError) -> Self {
        match err {
            AskError::Moved => Self::Moved,
            AskError::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

impl Error {
    pub(crate) fn invalid(field: &str, message: impl std::fmt::Display) -> Self {
        let problem = Problem { field: field.to_owned(), message: message.to_string() };
        Self::Invalid { message: format!("{field}: {message}"), problems: vec![problem] }
    }
}

impl Ops {
    /// Fails with the reason if the coordinator cannot do its work.
    pub(crate) fn ready(&self) -> Result<(), Error> {
        if let Health::Failing { why } = &*self.engines.health().borrow() {
            return Err(Error::Unavailable(format!("the store cannot be written: {why}")));
        }
        if !self.engines.may_act() {
            return Err(Error::Unavailable("this node could not renew its lease".to_owned()));
        }
        if let Some((partition, why)) = self.map.unloaded() {
            return Err(Error::Unavailable(format!(
                "no node acts on partition {}, and this node cannot load it: {why}",
                partition.0
            )));
        }
        if let Some(until) = self.engines.paused_until() {
            return Err(Error::Unavailable(format!(
                "this machine's clock was set back: schedules are paused until it shows {until} \
                 again"
            )));
        }
        Ok(())
    }
}
