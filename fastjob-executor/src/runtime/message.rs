//! What the runtime sends to a coordinator.

use std::sync::Arc;

use fastjob_core::{AttemptId, Lease, Progress};
use jiff::Timestamp;

use super::{name::Name, outcome::Outcome};

/// A message to a coordinator.
#[derive(Debug)]
pub(crate) enum Message {
    /// What is held of the partitions that the coordinator has claimed.
    Holding(Holding),
    /// Attempts that will not run here, although the executor does not drain.
    Returned(Vec<AttemptId>),
    /// The executor drains, and returns these attempts.
    Goodbye(Vec<AttemptId>),
    /// When handlers were entered.
    Started(Vec<(Name, Timestamp)>),
    /// The latest checkpoints of running attempts, as JSON.
    Checkpoints(Vec<(Name, Arc<str>)>),
    /// The latest progress of attempts.
    Progress(Vec<(Name, Progress)>),
    /// Outcomes that the coordinator has not acknowledged.
    Finished(Vec<Outcome>),
}

/// Answers the claims of a coordinator.
#[derive(Debug, Default)]
pub(crate) struct Holding {
    /// The claims that are accepted.
    pub(crate) leases: Vec<Lease>,
    /// Attempts of these partitions that wait, run, or have ended without being acknowledged.
    pub(crate) attempts: Vec<Name>,
    /// The executor drains.
    pub(crate) leaving: bool,
    /// The highest attempt id of each of these partitions that was ever sent here.
    pub(crate) highest: Vec<AttemptId>,
    /// The known later terms of the claims that are refused.
    pub(crate) refused: Vec<Lease>,
}
