//! The binary form of a record.
//!
//! A record is in the form of [`binary`](crate::store::binary): first the checksum of the record before
//! it (0 if there was none), four bytes in little-endian order, then changes. Because each checksum
//! covers the previous one, two journals that have the same checksum at the same number have the same
//! history. A change is a code byte and numbers. Ids and instants are written as differences from the
//! previous ones of the record, so that the usual task takes about twenty bytes. A record with an
//! unknown version, code or flag is rejected as a whole: it was written by a newer release.

mod reader;
mod writer;

pub(super) use self::{reader::Reader, writer::Writer};
use crate::store::binary::CHECK;

/// Whether all of a record can be read.
pub(super) fn is_readable(bytes: &[u8]) -> bool {
    let Ok(mut reader) = Reader::new(bytes) else { return false };
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// The version of the format.
const VERSION: u8 = 1;
/// The size of what precedes the changes, in bytes.
const HEADER: usize = 1 + CHECK;

const TASK: u8 = 1;
const ATTEMPT: u8 = 2;
const END: u8 = 3;
const CANCEL: u8 = 4;
const SPREAD: u8 = 5;
const PLACE: u8 = 6;
const MOVE: u8 = 7;
const NOTE: u8 = 8;

// Which of the optional values follow.
const FIRE_IS_DUE: u64 = 1;
const FIRE: u64 = 1 << 1;
const LIFE: u64 = 1 << 2;
const SHARD: u64 = 1 << 3;
const NUMBER: u64 = 1 << 4;
/// Of tasks only.
const STATE: u64 = 1 << 5;
const PARAM: u64 = 1 << 6;
const PARENT: u64 = 1 << 7;
const LINEAGE: u64 = 1 << 8;
const WANTED: u64 = 1 << 9;
const NOTED: u64 = 1 << 10;
const HAS_ROWS: u64 = 1 << 11;
const HEAD_ENDED: u64 = 1 << 12;
const RERUN: u64 = 1 << 13;
const TRACE: u64 = 1 << 14;
const OF_ATTEMPTS: u64 = FIRE_IS_DUE | FIRE | LIFE | SHARD | NUMBER;
/// Of the flags of a trace.
const IS_SAMPLED: u64 = 1;
const HAS_STATE: u64 = 1 << 1;
const OF_TRACES: u64 = IS_SAMPLED | HAS_STATE;
const OF_TASKS: u64 = (1 << 15) - 1;
