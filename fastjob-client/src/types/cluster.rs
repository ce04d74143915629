//! Executors and nodes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Word;

/// Whether an executor gets work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub enum ExecutorState {
    /// It is connected and accepts work.
    Connected,
    /// It is connected and accepts no more work, because its process is about to exit.
    Draining,
    /// It is connected and gets no new work, because a user drains it.
    Drained,
    /// It has no session. It may reconnect.
    Disconnected,
    /// It did not reconnect in time, or it ended before its attempts did: they are abandoned.
    Lost,
}

impl ExecutorState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Connected, Self::Draining, Self::Drained, Self::Disconnected, Self::Lost];

    /// Its name, as in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Disconnected => "disconnected",
            Self::Lost => "lost",
        }
    }
}

/// An executor that is connected, or was until recently, or that a user drains.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ExecutorView {
    /// Its name.
    pub name: String,
    /// The service it belongs to.
    pub service: String,
    /// Whether it gets work.
    #[cfg_attr(feature = "openapi", schema(value_type = ExecutorState))]
    pub state: Word<ExecutorState>,
    /// Whether its session is open.
    pub connected: bool,
    /// Whether it is draining: it accepts no more work because it stops.
    pub leaving: bool,
    /// Whether a user drains it: it gets no new attempts, whatever its state is.
    pub drained: bool,
    /// The id of this run of its process; empty if it is not known.
    pub incarnation: String,
    /// The address that it announced.
    pub address: String,
    /// The version of its library.
    pub version: String,
    /// When its latest session began. When it was lost, or was drained, if no more than that is
    /// known.
    pub since: Timestamp,
    /// When a coordinator last heard from it.
    #[serde(default)]
    pub last_seen: Option<Timestamp>,
    /// When it was lost.
    #[serde(default)]
    pub lost_at: Option<Timestamp>,
    /// How many attempts it held when it was lost.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub lost_attempts: u32,
    /// Maximum number of concurrent attempts.
    pub capacity: u32,
    /// Attempts that were dispatched to it and have not ended, of the coordinators that answered.
    pub attempts: u32,
    /// Running handlers, by its last heartbeat.
    pub running: u32,
    /// Attempts waiting in its lanes, by its last heartbeat.
    pub waiting: u32,
    /// CPU load of its machine, 0 to 1.
    pub cpu: f64,
    /// Free memory of its machine in bytes.
    pub memory_free: u64,
    /// Total memory of its machine in bytes.
    pub memory_total: u64,
    /// Labels, used by filters.
    pub labels: BTreeMap<String, String>,
    /// Its handlers and their descriptions.
    pub handlers: BTreeMap<String, String>,
    /// In an answer about one executor: the addresses of coordinators of the cluster that did not
    /// answer in time. They read within seconds that the executor is drained or resumed, and
    /// `attempts` is without theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<String>,
}

/// One of the coordinators that share a store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct NodeView {
    /// The id of this run of its process.
    pub id: String,
    /// Where executors and the other nodes reach it.
    pub address: String,
    /// Its release.
    pub version: String,
    /// When it was started.
    pub since: Timestamp,
    /// How many partitions it acts on.
    pub partitions: u32,
    /// Whether it is the node that answered this request.
    pub answers: bool,
    /// `alive`, or `silent` if its lease is about to expire without a heartbeat.
    #[serde(default = "alive")]
    pub state: String,
    /// How long its lease lasted at the last heartbeat of the node that answers. `null` if the store is not
    /// shared.
    #[serde(default)]
    pub lease_left_ms: Option<i64>,
    /// How far its clock is ahead of that of the store, in milliseconds. `null` if the store is not
    /// shared, or if the node that answers does not know it.
    #[serde(default)]
    pub clock_offset_ms: Option<i64>,
}

fn alive() -> String {
    "alive".to_owned()
}
