//! Timers by uptime, at most one per key: an open attempt, or an executor.
//!
//! The owner of the timers cancels the timer of an attempt or an executor that is gone, so there
//! are never more timers than open attempts or executors. An attempt has several [`Deadlines`]; its
//! timer is set to the earliest.

use std::{collections::BTreeSet, hash::Hash, time::Duration};

use crate::maps::IdMap;

/// All timers, by time.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    order: BTreeSet<(Duration, K)>,
    at: IdMap<K, Duration>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { order: BTreeSet::new(), at: IdMap::default() }
    }
}

impl<K: Copy + Hash + Ord> Timers<K> {
    /// Sets the timer of `watched`, or moves it.
    pub(crate) fn set(&mut self, watched: K, at: Duration) {
        if let Some(before) = self.at.insert(watched, at) {
            if before == at {
                return;
            }
            self.order.remove(&(before, watched));
        }
        self.order.insert((at, watched));
    }

    pub(crate) fn cancel(&mut self, watched: K) {
        if let Some(at) = self.at.remove(&watched) {
            self.order.remove(&(at, watched));
        }
    }

    /// When the next timer expires.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Removes and returns a key whose timer has expired.
    pub(crate) fn pop(&mut self, uptime: Duration) -> Option<K> {
        let first = self.order.first().filter(|(at, _)| *at <= uptime).copied()?;
        self.order.remove(&first);
        self.at.remove(&first.1);
        Some(first.1)
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn is_set(&self, watched: K) -> bool {
        self.at.contains_key(&watched)
    }

    /// The keys of all timers.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn all(&self) -> impl Iterator<Item = K> {
        self.order.iter().map(|(_, watched)| *watched)
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
}

/// The deadlines of an open attempt, by uptime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deadlines {
    /// When its delay is over.
    pub(crate) due: Option<Duration>,
    /// When it has waited for an executor too long.
    pub(crate) no_executor: Option<Duration>,
    /// When its executor must have reported its end.
    pub(crate) ends: Option<Duration>,
    /// When its start counts as late.
    pub(crate) starts_late: Option<Duration>,
    /// When its run counts as long.
    pub(crate) runs_long: Option<Duration>,
    /// When it has waited so long that the engine records it as on no executor.
    pub(crate) displaced: Option<Duration>,
}

impl Deadlines {
    pub(crate) const NONE: Self = Self {
        due: None,
        no_executor: None,
        ends: None,
        starts_late: None,
        runs_long: None,
        displaced: None,
    };

    /// The earliest of them.
    pub(crate) fn earliest(&self) -> Option<Duration> {
        let Self { due, no_executor, ends, starts_late, runs_long, displaced } = *self;
        [due, no_executor, ends, starts_late, runs_long, displaced].into_iter().flatten().min()
    }

    /// Removes and returns those that have passed.
    pub(crate) fn take_passed(&mut self, uptime: Duration) -> Self {
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
    use fastjob_core::AttemptId;

    use super::*;

    const A: AttemptId = AttemptId(1);
    const B: AttemptId = AttemptId(2);

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_attempt_has_one_timer_that_can_be_moved_and_cancelled() {
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
    fn only_deadlines_that_have_passed_are_returned() {
        let mut deadlines =
            Deadlines { ends: Some(s(5)), runs_long: Some(s(2)), ..Deadlines::NONE };
        assert_eq!(deadlines.earliest(), Some(s(2)));
        let passed = deadlines.take_passed(s(2));
        assert_eq!(passed, Deadlines { runs_long: Some(s(2)), ..Deadlines::NONE });
        assert_eq!(deadlines, Deadlines { ends: Some(s(5)), ..Deadlines::NONE });
    }
}
