//! Waits by uptime, at most one per attempt and one per executor.
//!
//! A wait is cancelled with what it watches, so there are never more than there are open attempts
//! and executors. What an attempt waits for is in its [`Deadlines`]; its timer is the earliest.

use std::{collections::BTreeSet, time::Duration};

use fastjob_core::AttemptId;

use super::maps::Map;
use crate::record::LifeId;

/// What a timer belongs to.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Watched {
    /// An open attempt: one of its deadlines has passed.
    Attempt(AttemptId),
    /// An executor without a session: it is lost.
    Life(LifeId),
}

/// All timers, by time.
#[derive(Debug, Default)]
pub(super) struct Timers {
    order: BTreeSet<(Duration, Watched)>,
    at: Map<Watched, Duration>,
}

impl Timers {
    /// Sets the timer of `watched`, or moves it.
    pub(super) fn set(&mut self, watched: Watched, at: Duration) {
        if let Some(before) = self.at.insert(watched, at) {
            if before == at {
                return;
            }
            self.order.remove(&(before, watched));
        }
        self.order.insert((at, watched));
    }

    pub(super) fn cancel(&mut self, watched: Watched) {
        if let Some(at) = self.at.remove(&watched) {
            self.order.remove(&(at, watched));
        }
    }

    /// When the next one goes off.
    pub(super) fn next_at(&self) -> Option<Duration> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes out a timer whose time has come.
    pub(super) fn pop(&mut self, uptime: Duration) -> Option<Watched> {
        let first = self.order.first().filter(|(at, _)| *at <= uptime).copied()?;
        self.order.remove(&first);
        self.at.remove(&first.1);
        Some(first.1)
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn is_set(&self, watched: Watched) -> bool {
        self.at.contains_key(&watched)
    }

    /// What is watched.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn all(&self) -> impl Iterator<Item = Watched> {
        self.order.iter().map(|(_, watched)| *watched)
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}

/// What an open attempt waits for, by uptime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deadlines {
    /// Its delay is over.
    pub(super) due: Option<Duration>,
    /// No executor has taken it in time.
    pub(super) no_executor: Option<Duration>,
    /// Its executor should have reported its end.
    pub(super) ends: Option<Duration>,
    /// Its handler should have been entered.
    pub(super) starts_late: Option<Duration>,
    /// Its handler should have ended.
    pub(super) runs_long: Option<Duration>,
    /// It has waited so long that it is recorded to be on no executor.
    pub(super) displaced: Option<Duration>,
}

impl Deadlines {
    pub(super) const NONE: Self = Self {
        due: None,
        no_executor: None,
        ends: None,
        starts_late: None,
        runs_long: None,
        displaced: None,
    };

    /// The first of them.
    pub(super) fn earliest(&self) -> Option<Duration> {
        let Self { due, no_executor, ends, starts_late, runs_long, displaced } = *self;
        [due, no_executor, ends, starts_late, runs_long, displaced].into_iter().flatten().min()
    }

    /// Takes out those that have passed.
    pub(super) fn take_passed(&mut self, uptime: Duration) -> Self {
        let take = |deadline: &mut Option<Duration>| deadline.take_if(|at| *at <= uptime);
        Self {
            due: take(&mut self.due),
            no_executor: take(&mut self.no_executor),
            ends: take(&mut self.ends),
            starts_late: take(&mut self.starts_late),
            runs_long: take(&mut self.runs_long),
            displaced: take(&mut self.displaced),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Watched = Watched::Attempt(AttemptId(1));
    const B: Watched = Watched::Attempt(AttemptId(2));

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_has_one_timer_which_moves_and_is_cancelled() {
        let mut timers = Timers::default();
        timers.set(A, s(3));
        timers.set(B, s(2));
        timers.set(A, s(1));
        assert_eq!((timers.len(), timers.next_at()), (2, Some(s(1))));
        timers.cancel(B);
        assert_eq!(timers.pop(s(0)), None);
        assert_eq!(timers.pop(s(5)), Some(A));
        assert_eq!((timers.pop(s(5)), timers.len()), (None, 0));
    }

    #[test]
    fn only_the_deadlines_that_have_passed_are_taken() {
        let mut deadlines =
            Deadlines { ends: Some(s(5)), runs_long: Some(s(2)), ..Deadlines::NONE };
        assert_eq!(deadlines.earliest(), Some(s(2)));
        let passed = deadlines.take_passed(s(2));
        assert_eq!(passed, Deadlines { runs_long: Some(s(2)), ..Deadlines::NONE });
        assert_eq!(deadlines, Deadlines { ends: Some(s(5)), ..Deadlines::NONE });
    }
}
