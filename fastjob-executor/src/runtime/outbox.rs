//! What is to be delivered: outcomes until the coordinator has them in its store.

use std::collections::{HashMap, HashSet, VecDeque};

use fastjob_core::wire::{BATCH_BYTES, BATCH_MAX, v1};

/// Outcomes that nobody has acknowledged, and handlers that were entered, by partition.
#[derive(Default)]
pub(crate) struct Outbox {
    partitions: HashMap<u32, Queue>,
    /// Which partition an outcome belongs to.
    of: HashMap<i64, u32>,
}

#[derive(Default)]
struct Queue {
    started: Vec<(i64, i64)>,
    unsent: VecDeque<v1::Outcome>,
    sent: HashMap<i64, v1::Outcome>,
}

impl Outbox {
    pub(super) fn add(&mut self, partition: u32, outcome: v1::Outcome) {
        self.of.insert(outcome.attempt, partition);
        self.partitions.entry(partition).or_default().unsent.push_back(outcome);
    }

    pub(super) fn started(&mut self, partition: u32, id: i64, at: i64) {
        self.partitions.entry(partition).or_default().started.push((id, at));
    }

    /// The next messages of a partition, bounded; `None` when there is nothing to say.
    pub(super) fn next(&mut self, partition: u32) -> Option<(v1::Started, v1::Finished)> {
        let of = &self.of;
        let queue = self.partitions.get_mut(&partition)?;
        if queue.started.is_empty() && queue.unsent.is_empty() {
            return None;
        }
        let rest = queue.started.split_off(queue.started.len().min(BATCH_MAX));
        let attempts = std::mem::replace(&mut queue.started, rest)
            .into_iter()
            // One that has ended since says so itself.
            .filter(|(id, _)| !of.contains_key(id))
            .map(|(attempt, at)| v1::StartedAttempt { attempt, at, created_at: 0 })
            .collect();
        let (mut outcomes, mut bytes) = (Vec::new(), 0);
        while outcomes.len() < BATCH_MAX && bytes < BATCH_BYTES {
            let Some(outcome) = queue.unsent.pop_front() else { break };
            bytes += outcome.log_tail.len()
                + outcome.message.len()
                + outcome.result.as_ref().map_or(0, String::len)
                + outcome.checkpoint.as_ref().map_or(0, String::len);
            outcomes.push(outcome.clone());
            queue.sent.insert(outcome.attempt, outcome);
        }
        Some((v1::Started { attempts }, v1::Finished { outcomes }))
    }

    /// What was sent over a session that has ended goes out again.
    pub(super) fn resend(&mut self, partition: u32) {
        if let Some(queue) = self.partitions.get_mut(&partition) {
            queue.started.clear();
            let mut sent: Vec<_> = queue.sent.drain().map(|(_, outcome)| outcome).collect();
            sent.sort_by_key(|outcome| outcome.attempt);
            for outcome in sent.into_iter().rev() {
                queue.unsent.push_front(outcome);
            }
        }
    }

    /// Sends one outcome again; `false` if there is none.
    pub(super) fn resend_one(&mut self, id: i64) -> bool {
        let Some(partition) = self.of.get(&id) else { return false };
        if let Some(queue) = self.partitions.get_mut(partition)
            && let Some(outcome) = queue.sent.remove(&id)
        {
            queue.unsent.push_back(outcome);
        }
        true
    }

    /// Forgets an outcome; `false` if it was not known.
    pub(super) fn acknowledged(&mut self, id: i64) -> bool {
        let Some(partition) = self.of.remove(&id) else { return false };
        if let Some(queue) = self.partitions.get_mut(&partition)
            && queue.sent.remove(&id).is_none()
        {
            // Acknowledged on an earlier session, and queued for this one again.
            queue.unsent.retain(|outcome| outcome.attempt != id);
        }
        true
    }

    pub(super) fn attempts(&self) -> impl Iterator<Item = i64> {
        self.of.keys().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }
}

/// Most attempts that are remembered after their acknowledgement.
const MOST: usize = 100_000;
/// How long they are remembered at most, in milliseconds.
const AGE: i64 = 10 * 60 * 1_000;

/// Attempts that are over and acknowledged: a doubled dispatch of one is not run.
#[derive(Default)]
pub(super) struct Remembered {
    ids: HashSet<i64>,
    order: VecDeque<(i64, i64)>,
}

impl Remembered {
    pub(super) fn add(&mut self, id: i64, now_ms: i64) {
        self.ids.insert(id);
        self.order.push_back((now_ms, id));
        while self.order.len() > MOST || self.order.front().is_some_and(|(at, _)| now_ms - at > AGE)
        {
            if let Some((_, old)) = self.order.pop_front() {
                self.ids.remove(&old);
            }
        }
    }

    pub(super) fn has(&self, id: i64) -> bool {
        self.ids.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(attempt: i64) -> v1::Outcome {
        v1::Outcome { attempt, ..v1::Outcome::default() }
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
        assert!(outbox.acknowledged(1));
        outbox.resend(0);
        assert_eq!(ids(outbox.next(0)), [2]);
        assert!(outbox.acknowledged(2) && !outbox.acknowledged(2));
        outbox.resend(0);
        assert!(outbox.next(0).is_none() && outbox.is_empty());
    }

    #[test]
    fn a_start_is_not_told_of_what_has_ended() {
        let mut outbox = Outbox::default();
        outbox.started(0, 1, 5);
        outbox.started(0, 2, 5);
        outbox.add(0, outcome(1));
        let (started, finished) = outbox.next(0).unwrap();
        assert_eq!(started.attempts.len(), 1);
        assert_eq!(finished.outcomes.len(), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded_in_number_and_age() {
        let mut remembered = Remembered::default();
        for id in 0..(MOST as i64 + 10) {
            remembered.add(id, 0);
        }
        assert!(!remembered.has(9) && remembered.has(10));
        remembered.add(-1, AGE + 1);
        assert!(!remembered.has(10) && remembered.has(-1));
    }
}
