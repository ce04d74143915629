//! Executors and nodes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An executor that is connected, or was until recently.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ExecutorView {
    /// Its name.
    pub name: String,
    /// The service it belongs to.
    pub service: String,
    /// Whether its session is open.
    pub connected: bool,
    /// Whether it is draining: it accepts no more work because it stops.
    pub leaving: bool,
    /// The id of this run of its process.
    pub incarnation: String,
    /// The address that it announced.
    pub address: String,
    /// The version of its library.
    pub version: String,
    /// Since when it is connected.
    pub since: Timestamp,
    /// Maximum number of concurrent attempts.
    pub capacity: u32,
    /// Attempts that were dispatched to it and have not ended.
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
}

/// One of the coordinators that share a store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
}
