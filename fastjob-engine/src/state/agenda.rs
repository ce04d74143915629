//! The agenda: the next fire of each job, the watermark up to which all fires are planned, and the
//! current round of planning.
//!
//! A round plans every fire up to one horizon, in slices of bounded work. The watermark moves when
//! the round is complete, and the commit waits for that, so no fire is planned again after a crash.
//! A round that grows too long is cut: the cursor of each job that it has reached is recorded
//! instead.

use std::collections::BTreeSet;

use fastjob_core::JobId;
use jiff::Timestamp;

use super::millis::Millis;

/// When jobs fire next, and the planning in progress.
#[derive(Debug)]
pub(crate) struct Agenda {
    fires: BTreeSet<(Millis, JobId)>,
    /// The watermark: every fire up to here is planned.
    watermark: Timestamp,
    /// Loaded jobs whose next fire was not computed yet. Until that is done, no fires are planned.
    unscheduled: Vec<JobId>,
    /// The horizon of the round in progress.
    until: Option<Timestamp>,
    /// The jobs for which this round has planned fires, each once.
    reached: Vec<JobId>,
}

impl Agenda {
    pub(crate) fn new(watermark: Timestamp) -> Self {
        let (fires, unscheduled, reached) = (BTreeSet::new(), Vec::new(), Vec::new());
        Self { fires, watermark, unscheduled, until: None, reached }
    }

    /// Adds jobs whose next fires have to be computed first.
    pub(crate) fn schedule(&mut self, jobs: Vec<JobId>) {
        self.unscheduled = jobs;
    }

    /// Removes and returns a job whose next fire was not computed yet.
    pub(crate) fn pop_unscheduled(&mut self) -> Option<JobId> {
        let job = self.unscheduled.pop();
        if self.unscheduled.is_empty() {
            // There may have been a million.
            self.unscheduled = Vec::new();
        }
        job
    }

    /// The watermark: every fire up to here is planned.
    pub(crate) fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// Replaces the next fire of a job.
    pub(crate) fn set_fire(
        &mut self,
        job: JobId,
        before: Option<Timestamp>,
        next: Option<Timestamp>,
    ) {
        if let Some(before) = before {
            self.fires.remove(&(Millis::from(before), job));
        }
        self.fires.extend(next.map(|next| (Millis::from(next), job)));
    }

    /// The earliest fire of all jobs.
    pub(crate) fn first(&self) -> Option<(Timestamp, JobId)> {
        self.fires.first().map(|(at, job)| ((*at).into(), *job))
    }

    /// The horizon of the round in progress. If there is none, a new round begins, up to `until`.
    pub(crate) fn round_until(&mut self, until: Timestamp) -> Timestamp {
        *self.until.get_or_insert(until)
    }

    /// Records that the round has planned a fire of this job. Called once per job and round.
    pub(crate) fn reach(&mut self, job: JobId) {
        self.reached.push(job);
    }

    /// How many jobs the round has reached.
    pub(crate) fn reached(&self) -> usize {
        self.reached.len()
    }

    /// Takes the jobs that the round has reached, to record their cursors.
    pub(crate) fn take_reached(&mut self) -> Vec<JobId> {
        std::mem::take(&mut self.reached)
    }

    /// Completes the round: every fire up to `until` is planned.
    pub(crate) fn complete(&mut self, until: Timestamp) {
        self.watermark = self.watermark.max(until);
        self.until = None;
    }

    /// Whether there is more to plan at once.
    pub(crate) fn is_in_progress(&self) -> bool {
        self.until.is_some() || !self.unscheduled.is_empty()
    }

    /// Whether the commit must not be handed over before the round is complete or cut.
    pub(crate) fn holds_commit(&self) -> bool {
        !self.reached.is_empty()
    }
}

/// Figures for the limits that the simulation checks.
#[cfg(any(test, feature = "simulation"))]
impl Agenda {
    /// The jobs in the round, and the fires.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.unscheduled.len() + self.reached.len(), self.fires.len())
    }
}
