//! Long work that is done in slices; see [`Chores`](crate::state::chores::Chores).

use std::sync::Arc;

use fastjob_core::{AttemptId, FailReason, attempt::End};

use crate::{
    effect::Effects,
    engine::Engine,
    event::Now,
    notice::{Gone, NAMED_MOST, Notice},
    record::LifeId,
    state::{
        attempts::{Open, Step},
        chores::{SLICE, Why},
    },
};

use super::settle::Retried;

impl Engine {
    /// Does one slice of each kind.
    pub(crate) fn run_chores(&mut self, now: Now, out: &mut Effects) {
        if self.chores.is_empty() {
            return;
        }
        self.run_ends(now, out);
        self.place_not_received(now);
        for attempt in self.chores.next_again().unwrap_or_default() {
            self.look_again(now, attempt);
        }
        for _ in 0..SLICE {
            let Some((child, read_at)) = self.chores.next_child() else { break };
            // A child that was read too long ago may have been started since, and its key
            // forgotten. If it is still to be started, the next read returns it.
            if read_at.is_none_or(|read_at| !self.keys.is_too_old(read_at)) {
                self.start_handed_over(now, child);
            }
        }
        for (life, pump) in self.chores.take_pumps() {
            self.go_on_pumping(now, life, pump, out);
        }
    }

    fn run_ends(&mut self, now: Now, out: &mut Effects) {
        let mut left = SLICE;
        while left > 0
            && let Some((why, attempts)) = self.chores.next_ends(left)
        {
            left -= attempts.len();
            match why {
                Why::Lost { life, gone } => self.lose_attempts(now, attempts, life, gone, out),
                Why::Deleted(job) => {
                    for attempt in attempts {
                        let waits = |open: &Open| open.row.job == job && !open.is_out();
                        if self.attempts.get(attempt).is_some_and(waits) {
                            let message = "its job was deleted".to_owned();
                            self.end_here(now, attempt, End::Stopped, Some(message));
                        }
                    }
                }
            }
        }
    }

    /// Places attempts again that executors did not receive: one slice.
    pub(super) fn place_not_received(&mut self, now: Now) {
        let mut left = SLICE;
        while left > 0 {
            let Self { chores, fleet, .. } = self;
            let is_current = |life, session| fleet.session_at(Some(life)) == Some(session);
            let Some((life, attempts)) = chores.next_not_received(left, is_current) else { return };
            left -= attempts.len();
            for attempt in attempts {
                let unsure = self.attempts.at_step(attempt, Step::Unsure);
                if unsure.is_none_or(|open| open.life() != Some(life)) {
                    continue;
                }
                match self.attempts.is_stopping(attempt) {
                    true => self.end_here(now, attempt, End::Stopped, None),
                    false => self.never_received(now, attempt),
                }
            }
        }
    }

    /// Ends attempts that are lost with their executor.
    fn lose_attempts(
        &mut self,
        now: Now,
        attempts: Vec<AttemptId>,
        life: LifeId,
        gone: Arc<Gone>,
        out: &mut Effects,
    ) {
        let (mut failed, mut retried, mut first) = (0, 0, Vec::new());
        for attempt in attempts {
            let named = self.named(attempt);
            match self.lose_attempt(now, attempt, life, &gone) {
                Some(Retried::Yes) => retried += 1,
                Some(Retried::No) => {
                    failed += 1;
                    first.extend(named.filter(|_| first.len() < NAMED_MOST));
                }
                None => {}
            }
        }
        if failed + retried > 0 {
            out.notices.push(Notice::Ended { gone, failed, retried, first });
        }
    }

    /// Returns `None` if the attempt did not fail: it was stopping, or it is not there any more.
    fn lose_attempt(
        &mut self,
        now: Now,
        attempt: AttemptId,
        life: LifeId,
        gone: &Gone,
    ) -> Option<Retried> {
        let held = |open: &&mut Open| open.life() == Some(life) && open.is_out();
        let open = self.attempts.get_mut(attempt).filter(held)?;
        // The engine may have forgotten its life.
        open.rare_mut().avoid = Some(gone.executor.clone());
        let stopping = self.attempts.is_stopping(attempt);
        let end = if stopping { End::Stopped } else { End::Failed(FailReason::ExecutorLost) };
        let message = gone.why.message().to_owned();
        self.end_reporting(now, attempt, end, Some(message)).filter(|_| !stopping)
    }
}
