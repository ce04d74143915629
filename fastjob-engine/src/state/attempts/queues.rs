//! Queues of attempts from which an attempt can leave at any position.

use std::collections::{BTreeMap, BTreeSet};

use fastjob_core::{AttemptId, ExecutorName, HandlerName, ServiceName};
use jiff::Timestamp;

use crate::maps::{IdMap, Map};

/// A first-in, first-out queue from which any attempt can leave.
#[derive(Debug, Default)]
pub(crate) struct Fifo {
    order: BTreeMap<u64, AttemptId>,
    places: IdMap<AttemptId, u64>,
    next: u64,
}

impl Fifo {
    /// Adds an attempt at the end; one that is in the queue keeps its place.
    pub(crate) fn push(&mut self, attempt: AttemptId) {
        if self.places.contains_key(&attempt) {
            return;
        }
        self.order.insert(self.next, attempt);
        self.places.insert(attempt, self.next);
        self.next += 1;
    }

    /// Removes an attempt; returns whether it was there.
    pub(crate) fn remove(&mut self, attempt: AttemptId) -> bool {
        let place = self.places.remove(&attempt);
        place.is_some_and(|place| self.order.remove(&place).is_some())
    }

    /// The first attempt whose place is `from` or later, with its place.
    pub(crate) fn first_from(&self, from: u64) -> Option<(u64, AttemptId)> {
        self.order.range(from..).next().map(|(place, attempt)| (*place, *attempt))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = AttemptId> {
        self.order.values().copied()
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

/// Recorded attempts that are not due yet, by their due instant.
#[derive(Debug, Default)]
pub(crate) struct Due(BTreeSet<(Timestamp, AttemptId)>);

impl Due {
    /// Sets or changes the due instant of an attempt. `place` is where the attempt keeps it.
    pub(crate) fn set(&mut self, attempt: AttemptId, place: &mut Option<Timestamp>, at: Timestamp) {
        self.remove(attempt, place);
        self.0.insert((at, attempt));
        *place = Some(at);
    }

    pub(crate) fn remove(&mut self, attempt: AttemptId, place: &mut Option<Timestamp>) {
        if let Some(at) = place.take() {
            self.0.remove(&(at, attempt));
        }
    }

    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Removes and returns the first attempt that is due. It no longer has a place.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<AttemptId> {
        self.0.first().filter(|(at, _)| *at <= now)?;
        self.0.pop_first().map(|(_, attempt)| attempt)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// What attempts that found no executor wait for.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct WaitKey {
    pub(crate) service: ServiceName,
    pub(crate) handler: HandlerName,
    /// The only executor that may run it; `None` for any.
    pub(crate) executor: Option<ExecutorName>,
}

/// Due attempts that no executor could take.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    queues: Map<WaitKey, Fifo>,
    /// The first place of a new queue: places are never used twice.
    next: u64,
    keys: IdMap<AttemptId, WaitKey>,
}

impl Waiting {
    /// Adds a waiting attempt; one that waits for the same key keeps its place.
    pub(crate) fn push(&mut self, key: WaitKey, attempt: AttemptId) {
        match self.keys.get(&attempt) {
            Some(before) if *before == key => return,
            Some(_) => self.remove(attempt),
            None => {}
        }
        let new = || Fifo { next: self.next, ..Fifo::default() };
        self.queues.entry(key.clone()).or_insert_with(new).push(attempt);
        self.keys.insert(attempt, key);
    }

    pub(crate) fn remove(&mut self, attempt: AttemptId) {
        let Some(key) = self.keys.remove(&attempt) else { return };
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.remove(attempt);
            if queue.is_empty() {
                self.next = self.next.max(queue.next);
                self.queues.remove(&key);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    pub(crate) fn queue(&self, key: &WaitKey) -> Option<&Fifo> {
        self.queues.get(key)
    }

    /// The attempts that only this executor may run.
    pub(crate) fn of_executor(&self, executor: &ExecutorName) -> impl Iterator<Item = AttemptId> {
        let queues = self.queues.iter();
        let mine = queues.filter(|(key, _)| key.executor.as_ref() == Some(executor));
        mine.flat_map(|(_, queue)| queue.iter())
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn len(&self) -> usize {
        self.queues.values().map(Fifo::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: AttemptId = AttemptId(1);
    const B: AttemptId = AttemptId(2);
    const C: AttemptId = AttemptId(3);

    #[test]
    fn a_queue_keeps_its_order_when_one_in_the_middle_leaves() {
        let mut queue = Fifo::default();
        [A, B, C, A].into_iter().for_each(|attempt| queue.push(attempt));
        assert!(queue.remove(B) && !queue.remove(B));
        assert_eq!(queue.iter().collect::<Vec<_>>(), [A, C]);
        assert_eq!((queue.first_from(0), queue.len()), (Some((0, A)), 2));
        assert_eq!(queue.first_from(1), Some((2, C)));
    }

    #[test]
    fn an_attempt_is_due_once_and_can_be_moved() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (mut due, mut a, mut b) = (Due::default(), None, None);
        due.set(A, &mut a, at(5));
        due.set(B, &mut b, at(1));
        due.set(A, &mut a, at(2));
        due.remove(B, &mut b);
        assert_eq!((a, b), (Some(at(2)), None));
        assert_eq!((due.next_at(), due.len()), (Some(at(2)), 1));
        assert_eq!((due.pop(at(1)), due.pop(at(2)), due.pop(at(9))), (None, Some(A), None));
    }

    #[test]
    fn an_attempt_is_in_one_queue_at_a_time_and_an_empty_queue_is_removed() {
        let key = |executor: Option<&str>| WaitKey {
            service: "s".parse().unwrap(),
            handler: "h".parse().unwrap(),
            executor: executor.map(|name| name.parse().unwrap()),
        };
        let mut waiting = Waiting::default();
        waiting.push(key(None), A);
        waiting.push(key(None), B);
        waiting.push(key(None), A);
        assert_eq!(waiting.queue(&key(None)).unwrap().first_from(0), Some((0, A)));
        waiting.push(key(Some("e")), A);
        assert_eq!(waiting.queue(&key(None)).unwrap().first_from(0), Some((1, B)));
        waiting.remove(A);
        waiting.remove(B);
        assert!(waiting.is_empty());
    }
}
