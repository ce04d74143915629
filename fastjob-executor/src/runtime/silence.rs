//! Silence: how long the owner of a partition has not been heard, and what that means for exclusive
//! attempts.
//!
//! A coordinator that has abandoned this executor dispatches its exclusive attempts elsewhere. So
//! that two never run at a time, the executor must end its own attempts first. It counts from when
//! it sent the last heartbeat that was answered; the coordinator received it later than that. At
//! the limit, exclusive attempts are stopped; a third of the limit later, they are aborted. The
//! coordinator waits for five thirds of the limit. The limit is long enough for another node to
//! take over the partition.
//!
//! All times include the time that the machine was suspended, as the coordinator's do. Attempts
//! that still run when the machine resumes are ended at the next check, at most half a second
//! later. During that time, such an attempt may run beside another one; this cannot be prevented.

use std::time::Duration;

use fastjob_core::{Partition, id_map::IdMap};

/// When the owner of a partition is last known to have heard this executor.
#[derive(Default)]
pub(super) struct Silence {
    partitions: IdMap<Partition, Heard>,
}

struct Heard {
    at: Duration,
    /// Zero: silence has no effect.
    limit: Duration,
    done: Option<Cut>,
}

/// What is done to the exclusive attempts of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Cut {
    Stop,
    Abort,
}

impl Heard {
    /// When this step is due.
    fn comes_at(&self, cut: Cut) -> Duration {
        match cut {
            Cut::Stop => self.at + self.limit,
            Cut::Abort => self.at + self.limit * 4 / 3,
        }
    }

    /// The next step that has not been done yet.
    fn next(&self) -> Option<Cut> {
        match self.done {
            _ if self.limit.is_zero() => None,
            None => Some(Cut::Stop),
            Some(Cut::Stop) => Some(Cut::Abort),
            Some(Cut::Abort) => None,
        }
    }
}

impl Silence {
    /// A message that was sent at `at` has been answered.
    pub(super) fn heard(&mut self, partition: Partition, at: Duration, limit: Duration) {
        let heard = self.partitions.entry(partition).or_insert(Heard { at, limit, done: None });
        heard.limit = limit;
        if heard.at < at {
            heard.at = at;
            heard.done = None;
        }
    }

    /// Whether exclusive attempts of the partition must not run now.
    pub(super) fn is_cut(&self, partition: Partition, now: Duration) -> bool {
        let heard = self.partitions.get(&partition);
        heard.is_some_and(|heard| !heard.limit.is_zero() && heard.comes_at(Cut::Stop) <= now)
    }

    /// Returns the steps that are due; each step of a silence is returned once.
    pub(super) fn due(&mut self, now: Duration) -> Vec<(Partition, Cut)> {
        let mut due = Vec::new();
        for (partition, heard) in &mut self.partitions {
            while let Some(cut) = heard.next().filter(|cut| heard.comes_at(*cut) <= now) {
                heard.done = Some(cut);
                due.push((*partition, cut));
            }
        }
        due
    }

    /// When the next step is due, unless a coordinator is heard before.
    pub(super) fn next(&self) -> Option<Duration> {
        self.partitions.values().filter_map(|heard| Some(heard.comes_at(heard.next()?))).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(3);
    const IT: Partition = Partition(0);

    #[test]
    fn each_step_of_a_silence_is_returned_once() {
        let (mut silence, start) = (Silence::default(), Duration::from_secs(100));
        silence.heard(IT, start, LIMIT);
        assert!(silence.due(start).is_empty() && !silence.is_cut(IT, start));
        assert_eq!(silence.next(), Some(start + LIMIT));
        assert_eq!(silence.due(start + LIMIT), [(IT, Cut::Stop)]);
        assert!(silence.is_cut(IT, start + LIMIT));
        assert_eq!(silence.next(), Some(start + LIMIT * 4 / 3));
        assert_eq!(silence.due(start + LIMIT * 9), [(IT, Cut::Abort)]);
        assert!(silence.due(start + LIMIT * 9).is_empty() && silence.next().is_none());
    }

    #[test]
    fn an_answer_counts_from_when_its_message_was_sent() {
        let (mut silence, start) = (Silence::default(), Duration::from_secs(100));
        silence.heard(IT, start + LIMIT, LIMIT);
        silence.heard(IT, start, LIMIT); // an older answer that arrives late
        assert!(!silence.is_cut(IT, start + LIMIT));
        assert_eq!(silence.due(start + LIMIT * 3), [(IT, Cut::Stop), (IT, Cut::Abort)]);
        silence.heard(IT, start + LIMIT * 3, LIMIT);
        assert!(!silence.is_cut(IT, start + LIMIT * 3));
        assert_eq!(silence.next(), Some(start + LIMIT * 4));
    }

    #[test]
    fn without_a_limit_silence_has_no_effect() {
        let (mut silence, start) = (Silence::default(), Duration::from_secs(100));
        silence.heard(IT, start, Duration::ZERO);
        let late = start + LIMIT * 100;
        assert!(silence.due(late).is_empty() && silence.next().is_none());
        assert!(!silence.is_cut(IT, late) && !silence.is_cut(Partition(1), late));
    }
}
