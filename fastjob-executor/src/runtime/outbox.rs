//! Outgoing reports: outcomes are kept until the coordinator has persisted them.

use std::collections::{BTreeSet, VecDeque};

use fastjob_core::{
    AttemptId, Partition,
    id_map::IdMap,
    wire::{BATCH_BYTES, BATCH_MAX},
};
use jiff::Timestamp;

use super::{name::Name, outcome::Outcome};

/// Maximum bytes of unacknowledged outcomes. Beyond it no attempt is entered, so that an
/// unavailable store does not exhaust the service's memory.
const BYTES_MOST: usize = if cfg!(test) { 1 } else { 256 } * 1024 * 1024;

/// Unacknowledged outcomes and entered handlers, by partition.
#[derive(Default)]
pub(crate) struct Outbox {
    outcomes: IdMap<AttemptId, Kept>,
    partitions: IdMap<Partition, Queue>,
    bytes: usize,
}

struct Kept {
    outcome: Outcome,
    partition: Partition,
    sent: bool,
}

#[derive(Default)]
struct Queue {
    started: VecDeque<(Name, Timestamp)>,
    /// In order. Entries that were acknowledged or sent in the meantime are skipped.
    unsent: VecDeque<AttemptId>,
    /// Sent in this session.
    sent: BTreeSet<AttemptId>,
}

/// What a partition has to send next.
#[derive(Default)]
pub(super) struct Batch {
    /// When handlers were entered.
    pub(super) started: Vec<(Name, Timestamp)>,
    pub(super) finished: Vec<Outcome>,
}

impl Outbox {
    pub(super) fn add(&mut self, partition: Partition, outcome: Outcome) {
        let id = outcome.name.id;
        self.forget(id);
        self.bytes += outcome.bytes();
        self.outcomes.insert(id, Kept { outcome, partition, sent: false });
        self.partitions.entry(partition).or_default().unsent.push_back(id);
    }

    pub(super) fn started(&mut self, partition: Partition, name: Name, at: Timestamp) {
        self.partitions.entry(partition).or_default().started.push_back((name, at));
    }

    /// What a partition has to send next, bounded; `None` if there is nothing to send.
    pub(super) fn next(&mut self, partition: Partition) -> Option<Batch> {
        let queue = self.partitions.get_mut(&partition)?;
        // An empty batch means that nothing is left, so skipped entries do not count.
        let mut started = Vec::new();
        while started.len() < BATCH_MAX {
            let Some((name, at)) = queue.started.pop_front() else { break };
            // If the attempt has ended, its outcome includes the start time.
            if !self.outcomes.contains_key(&name.id) {
                started.push((name, at));
            }
        }
        let (mut finished, mut size) = (Vec::new(), 0);
        while finished.len() < BATCH_MAX && size < BATCH_BYTES {
            let Some(id) = queue.unsent.pop_front() else { break };
            let Some(kept) = self.outcomes.get_mut(&id).filter(|kept| !kept.sent) else { continue };
            kept.sent = true;
            queue.sent.insert(id);
            size += kept.outcome.bytes();
            finished.push(kept.outcome.clone());
        }
        let is_empty = started.is_empty() && finished.is_empty();
        (!is_empty).then_some(Batch { started, finished })
    }

    /// Resends everything that was sent over a session that has ended.
    pub(super) fn resend(&mut self, partition: Partition) {
        let Some(queue) = self.partitions.get_mut(&partition) else { return };
        queue.started.clear();
        for id in std::mem::take(&mut queue.sent).into_iter().rev() {
            if let Some(kept) = self.outcomes.get_mut(&id) {
                kept.sent = false;
                queue.unsent.push_front(id);
            }
        }
    }

    /// Resends one outcome; `false` if the attempt has none.
    pub(super) fn resend_one(&mut self, name: Name) -> bool {
        let Some(kept) = self.outcomes.get_mut(&name.id) else { return false };
        if !name.is(kept.outcome.name) {
            return false;
        }
        if std::mem::take(&mut kept.sent) {
            let queue = self.partitions.entry(kept.partition).or_default();
            queue.sent.remove(&name.id);
            queue.unsent.push_back(name.id);
        }
        true
    }

    /// Removes a persisted outcome and returns it; `None` if it was not kept.
    pub(super) fn acknowledged(&mut self, name: Name) -> Option<Outcome> {
        let kept = self.outcomes.get(&name.id)?;
        if name.is(kept.outcome.name) { self.forget(name.id) } else { None }
    }

    /// Forgets the attempt with this id, because another attempt uses it.
    pub(super) fn reuse(&mut self, id: AttemptId) {
        self.forget(id);
    }

    fn forget(&mut self, id: AttemptId) -> Option<Outcome> {
        let kept = self.outcomes.remove(&id)?;
        self.bytes -= kept.outcome.bytes();
        if let Some(queue) = self.partitions.get_mut(&kept.partition) {
            queue.sent.remove(&id);
        }
        Some(kept.outcome)
    }

    pub(super) fn attempts(&self) -> impl Iterator<Item = Name> {
        self.outcomes.values().map(|kept| kept.outcome.name)
    }

    pub(super) fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// Whether too much is unacknowledged to enter another attempt.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= BYTES_MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IT: Partition = Partition(0);
    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn name(id: i64) -> Name {
        Name::of(id, 7)
    }

    fn outcome(id: i64) -> Outcome {
        Outcome::for_test(name(id))
    }

    fn ids(next: Option<Batch>) -> Vec<i64> {
        let finished = next.map(|batch| batch.finished).unwrap_or_default();
        finished.iter().map(|outcome| outcome.name.id.0).collect()
    }

    #[test]
    fn an_outcome_is_sent_again_after_a_reconnect_until_it_is_acknowledged() {
        let mut outbox = Outbox::default();
        outbox.add(IT, outcome(1));
        outbox.add(IT, outcome(2));
        assert_eq!(ids(outbox.next(IT)), [1, 2]);
        assert!(ids(outbox.next(IT)).is_empty());
        assert!(outbox.acknowledged(name(1)).is_some());
        outbox.resend(IT);
        assert_eq!(ids(outbox.next(IT)), [2]);
        assert!(outbox.acknowledged(name(2)).is_some() && outbox.acknowledged(name(2)).is_none());
        outbox.resend(IT);
        assert!(outbox.next(IT).is_none() && outbox.len() == 0);
    }

    #[test]
    fn an_outcome_that_is_acknowledged_before_it_is_sent_again_is_not_sent() {
        let mut outbox = Outbox::default();
        for id in 1..=3 {
            outbox.add(IT, outcome(id));
        }
        assert_eq!(ids(outbox.next(IT)), [1, 2, 3]);
        outbox.resend(IT);
        assert!(outbox.acknowledged(name(2)).is_some());
        outbox.resend(IT);
        assert_eq!(ids(outbox.next(IT)), [1, 3], "in order, each once");
        assert!(outbox.resend_one(name(3)) && outbox.resend_one(name(3)));
        assert_eq!(ids(outbox.next(IT)), [3]);
    }

    #[test]
    fn an_acknowledgement_of_another_attempt_with_the_same_id_is_ignored() {
        let mut outbox = Outbox::default();
        outbox.add(IT, outcome(1));
        assert!(outbox.acknowledged(Name::of(1, 8)).is_none());
        assert!(!outbox.resend_one(Name::of(1, 8)));
        outbox.reuse(AttemptId(1));
        outbox.add(IT, Outcome { name: Name::of(1, 8), ..outcome(1) });
        assert_eq!(ids(outbox.next(IT)), [1], "once, though its id was queued twice");
        assert!(outbox.acknowledged(name(1)).is_none());
        assert!(outbox.acknowledged(Name::of(1, 0)).is_some(), "earlier release");
    }

    #[test]
    fn it_is_full_until_enough_is_acknowledged() {
        let mut outbox = Outbox::default();
        let result = Some("x".repeat(BYTES_MOST / 4));
        for id in 1..=4 {
            assert!(!outbox.is_full());
            outbox.add(IT, Outcome { result: result.clone(), ..outcome(id) });
        }
        assert!(outbox.is_full());
        outbox.acknowledged(name(2));
        assert!(!outbox.is_full());
    }

    #[test]
    fn no_start_is_reported_for_an_attempt_that_has_ended() {
        let mut outbox = Outbox::default();
        outbox.started(IT, name(1), AT);
        outbox.started(IT, name(2), AT);
        outbox.add(IT, outcome(1));
        let batch = outbox.next(IT).unwrap();
        assert_eq!((batch.started.len(), batch.finished.len()), (1, 1));
    }

    #[test]
    fn a_start_is_reported_even_if_a_whole_batch_before_it_has_ended() {
        let mut outbox = Outbox::default();
        let ended = i64::try_from(BATCH_MAX).unwrap();
        for id in 0..=ended {
            outbox.started(IT, name(id), AT);
        }
        for id in 0..ended {
            outbox.add(IT, outcome(id));
        }
        while !ids(outbox.next(IT)).is_empty() {}
        for id in 0..=ended {
            outbox.started(IT, name(id), AT);
        }
        assert_eq!(outbox.next(IT).unwrap().started, [(name(ended), AT)]);
        assert!(outbox.next(IT).is_none());
    }
}
