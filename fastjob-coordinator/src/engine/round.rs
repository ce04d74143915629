//! Rounds of planning.
//!
//! A [`Round`] plans every fire up to one horizon, in slices of bounded work. The watermark moves
//! when the round is complete, and the commit waits for it, so that no fire is planned again after a
//! crash. A round that grows too long is cut: then the jobs that it has reached are recorded one by
//! one, with their cursors.

use fastjob_core::JobId;
use jiff::Timestamp;

use super::{Effects, Engine, Now, UNWRITTEN_MOST, plan::soon};

/// Most tasks that one step plans, and most jobs whose next fire it looks up.
const SLICE: usize = 2_000;
/// Most rows that a round holds back before it is cut.
const ROUND_ROWS: usize = 50_000;

/// The planning that is under way.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Loaded jobs whose next fire has not been looked up yet. Until it is, nothing is planned.
    unscheduled: Vec<JobId>,
    /// Up to here every fire is to be planned, while a round is not complete.
    until: Option<Timestamp>,
    /// The jobs of which this round has planned fires, each once.
    reached: Vec<JobId>,
}

impl Round {
    /// A round that begins with looking up the next fires of these jobs.
    pub(super) fn scheduling(jobs: Vec<JobId>) -> Self {
        Self { unscheduled: jobs, ..Self::default() }
    }

    /// A fire of this job was planned; called once per job and round.
    pub(super) fn reach(&mut self, job: JobId) {
        self.reached.push(job);
    }

    /// Whether there is more to do at once.
    pub(super) fn is_under_way(&self) -> bool {
        self.until.is_some() || !self.unscheduled.is_empty()
    }

    /// Whether the commit must not be handed over before the round is complete or cut.
    pub(super) fn holds_commit(&self) -> bool {
        !self.reached.is_empty()
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn len(&self) -> usize {
        self.unscheduled.len() + self.reached.len()
    }
}

impl Engine {
    /// Plans fires up to the horizon: a slice of the round that is under way, or of a new one.
    pub(super) fn plan(&mut self, now: Now, out: &mut Effects) {
        if self.unwritten > UNWRITTEN_MOST {
            // What was planned by then does not wait for what cannot be planned now.
            self.cut_round();
            return;
        }
        let mut left = SLICE;
        while let Some(job) = self.round.unscheduled.pop() {
            self.schedule_next(job);
            left -= 1;
            if left == 0 {
                return;
            }
        }
        let until = *self.round.until.get_or_insert(soon(now));
        while let Some((fire_at, job)) = self.fires.first().filter(|(at, _)| *at <= until).copied()
        {
            if left == 0 {
                if self.round.reached.len().max(self.commit.planned.len()) >= ROUND_ROWS {
                    self.cut_round();
                    self.hand_over(out);
                }
                return;
            }
            let made = self.fire(now, job, fire_at);
            left = left.saturating_sub(made.max(1));
        }
        self.watermark = self.watermark.max(until);
        self.round.until = None;
        if !self.round.reached.is_empty() {
            self.keep_cursors_beyond(until);
            // Without a fire the old watermark in the store says as much.
            self.commit.watermark = Some(self.watermark);
        }
    }

    /// Lets the commit go before the round is complete: the cursors of the jobs that the round has
    /// reached say what is planned beyond the watermark.
    pub(super) fn cut_round(&mut self) {
        self.keep_cursors_beyond(Timestamp::MIN);
    }

    /// Records how far the jobs are that the round has reached, where that is beyond `planned`. A
    /// misfire is planned up to the present, which may be past the end of a round that took long.
    fn keep_cursors_beyond(&mut self, planned: Timestamp) {
        for job in std::mem::take(&mut self.round.reached) {
            let Some(entry) = self.catalog.get_mut(job) else { continue };
            entry.is_in_round = false;
            if entry.cursor > planned {
                entry.has_stored_cursor = true;
                self.commit.cursors.push((job, entry.cursor));
            }
        }
    }
}
