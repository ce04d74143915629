//! The binary form of a record.
//!
//! A record is changes in the form of [`binary`](crate::store::binary). A change is a code byte and
//! numbers. Ids and instants are written as differences from the previous ones of the record, so that
//! the usual task takes about twenty bytes. A record with an unknown version, code or flag is rejected
//! as a whole: it was written by a newer release.

mod reader;
mod writer;

pub(super) use self::{reader::Reader, writer::Writer};

/// The version of the format.
const VERSION: u8 = 1;

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
const OF_ATTEMPTS: u64 = FIRE_IS_DUE | FIRE | LIFE | SHARD | NUMBER;
const OF_TASKS: u64 = (1 << 13) - 1;
