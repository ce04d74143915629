//! Outgoing reports: outcomes are kept until the coordinator has persisted them.

use std::collections::{BTreeSet, HashMap, VecDeque};

use fastjob_core::wire::{BATCH_BYTES, BATCH_MAX, v1};

use super::name::Name;

/// Maximum bytes of unacknowledged outcomes. Beyond it no attempt is entered, so that an
/// unavailable store does not exhaust the service's memory.
const BYTES_MOST: usize = if cfg!(test) { 1 } else { 256 } * 1024 * 1024;

/// Unacknowledged outcomes and entered handlers, by partition.
#[derive(Default)]
pub(crate) struct Outbox {
    outcomes: HashMap<i64, Kept>,
    partitions: HashMap<u32, Queue>,
    bytes: usize,
}

struct Kept {
    outcome: v1::Outcome,
    partition: u32,
    sent: bool,
}

#[derive(Default)]
struct Queue {
    started: VecDeque<(Name, i64)>,
    /// In order. Entries that were acknowledged or sent in the meantime are skipped.
    unsent: VecDeque<i64>,
    /// Sent in this session.
    sent: BTreeSet<i64>,
}

fn bytes(outcome: &v1::Outcome) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    outcome.log_tail.len()
        + outcome.message.len()
        + text(&outcome.result)
        + text(&outcome.checkpoint)
}

impl Outbox {
    pub(super) fn add(&mut self, partition: u32, outcome: v1::Outcome) {
        let id = outcome.attempt;
        self.forget(id);
        self.bytes += bytes(&outcome);
        self.outcomes.insert(id, Kept { outcome, partition, sent: false });
        self.partitions.entry(partition).or_default().unsent.push_back(id);
    }

    pub(super) fn started(&mut self, partition: u32, name: Name, at: i64) {
        self.partitions.entry(partition).or_default().started.push_back((name, at));
    }

    /// The next messages of a partition, bounded; `None` if there is nothing to send.
    pub(super) fn next(&mut self, partition: u32) -> Option<(v1::Started, v1::Finished)> {
        let queue = self.partitions.get_mut(&partition)?;
        // An empty batch means that nothing is left, so skipped entries do not count.
        let mut attempts = Vec::new();
        while attempts.len() < BATCH_MAX {
            let Some((Name { id, created_at }, at)) = queue.started.pop_front() else { break };
            // If the attempt has ended, its outcome includes the start time.
            if !self.outcomes.contains_key(&id) {
                attempts.push(v1::StartedAttempt { attempt: id, at, created_at });
            }
        }
        let (mut outcomes, mut size) = (Vec::new(), 0);
        while outcomes.len() < BATCH_MAX && size < BATCH_BYTES {
            let Some(id) = queue.unsent.pop_front() else { break };
            let Some(kept) = self.outcomes.get_mut(&id).filter(|kept| !kept.sent) else { continue };
            kept.sent = true;
            queue.sent.insert(id);
            size += bytes(&kept.outcome);
            outcomes.push(kept.outcome.clone());
        }
        if attempts.is_empty() && outcomes.is_empty() {
            return None;
        }
        Some((v1::Started { attempts }, v1::Finished { outcomes }))
    }

    /// Resends everything that was sent over a session that has ended.
    pub(super) fn resend(&mut self, partition: u32) {
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
        if !name.is(Name::of_outcome(&kept.outcome)) {
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
    pub(super) fn acknowledged(&mut self, name: Name) -> Option<v1::Outcome> {
        let kept = self.outcomes.get(&name.id)?;
        if name.is(Name::of_outcome(&kept.outcome)) { self.forget(name.id) } else { None }
    }

    /// Forgets the attempt with this id, because another attempt uses it.
    pub(super) fn reuse(&mut self, id: i64) {
        self.forget(id);
    }

    fn forget(&mut self, id: i64) -> Option<v1::Outcome> {
        let kept = self.outcomes.remove(&id)?;
        self.bytes -= bytes(&kept.outcome);
        if let Some(queue) = self.partitions.get_mut(&kept.partition) {
            queue.sent.remove(&id);
        }
        Some(kept.outcome)
    }

    pub(super) fn attempts(&self) -> impl Iterator<Item = Name> {
        self.outcomes.values().map(|kept| Name::of_outcome(&kept.outcome))
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

    fn outcome(attempt: i64) -> v1::Outcome {
        v1::Outcome { attempt, created_at: 7, ..v1::Outcome::default() }
    }

    fn name(id: i64) -> Name {
        Name { id, created_at: 7 }
    }

    fn ids(next: Option<(v1::Started, v1::Finished)>) -> Vec<i64> {
        next.map_or_else(Vec::new, |(_, finished)| {
            finished.outcomes.iter().map(|outcome| outcome.attempt).collect()
        })
    }

    #[test]
    fn an_outcome_is_sent_again_after_a_reconnect_until_it_is_acknowledged() {
        let mut outbox = Outbox::default();
        outbox.add(0, outcome(1));
        outbox.add(0, outcome(2));
        assert_eq!(ids(outbox.next(0)), [1, 2]);
        assert!(ids(outbox.next(0)).is_empty());
        assert!(outbox.acknowledged(name(1)).is_some());
        outbox.resend(0);
        assert_eq!(ids(outbox.next(0)), [2]);
        assert!(outbox.acknowledged(name(2)).is_some() && outbox.acknowledged(name(2)).is_none());
        outbox.resend(0);
        assert!(outbox.next(0).is_none() && outbox.len() == 0);
    }

    #[test]
    fn an_outcome_that_is_acknowledged_before_it_is_sent_again_is_not_sent() {
        let mut outbox = Outbox::default();
        for id in 1..=3 {
            outbox.add(0, outcome(id));
        }
        assert_eq!(ids(outbox.next(0)), [1, 2, 3]);
        outbox.resend(0);
        assert!(outbox.acknowledged(name(2)).is_some());
        outbox.resend(0);
        assert_eq!(ids(outbox.next(0)), [1, 3], "in order, each once");
        assert!(outbox.resend_one(name(3)) && outbox.resend_one(name(3)));
        assert_eq!(ids(outbox.next(0)), [3]);
    }

    #[test]
    fn an_acknowledgement_of_another_attempt_with_the_same_id_is_ignored() {
        let mut outbox = Outbox::default();
        outbox.add(0, outcome(1));
        assert!(outbox.acknowledged(Name { id: 1, created_at: 8 }).is_none());
        assert!(!outbox.resend_one(Name { id: 1, created_at: 8 }));
        outbox.reuse(1);
        outbox.add(0, v1::Outcome { created_at: 8, ..outcome(1) });
        assert_eq!(ids(outbox.next(0)), [1], "once, though its id was queued twice");
        assert!(outbox.acknowledged(name(1)).is_none());
        assert!(outbox.acknowledged(Name { id: 1, created_at: 0 }).is_some(), "earlier release");
    }

    #[test]
    fn it_is_full_until_enough_is_acknowledged() {
        let mut outbox = Outbox::default();
        let result = Some("x".repeat(BYTES_MOST / 4));
        for id in 1..=4 {
            assert!(!outbox.is_full());
            outbox.add(0, v1::Outcome { result: result.clone(), ..outcome(id) });
        }
        assert!(outbox.is_full());
        outbox.acknowledged(name(2));
        assert!(!outbox.is_full());
    }

    #[test]
    fn no_start_is_reported_for_an_attempt_that_has_ended() {
        let mut outbox = Outbox::default();
        outbox.started(0, name(1), 5);
        outbox.started(0, name(2), 5);
        outbox.add(0, outcome(1));
        let (started, finished) = outbox.next(0).unwrap();
        assert_eq!(started.attempts.len(), 1);
        assert_eq!(finished.outcomes.len(), 1);
    }

    #[test]
    fn a_start_is_reported_even_if_a_whole_batch_before_it_has_ended() {
        let mut outbox = Outbox::default();
        let ended = i64::try_from(BATCH_MAX).unwrap();
        for id in 0..=ended {
            outbox.started(0, name(id), 5);
        }
        for id in 0..ended {
            outbox.add(0, outcome(id));
        }
        while !ids(outbox.next(0)).is_empty() {}
        for id in 0..=ended {
            outbox.started(0, name(id), 5);
        }
        let (started, _) = outbox.next(0).unwrap();
        let started: Vec<_> = started.attempts.iter().map(|started| started.attempt).collect();
        assert_eq!(started, [ended]);
        assert!(outbox.next(0).is_none());
    }
}
