//! Open attempts of a clock that was wrong.

use jiff::Timestamp;

use super::{
    Journal,
    stage::{Record, Writing},
};
use crate::store::{Attempt, Partition};

/// A repair begins a new record after this many bytes.
const RECORD: usize = 4 * 1024 * 1024;
/// Most bytes of records in one statement, unless it has only one.
#[cfg(feature = "postgres")]
const STATEMENT: usize = 16 * 1024 * 1024;

/// Sets the due time of open attempts that were created later than `now`. Returns the records that
/// replace the journal; none if there is no such attempt. See
/// [`RepairStore`](crate::store::RepairStore).
pub(in crate::store) fn set_back(
    partition: Partition,
    journal: &mut Journal,
    now: Timestamp,
) -> Vec<Record> {
    let mut records = Vec::new();
    if later_than(journal, now) == 0 {
        return records;
    }
    let mut ids: Vec<_> = journal.tasks.keys().copied().collect();
    ids.sort_unstable();
    let removed = journal.first_seq()..journal.next_seq();
    let mut writing = Writing::of(journal);
    for id in ids {
        let Some(task) = journal.tasks.get_mut(&id) else { continue };
        for open in &mut task.open {
            if !is_later(&open.row, now) {
                continue;
            }
            let delay = open.row.due_at.duration_since(open.row.created_at);
            let delayed = now.saturating_add(delay).unwrap_or(now);
            open.row.due_at = if open.life.is_none() { delayed } else { now };
            if open.row.is_head() {
                task.head.due_at = open.row.due_at;
            }
        }
        let base = task.base;
        journal.carry(id, base, &mut writing.writer, &mut writing.segment);
        if writing.writer.len() > RECORD {
            let before = journal.first_seq();
            records.push(writing.complete(partition, journal, before));
            writing = Writing::of(journal);
        }
    }
    if !writing.writer.is_empty() {
        let before = journal.first_seq();
        records.push(writing.complete(partition, journal, before));
    }
    // All that they said is in the new ones.
    while journal.records.front().is_some_and(|first| first.seq < removed.end) {
        if let Some(first) = journal.records.pop_front() {
            journal.bytes -= first.bytes;
        }
    }
    if let Some(last) = records.last_mut() {
        last.removed = removed;
    }
    records
}

/// The records in pieces that one statement can write: a message to a database has a maximum size.
#[cfg(feature = "postgres")]
pub(in crate::store) fn pieces(records: &[Record]) -> impl Iterator<Item = &[Record]> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let mut fits = |record: &Record| {
            bytes += record.bytes.len();
            bytes <= STATEMENT
        };
        let some = rest.iter().take_while(|record| fits(record)).count().max(1);
        let (piece, later) = rest.split_at_checked(some)?;
        rest = later;
        Some(piece)
    })
}

/// How many open attempts were created later than `now`, and are due later still.
pub(in crate::store) fn later_than(journal: &Journal, now: Timestamp) -> usize {
    let attempts = journal.tasks.values().flat_map(|task| &task.open);
    attempts.filter(|open| is_later(&open.row, now)).count()
}

fn is_later(row: &Attempt, now: Timestamp) -> bool {
    row.created_at > now && row.due_at >= row.created_at
}
