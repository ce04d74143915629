//! The binary form of entries.
//!
//! A block is groups in the form of [`binary`](crate::store::binary). A group has the tasks of one
//! key: the kind, the value as a difference from the previous group of that kind, the number of
//! tasks, the first task as a difference from the first one of the previous group, and the gaps
//! between tasks. A group of statistics has minutes instead of tasks, and the
//! [statistics](crate::store::stats) after each of them.

use std::ops::Range;

use super::{Entry, Key};
use crate::store::{
    Error, Result,
    binary::{CHECK, Read, read_signed, read_unsigned, seal, unseal, write_signed, write_unsigned},
    stats::Stats,
};

/// The version of the format.
const VERSION: u8 = 2;
/// A block ends when it has this many bytes: with its columns it fits into a page of SQLite, which
/// has 4,096 bytes, and two of them into a page of PostgreSQL. The statistics of many tasks may make
/// it larger.
const BYTES: usize = 3_600;

/// Entries that are stored together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Block {
    /// Its first entry, by which it is found.
    pub(in crate::store) first: Entry,
    pub(in crate::store) bytes: Vec<u8>,
}

/// Writes entries, which have to come in their order, as blocks.
#[derive(Debug, Default)]
pub(super) struct Writer {
    blocks: Vec<Block>,
    /// The block that is being written; empty if there is none.
    bytes: Vec<u8>,
    first: Option<Entry>,
    group: Option<Group>,
    /// The gaps of the group, and statistics.
    rest: Vec<u8>,
    last: Last,
}

/// The tasks of a key.
#[derive(Debug)]
struct Group {
    key: Key,
    first: i64,
    last: i64,
    count: u64,
}

/// What the next group differs from.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    kind: u8,
    value: i64,
    task: i64,
}

impl Writer {
    /// Adds an entry. One that equals the last one is left out.
    pub(super) fn push(&mut self, entry: Entry) {
        self.add(entry, &[]);
    }

    /// Adds an entry with statistics in their binary form. No two of them are equal.
    pub(super) fn push_stats(&mut self, entry: Entry, stats: &[u8]) {
        self.add(entry, stats);
    }

    fn add(&mut self, entry: Entry, stats: &[u8]) {
        let Entry { key, task } = entry;
        let written = self.bytes.len();
        if let Some(group) = self.group.as_mut().filter(|group| group.key == key) {
            if task == group.last {
                return;
            }
            if written + self.rest.len() < BYTES {
                write_unsigned(&mut self.rest, task.wrapping_sub(group.last).cast_unsigned());
                self.rest.extend_from_slice(stats);
                (group.last, group.count) = (task, group.count + 1);
                return;
            }
        }
        self.end_group();
        if self.bytes.len() >= BYTES {
            self.end_block();
        }
        self.first.get_or_insert(entry);
        self.group = Some(Group { key, first: task, last: task, count: 1 });
        self.rest.extend_from_slice(stats);
    }

    /// The blocks of all entries.
    pub(super) fn finish(mut self) -> Vec<Block> {
        self.end_group();
        self.end_block();
        self.blocks
    }

    fn end_group(&mut self) {
        let Some(group) = self.group.take() else { return };
        if self.bytes.is_empty() {
            self.bytes.push(VERSION);
            self.last = Last::default();
        }
        let Key { kind, value } = group.key;
        let before = if kind == self.last.kind { self.last.value } else { 0 };
        self.bytes.push(kind);
        write_signed(&mut self.bytes, value.wrapping_sub(before));
        write_unsigned(&mut self.bytes, group.count);
        write_signed(&mut self.bytes, group.first.wrapping_sub(self.last.task));
        self.bytes.append(&mut self.rest);
        self.last = Last { kind, value, task: group.first };
    }

    fn end_block(&mut self) {
        let Some(first) = self.first.take() else { return };
        let (bytes, _) = seal(std::mem::take(&mut self.bytes));
        self.blocks.push(Block { first, bytes });
    }
}

/// Reads the entries of a block, in their order.
///
/// # Errors
///
/// Fails with [`Error::Corrupt`] if a newer release wrote the block, or if it was damaged.
pub(super) fn entries(bytes: &[u8]) -> Result<Vec<Entry>> {
    // Many entries have a single byte.
    let mut entries = Vec::with_capacity(bytes.len());
    visit(bytes, |entry, _| entries.push(entry))?;
    Ok(entries)
}

/// Calls `each` with the entries of a block, in their order, and where in `bytes` their statistics
/// are: an empty range if they have none.
///
/// # Errors
///
/// Fails with [`Error::Corrupt`] if a newer release wrote the block, or if it was damaged.
pub(super) fn visit(bytes: &[u8], mut each: impl FnMut(Entry, Range<usize>)) -> Result<()> {
    let until = bytes.len().saturating_sub(CHECK);
    read(bytes, |entry, rest| {
        let from = until - rest.len();
        if entry.key.has_stats() {
            Stats::read(rest, None)?;
        }
        each(entry, from..until - rest.len());
        Ok(())
    })
}

/// Says that a block cannot be read.
pub(super) fn corrupt(why: String) -> Error {
    Error::Corrupt { what: format!("a block of the index of tasks: {why}") }
}

/// Calls `each` with the entries of a block, in their order, and the bytes after each. If the entry
/// has statistics, it has to read them from the front.
///
/// # Errors
///
/// Fails with [`Error::Corrupt`] if a newer release wrote the block, if it was damaged, or if `each`
/// fails.
pub(super) fn read(bytes: &[u8], each: impl FnMut(Entry, &mut &[u8]) -> Read<()>) -> Result<()> {
    walk(bytes, each).map_err(corrupt)
}

fn walk(bytes: &[u8], mut each: impl FnMut(Entry, &mut &[u8]) -> Read<()>) -> Read<()> {
    let (mut rest, _) = unseal(bytes, VERSION)?;
    let mut last = Last::default();
    while let Some((kind, after)) = rest.split_first() {
        rest = after;
        let before = if *kind == last.kind { last.value } else { 0 };
        let value = before.wrapping_add(read_signed(&mut rest)?);
        let key = Key { kind: *kind, value };
        let count = read_unsigned(&mut rest)?;
        let mut task = last.task.wrapping_add(read_signed(&mut rest)?);
        last = Last { kind: *kind, value, task };
        for nth in 0..count.max(1) {
            if nth > 0 {
                task = task.wrapping_add(read_unsigned(&mut rest)?.cast_signed());
            }
            each(Entry { key, task }, &mut rest)?;
        }
    }
    Ok(())
}
