//! Attempts with acknowledged outcomes. If one is dispatched again, it is answered with its outcome
//! and does not run again.
//!
//! A coordinator dispatches such an attempt if the acknowledgement got lost, or if its store was
//! restored from a backup in which the attempt is still open. The memory is bounded in number, age
//! and bytes: an outcome first loses its result and message, and is forgotten later.

use std::{collections::VecDeque, sync::Arc};

use fastjob_core::{AttemptId, attempt::End, id_map::IdMap};
use jiff::Timestamp;

use super::{
    name::{CreatedAt, Name},
    outcome::Outcome,
};

/// Maximum number of remembered attempts.
const MOST: usize = 100_000;
/// Maximum bytes of their results, messages and checkpoints.
const BYTES_MOST: usize = 8 * 1024 * 1024;
/// Maximum age, in milliseconds.
const AGE: i64 = 10 * 60 * 1_000;

const NOT_KEPT: &str = "the attempt had already ended and was acknowledged; its executor no longer \
                        has the result";

#[derive(Default)]
pub(super) struct Remembered {
    records: IdMap<AttemptId, Record>,
    /// Oldest first. An entry whose record is missing or has another `seq` is stale.
    order: VecDeque<Entry>,
    /// The number of entries at the front of `order` that have lost their texts.
    bare: usize,
    bytes: usize,
    seq: u64,
}

struct Entry {
    at: i64,
    id: AttemptId,
    seq: u64,
}

/// An outcome without its log.
struct Record {
    seq: u64,
    created_at: CreatedAt,
    started_at: Option<Timestamp>,
    ended_at: Timestamp,
    end: End,
    texts: Texts,
}

enum Texts {
    /// The outcome had no texts.
    None,
    Kept(Box<Kept>),
    /// They were dropped to free memory.
    Dropped,
}

struct Kept {
    message: String,
    result: Option<String>,
    checkpoint: Option<Arc<str>>,
}

impl Kept {
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.message.len()
            + self.result.as_ref().map_or(0, String::len)
            + self.checkpoint.as_ref().map_or(0, |json| json.len())
    }
}

impl Remembered {
    /// Remembers an acknowledged outcome.
    pub(super) fn add(&mut self, outcome: Outcome, now_ms: i64) {
        let Outcome { name: Name { id, created_at }, message, result, checkpoint, .. } = outcome;
        self.forget(id);
        let texts = if message.is_empty() && result.is_none() && checkpoint.is_none() {
            Texts::None
        } else {
            let kept = Kept { message, result, checkpoint };
            self.bytes += kept.bytes();
            Texts::Kept(Box::new(kept))
        };
        self.seq += 1;
        let seq = self.seq;
        let record = Record {
            seq,
            created_at,
            started_at: outcome.started_at,
            ended_at: outcome.ended_at,
            end: outcome.end,
            texts,
        };
        self.records.insert(id, record);
        self.order.push_back(Entry { at: now_ms, id, seq });
        while self.bytes > BYTES_MOST && self.bare < self.order.len() {
            self.drop_texts();
        }
        while self.order.len() > MOST || self.order.front().is_some_and(|old| now_ms - old.at > AGE)
        {
            self.drop_oldest();
        }
    }

    /// Removes and returns the outcome of an attempt that is dispatched again. It is remembered
    /// again when it is acknowledged again.
    pub(super) fn take(&mut self, name: Name) -> Option<Outcome> {
        let created_at = self.records.get(&name.id)?.created_at;
        if !name.is(Name { id: name.id, created_at }) {
            return None;
        }
        let record = self.forget(name.id)?;
        let kept = match record.texts {
            Texts::Kept(kept) => *kept,
            Texts::None => Kept { message: String::new(), result: None, checkpoint: None },
            Texts::Dropped => Kept { message: NOT_KEPT.to_owned(), result: None, checkpoint: None },
        };
        Some(Outcome {
            name: Name { id: name.id, created_at: record.created_at },
            started_at: record.started_at,
            ended_at: record.ended_at,
            end: record.end,
            message: kept.message,
            result: kept.result,
            checkpoint: kept.checkpoint,
            log_tail: String::new(),
            log_at: 0,
        })
    }

    /// Forgets the attempt with this id, because another attempt uses it.
    pub(super) fn reuse(&mut self, id: AttemptId) {
        self.forget(id);
    }

    fn forget(&mut self, id: AttemptId) -> Option<Record> {
        let record = self.records.remove(&id)?;
        if let Texts::Kept(kept) = &record.texts {
            self.bytes -= kept.bytes();
        }
        Some(record)
    }

    /// Drops the texts of the oldest outcome that has any.
    fn drop_texts(&mut self) {
        let Some(Entry { id, seq, .. }) = self.order.get(self.bare) else { return };
        self.bare += 1;
        let Some(record) = self.records.get_mut(id).filter(|record| record.seq == *seq) else {
            return;
        };
        if let Texts::Kept(kept) = &record.texts {
            self.bytes -= kept.bytes();
            record.texts = Texts::Dropped;
        }
    }

    fn drop_oldest(&mut self) {
        let Some(Entry { id, seq, .. }) = self.order.pop_front() else { return };
        self.bare = self.bare.saturating_sub(1);
        if self.records.get(&id).is_some_and(|record| record.seq == seq) {
            self.forget(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(id: i64) -> Name {
        Name::of(id, 7)
    }

    fn outcome(id: i64, result: &str) -> Outcome {
        Outcome {
            result: (!result.is_empty()).then(|| result.to_owned()),
            log_tail: "a line".to_owned(),
            ..Outcome::for_test(name(id))
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_in_number_and_age() {
        let mut remembered = Remembered::default();
        for id in 0..(MOST as i64 + 10) {
            remembered.add(outcome(id, ""), 0);
        }
        assert!(remembered.take(name(9)).is_none() && remembered.take(name(10)).is_some());
        remembered.add(outcome(-1, ""), AGE + 1);
        assert!(remembered.take(name(11)).is_none() && remembered.take(name(-1)).is_some());
        assert_eq!((remembered.records.len(), remembered.bytes), (0, 0));
    }

    #[test]
    fn an_outcome_loses_its_result_before_it_is_forgotten() {
        let (mut remembered, long) = (Remembered::default(), "x".repeat(1024 * 1024));
        for id in 0..10 {
            remembered.add(outcome(id, &long), 0);
        }
        assert!(remembered.bytes <= BYTES_MOST);
        let first = remembered.take(name(0)).unwrap();
        assert_eq!(
            (first.end, first.result, first.message),
            (End::Succeeded, None, NOT_KEPT.into())
        );
        let last = remembered.take(name(9)).unwrap();
        assert_eq!((last.result, last.message), (Some(long), String::new()));
    }

    #[test]
    fn an_outcome_that_is_acknowledged_again_is_remembered_from_then_on() {
        let mut remembered = Remembered::default();
        remembered.add(outcome(1, "r"), 0);
        let again = remembered.take(name(1)).unwrap();
        remembered.add(again, AGE);
        remembered.add(outcome(2, ""), AGE + 1);
        assert_eq!(remembered.take(name(1)).unwrap().result.as_deref(), Some("r"));
    }

    #[test]
    fn an_attempt_with_another_creation_time_is_another_attempt() {
        let mut remembered = Remembered::default();
        remembered.add(outcome(1, "r"), 0);
        assert!(remembered.take(Name::of(1, 8)).is_none());
        assert!(remembered.take(Name::of(1, 0)).is_some(), "an earlier release");
        remembered.add(outcome(1, "r"), 0);
        remembered.reuse(AttemptId(1));
        assert!(remembered.take(name(1)).is_none());
        assert_eq!(remembered.bytes, 0);
    }
}
