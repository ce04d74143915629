//! Giving an executor that has free places what waits for one.
//!
//! What waits longest goes first, one of each kind in turn, so that none starves. A job of which one
//! attempt could not be placed is passed over until the executor is offered work again: the others
//! would not be placed either.

use fastjob_core::{AttemptId, JobId};

use super::{
    BURST, Effects, Engine, Now,
    maps::IdSet,
    place::Outgoing,
    queues::WaitKey,
    state::{Life, Step},
};
use crate::record::LifeId;

/// How far an executor has been offered what waits.
#[derive(Debug, Default)]
pub(super) struct Pump {
    /// What it may be given, and from which place in each queue on.
    keys: Vec<(WaitKey, u64)>,
    /// Jobs of which it could not be given an attempt.
    refused: IdSet<JobId>,
}

impl Engine {
    /// Gives an executor that has places what waits for it.
    pub(super) fn pump(&mut self, now: Now, life: LifeId, out: &mut Effects) {
        if self.waiting.is_empty() || self.chores.pumps.contains_key(&life) {
            return;
        }
        let Some(seat) = self.lives.get(&life) else { return };
        let key = |handler, executor| WaitKey { service: seat.service.clone(), handler, executor };
        let keys: Vec<_> = seat
            .handlers
            .keys()
            .flat_map(|handler| {
                [None, Some(seat.executor.clone())].map(|executor| key(handler.clone(), executor))
            })
            .filter(|key| self.waiting.queue(key).is_some())
            .map(|key| (key, 0))
            .collect();
        if !keys.is_empty() {
            let pump = Pump { keys, refused: IdSet::default() };
            self.go_on_pumping(now, life, pump, out);
        }
    }

    /// One slice; what is left follows as a chore.
    pub(super) fn go_on_pumping(
        &mut self,
        now: Now,
        life: LifeId,
        mut pump: Pump,
        out: &mut Effects,
    ) {
        let mut outgoing = Outgoing::default();
        let (mut left, mut found) = (BURST, true);
        'slice: while found && self.lives.get(&life).is_some_and(Life::has_place) {
            found = false;
            for at in 0..pump.keys.len() {
                if left == 0 {
                    self.chores.pumps.insert(life, pump);
                    break 'slice;
                }
                let Some((attempt, job)) = self.next_waiting(&mut pump, at) else { continue };
                (left, found) = (left - 1, true);
                self.dispatch(now, attempt, &mut outgoing, out);
                if self.open.get(&attempt).is_some_and(|open| open.step == Step::Waiting) {
                    pump.refused.insert(job);
                }
            }
        }
        outgoing.send(out);
    }

    /// The next that waits in a queue, of a job that has not been refused.
    fn next_waiting(&self, pump: &mut Pump, at: usize) -> Option<(AttemptId, JobId)> {
        let (key, from) = pump.keys.get_mut(at)?;
        let queue = self.waiting.queue(key)?;
        loop {
            let (place, attempt) = queue.first_from(*from)?;
            *from = place + 1;
            if let Some(open) = self.open.get(&attempt)
                && !pump.refused.contains(&open.job)
            {
                return Some((attempt, open.job));
            }
        }
    }
}
