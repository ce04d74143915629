//! What a coordinator does at the moment: the overview, the events of a page, and its services.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Word;

/// What the tasks, jobs and executors do at the moment, and what needs attention.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Overview {
    /// When it was computed. It may be two seconds old.
    pub at: Timestamp,
    /// The open tasks.
    pub tasks: OpenTasks,
    /// The jobs.
    pub jobs: JobTotals,
    /// The executors.
    pub executors: ExecutorTotals,
    /// What needs attention, the worst first; at most 50.
    pub attention: Vec<Attention>,
    /// Whether there is more of it.
    pub attention_more: bool,
    /// The addresses of coordinators of the cluster that did not answer in time. Their tasks and jobs
    /// are not counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<String>,
}

/// How many tasks are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct OpenTasks {
    /// Tasks that wait; `null` if it is not known.
    pub queued: Option<u64>,
    /// Tasks that run, or that are stopping; `null` if it is not known.
    pub running: Option<u64>,
}

/// How many jobs there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct JobTotals {
    /// All of them.
    pub total: u64,
    /// Those that are enabled.
    pub enabled: u64,
    /// Enabled jobs whose newest ended task failed, as far as they are among the last 2,000 failures
    /// of a day.
    pub failing: u64,
}

/// How many executors there are, and what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ExecutorTotals {
    /// Those that are connected and get work.
    pub connected: u64,
    /// Those whose process is about to exit.
    pub draining: u64,
    /// Those that a user drains.
    pub drained: u64,
    /// Those without a session, which may reconnect.
    pub disconnected: u64,
    /// Those that did not reconnect in time.
    pub lost: u64,
    /// How many attempts those that get work can hold together.
    pub capacity: u64,
    /// How many attempts executors hold.
    pub attempts: u64,
    /// How many handlers run, by the last heartbeats.
    pub running: u64,
}

/// What kind of attention something needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub enum AttentionKind {
    /// The coordinator cannot write its store, or has lost its lease.
    Store,
    /// The clock was set back.
    Clock,
    /// Tasks wait for an executor that is missing, or have waited for long.
    NoExecutor,
    /// The newest ended task of a job failed.
    Failing,
    /// An executor was lost.
    LostExecutor,
    /// Alarms could not be sent.
    AlarmGivenUp,
    /// Tasks have not started a minute after they were due.
    Late,
    /// A task runs much longer than those of its job usually do.
    RunsLong,
}

impl AttentionKind {
    /// Every kind, the worst first.
    pub const ALL: [Self; 8] = [
        Self::Store,
        Self::Clock,
        Self::NoExecutor,
        Self::Failing,
        Self::LostExecutor,
        Self::AlarmGivenUp,
        Self::Late,
        Self::RunsLong,
    ];

    /// Its name, as in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Clock => "clock",
            Self::NoExecutor => "no_executor",
            Self::Failing => "failing",
            Self::LostExecutor => "lost_executor",
            Self::AlarmGivenUp => "alarm_given_up",
            Self::Late => "late",
            Self::RunsLong => "runs_long",
        }
    }
}

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Attention {
    /// What it is.
    #[cfg_attr(feature = "openapi", schema(value_type = AttentionKind))]
    pub kind: Word<AttentionKind>,
    /// The job, as `service.name`.
    pub job: Option<String>,
    /// The service.
    pub service: Option<String>,
    /// A task: the oldest or the newest one.
    pub task: Option<i64>,
    /// The executor.
    pub executor: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// How many tasks, attempts or alarms it is about.
    pub count: u64,
    /// What it is, in words.
    pub message: String,
}

/// The event `counts` of a page: what is counted at the moment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Counts {
    /// When they were read.
    pub at: Timestamp,
    /// Tasks that wait, of the coordinators that answer.
    pub queued: Option<u64>,
    /// Tasks that run, or that are stopping.
    pub running: Option<u64>,
    /// Counts tasks that end, from an arbitrary number on: only differences have a meaning. It may be
    /// lower after a connection to another coordinator, or a restart.
    pub ended: u64,
    /// Counts tasks that end as failed, like `ended`.
    pub failed: u64,
    /// Executors that are connected to the coordinator that answers.
    pub executors: u64,
    /// Counts alarms that are raised, like `ended`.
    pub alarms: u64,
}

/// The event `changed` of a page: which lists are outdated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
#[serde(default)]
pub struct Changed {
    /// Jobs were saved, or deleted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub jobs: bool,
    /// Executors connected or disconnected, or are drained or resumed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub executors: bool,
    /// Tasks were created, started or ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tasks: bool,
    /// Alarms were raised, or may have been sent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub alarms: bool,
    /// Coordinators came or went, or partitions moved.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nodes: bool,
}

/// A service: what has jobs, executors or open tasks of that name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ServiceView {
    /// Its name.
    pub service: String,
    /// How many jobs it has.
    pub jobs: u64,
    /// How many of them are enabled.
    pub enabled: u64,
    /// How many of its executors are connected.
    pub executors: u64,
    /// How many of its tasks wait; `null` if it is not known.
    pub queued: Option<u64>,
    /// How many of its tasks run, or are stopping; `null` if it is not known.
    pub running: Option<u64>,
}

/// The coordinator that answers, and how it is set up.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct About {
    /// Its release.
    pub version: String,
    /// `sqlite` or `postgres`.
    pub store: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// What its clock shows.
    pub now: Timestamp,
    /// The id of this run of its process, as in the list of nodes.
    pub node: String,
    /// Whether several coordinators may share the store.
    pub cluster: bool,
    /// Whether callers need a token.
    pub token: bool,
    /// Whether whole logs are kept.
    pub logs: bool,
    /// Why it cannot do its work, as `/readyz` says; empty if it can.
    pub problems: Vec<String>,
}
