//! Offers waiting attempts to an executor that has room.
//!
//! The attempts that wait longest go first, one of each queue in turn, so that no queue starves. If
//! an attempt of a job cannot be placed, the engine skips the job until the executor is offered
//! work again, because its other attempts cannot be placed either.

use fastjob_core::{AttemptId, JobId};

use super::place::{BURST, Outgoing};
use crate::{
    effect::Effects,
    engine::Engine,
    event::Now,
    maps::IdSet,
    record::LifeId,
    state::{
        attempts::{Step, WaitKey},
        chores::Pump,
        fleet::Life,
    },
};

impl Engine {
    /// Offers waiting attempts to an executor that has room.
    pub(super) fn pump(&mut self, now: Now, id: LifeId, out: &mut Effects) {
        if self.attempts.waiting().is_empty() || self.chores.is_pumping(id) {
            return;
        }
        let Some(life) = self.fleet.get(id) else { return };
        let key =
            |handler, executor| WaitKey { service: life.service().clone(), handler, executor };
        let keys: Vec<_> = life
            .handlers()
            .flat_map(|handler| {
                [None, Some(life.executor().clone())].map(|executor| key(handler.clone(), executor))
            })
            .filter(|key| self.attempts.waiting().queue(key).is_some())
            .map(|key| (key, 0))
            .collect();
        if !keys.is_empty() {
            let pump = Pump { keys, refused: IdSet::default() };
            self.go_on_pumping(now, id, pump, out);
        }
    }

    /// Offers one slice; the rest follows as a chore.
    pub(super) fn go_on_pumping(
        &mut self,
        now: Now,
        life: LifeId,
        mut pump: Pump,
        out: &mut Effects,
    ) {
        let mut outgoing = Outgoing::default();
        let (mut left, mut found) = (BURST, true);
        'slice: while found && self.fleet.get(life).is_some_and(Life::has_room) {
            found = false;
            for at in 0..pump.keys.len() {
                if left == 0 {
                    self.chores.pump(life, pump);
                    break 'slice;
                }
                let Some((attempt, job)) = self.next_waiting(&mut pump, at) else { continue };
                (left, found) = (left - 1, true);
                self.dispatch(now, attempt, &mut outgoing, out);
                if self.attempts.at_step(attempt, Step::Waiting).is_some() {
                    pump.refused.insert(job);
                }
            }
        }
        outgoing.send(out);
    }

    /// The next waiting attempt in a queue, of a job that was not skipped.
    fn next_waiting(&self, pump: &mut Pump, at: usize) -> Option<(AttemptId, JobId)> {
        let (key, from) = pump.keys.get_mut(at)?;
        let queue = self.attempts.waiting().queue(key)?;
        loop {
            let (place, attempt) = queue.first_from(*from)?;
            *from = place + 1;
            if let Some(open) = self.attempts.get(attempt)
                && !pump.refused.contains(&open.row.job)
            {
                return Some((attempt, open.row.job));
            }
        }
    }
}
