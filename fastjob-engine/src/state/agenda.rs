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
    /// Fires that were computed since then. They enter `fires` at once: a tree that is built from a
    /// sorted list has full nodes. Some may have changed in the meantime.
    gathered: Vec<(Millis, JobId)>,
    /// The horizon of the round in progress.
    until: Option<Timestamp>,
    /// The jobs for which this round has planned fires, each once.
    reached: Vec<JobId>,
}

impl Agenda {
    pub(crate) fn new(watermark: Timestamp) -> Self {
        Self {
            fires: BTreeSet::new(),
            watermark,
            unscheduled: Vec::new(),
            gathered: Vec::new(),
            until: None,
            reached: Vec::new(),
        }
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
        let next = next.map(|next| (Millis::from(next), job));
        match self.unscheduled.is_empty() {
            true => self.fires.extend(next),
            false => self.gathered.extend(next),
        }
    }

    /// Adds the fires that were gathered, once all are computed. `next_fire` returns the next fire of
    /// a job as it is now.
    pub(crate) fn enter_gathered(&mut self, next_fire: impl Fn(JobId) -> Option<Timestamp>) {
        if self.gathered.is_empty() || !self.unscheduled.is_empty() {
            return;
        }
        let gathered = std::mem::take(&mut self.gathered).into_iter();
        let is_current =
            |(at, job): &(Millis, JobId)| next_fire(*job).map(Millis::from) == Some(*at);
        let mut gathered: BTreeSet<_> = gathered.filter(is_current).collect();
        self.fires.append(&mut gathered);
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
        self.until.is_some() || !self.unscheduled.is_empty() || !self.gathered.is_empty()
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
        let fires = self.gathered.len() + self.fires.len();
        (self.unscheduled.len() + self.reached.len(), fires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fires_of_loaded_jobs_enter_together_as_they_are_then() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let mut agenda = Agenda::new(at(0));
        let jobs = [1, 2, 3, 4].map(JobId);
        agenda.schedule(jobs.to_vec());
        let mut next = [Some(at(50)), Some(at(20)), Some(at(30)), None];
        while let Some(job) = agenda.pop_unscheduled() {
            let index = jobs.iter().position(|it| *it == job).unwrap();
            agenda.set_fire(job, None, next[index]);
            if job == JobId(3) {
                // Meanwhile one job is changed twice, and another one is disabled.
                agenda.set_fire(job, Some(at(30)), Some(at(31)));
                agenda.set_fire(job, Some(at(31)), Some(at(30)));
            }
        }
        assert!(agenda.is_in_progress(), "a tick has to follow");
        agenda.set_fire(JobId(2), Some(at(20)), None);
        next[1] = None;
        agenda.enter_gathered(|job| next[jobs.iter().position(|it| *it == job).unwrap()]);
        assert!(!agenda.is_in_progress());
        let mut fires = Vec::new();
        while let Some((fire_at, job)) = agenda.first() {
            fires.push((fire_at, job));
            agenda.set_fire(job, Some(fire_at), None);
        }
        assert_eq!(fires, [(at(30), JobId(3)), (at(50), JobId(1))]);
    }
}
