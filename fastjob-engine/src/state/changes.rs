//! Changes to jobs that wait until attempts that were sent early are due.

use std::time::Duration;

use fastjob_core::JobId;

use crate::{event::Command, state::catalog::Directory};

/// A change that waits.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) job: JobId,
    pub(crate) command: Command,
    /// The jobs of other partitions, for the names in the command.
    pub(crate) others: Option<Directory>,
    /// When it is carried out, by uptime.
    pub(crate) at: Duration,
}

/// The changes that wait, in the order of their arrival. The callers that wait for them bound their
/// number.
#[derive(Debug, Default)]
pub(crate) struct Changes(Vec<Change>);

impl Changes {
    pub(crate) fn add(&mut self, change: Change) {
        self.0.push(change);
    }

    /// When the last change of the job that waits is carried out.
    pub(crate) fn last_of(&self, job: JobId) -> Option<Duration> {
        self.0.iter().filter(|change| change.job == job).map(|change| change.at).max()
    }

    /// When the next change is carried out.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.0.iter().map(|change| change.at).min()
    }

    /// Removes and returns the changes whose time has come, in the order of their arrival.
    pub(crate) fn take_ready(&mut self, uptime: Duration) -> Vec<Change> {
        self.0.extract_if(.., |change| change.at <= uptime).collect()
    }
}
