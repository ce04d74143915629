//! Fires that have left before they are due, and changes to their jobs, which wait for them.

use std::{collections::VecDeque, time::Duration};

use fastjob_core::JobId;

use crate::{event::Command, maps::IdMap, state::catalog::Directory};

/// A change that waits.
#[derive(Debug)]
pub(crate) struct Change {
    /// The jobs that it changes.
    pub(crate) jobs: Vec<JobId>,
    pub(crate) command: Command,
    /// The jobs of other partitions, for the names in the command.
    pub(crate) others: Option<Directory>,
    /// When it is carried out, by uptime.
    pub(crate) at: Duration,
}

/// The changes that wait, in the order of their arrival. The callers that wait for them bound their
/// number.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    waiting: Vec<Change>,
    /// By job: when its last change is carried out.
    last: IdMap<JobId, Duration>,
}

impl Changes {
    pub(crate) fn add(&mut self, change: Change) {
        for job in &change.jobs {
            let last = self.last.entry(*job).or_default();
            *last = change.at.max(*last);
        }
        self.waiting.push(change);
    }

    /// When the last change of the job that waits is carried out.
    pub(crate) fn last_of(&self, job: JobId) -> Option<Duration> {
        self.last.get(&job).copied()
    }

    /// When the next change is carried out.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.waiting.iter().map(|change| change.at).min()
    }

    /// When no change is left.
    pub(crate) fn last_at(&self) -> Option<Duration> {
        self.waiting.iter().map(|change| change.at).max()
    }

    /// Removes and returns the changes whose time has come, in the order of their arrival.
    pub(crate) fn take_ready(&mut self, uptime: Duration) -> Vec<Change> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        self.last.retain(|_, last| *last > uptime);
        self.waiting.extract_if(.., |change| change.at <= uptime).collect()
    }
}

/// Until when executors may enter fires that have left early, by job and uptime.
#[derive(Debug)]
pub(crate) struct Left {
    /// Until when fires of an earlier engine may be entered, whatever their jobs.
    others_until: Duration,
    until: IdMap<JobId, Duration>,
    order: VecDeque<(Duration, JobId)>,
}

impl Left {
    pub(crate) fn new(others_until: Duration) -> Self {
        Self { others_until, until: IdMap::default(), order: VecDeque::new() }
    }

    /// A fire of the job has left, to be entered at that uptime.
    pub(crate) fn add(&mut self, job: JobId, enter_at: Duration, uptime: Duration) {
        while let Some((_, job)) = self.order.pop_front_if(|(at, _)| *at <= uptime) {
            if self.until.get(&job).is_some_and(|until| *until <= uptime) {
                self.until.remove(&job);
            }
        }
        let until = self.until.entry(job).or_default();
        *until = enter_at.max(*until);
        self.order.push_back((enter_at, job));
    }

    /// Until when fires of the job may be entered that this engine has sent.
    pub(crate) fn until(&self, job: JobId) -> Option<Duration> {
        self.until.get(&job).copied()
    }

    /// Until when fires may be entered that an earlier engine has sent.
    pub(crate) fn others_until(&self) -> Duration {
        self.others_until
    }
}
