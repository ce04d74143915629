//! Repairs by hand, of a store that no coordinator uses.

use jiff::Timestamp;

use super::{Partition, Result};

/// Ids stay below this, so that JSON holds them.
pub(crate) const IDS_MOST: i64 = 1 << 53;

/// How far a partition is, as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) partition: Partition,
    pub(crate) watermark: Option<Timestamp>,
    pub(crate) clock: Option<Timestamp>,
    /// Ids below this may have been used.
    pub(crate) ids_until: i64,
}

/// What is recorded, and what of it is later than now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Of all partitions, by number.
    pub(crate) marks: Vec<Marks>,
    /// Jobs whose schedule counts from later than now.
    pub(crate) anchors: u64,
    /// Open attempts that were made later than now, and are due later still.
    pub(crate) attempts: u64,
    /// The clock of a database that has its own.
    pub(crate) clock: Option<Timestamp>,
}

/// Repairs by hand. Those that write fail with [`Error::Alive`](super::Error::Alive) while a
/// coordinator uses a store that several may use, and end what one may still hold.
#[async_trait::async_trait]
pub(crate) trait RepairStore: Send + Sync {
    /// What there is, and what of it is later than `now`. Changes nothing.
    async fn survey(&self, now: Timestamp) -> Result<Survey>;
    /// Sets clocks, watermarks and anchors that are later than `now` back to it. Open attempts that
    /// were made later than `now` are due after the same delay from now; those that have an executor
    /// are due at once. When they were made is left: it is part of their name. Returns what it found.
    async fn set_back(&self, now: Timestamp) -> Result<Survey>;
    /// Uses no id again that is less than `by` above those in use, in any partition. Returns what
    /// it found.
    async fn lift_ids(&self, by: i64) -> Result<Vec<Marks>>;
}
