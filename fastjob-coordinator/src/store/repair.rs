//! Manual repairs of a store that no coordinator uses.

use jiff::Timestamp;

use super::{Error, Partition, Result};

/// Ids stay below this, so that JSON can represent them.
pub(super) const IDS_MOST: i64 = 1 << 53;

/// The recorded progress of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) partition: Partition,
    pub(crate) watermark: Option<Timestamp>,
    pub(crate) clock: Option<Timestamp>,
    /// Ids below this may have been used.
    pub(crate) ids_until: i64,
}

/// What is recorded, and how much of it is later than now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Of all partitions, by number.
    pub(crate) marks: Vec<Marks>,
    /// Jobs whose anchor is later than now.
    pub(crate) anchors: u64,
    /// Open attempts that were created later than now, and are due later still.
    pub(crate) attempts: u64,
    /// The clock of the database, if it has its own.
    pub(crate) clock: Option<Timestamp>,
}

impl Survey {
    /// The number of anchors is the database's.
    pub(super) fn new(
        marks: Vec<Marks>,
        anchors: i64,
        attempts: usize,
        clock: Option<Timestamp>,
    ) -> Self {
        let anchors = u64::try_from(anchors).unwrap_or_default();
        Self { marks, anchors, attempts: attempts as u64, clock }
    }
}

/// Checks that ids which reach `until` can be raised by `by`.
///
/// # Errors
///
/// Fails with [`Error::NoMoreIds`] if they cannot.
pub(super) fn check_room(until: i64, by: i64) -> Result<()> {
    if until > IDS_MOST - by { Err(Error::NoMoreIds { until, by }) } else { Ok(()) }
}

/// Manual repairs. Those that write fail with [`Error::Alive`](super::Error::Alive) while a
/// coordinator uses a shared store, and end all leases that a node may still hold.
#[async_trait::async_trait]
pub(crate) trait RepairStore: Send + Sync {
    /// Reports what is recorded, and what of it is later than `now`. Changes nothing.
    async fn survey(&self, now: Timestamp) -> Result<Survey>;
    /// Sets clocks, watermarks and anchors that are later than `now` back to it. Open attempts that
    /// were created later than `now` become due after the same delay from now; those with an
    /// executor become due at once. Their creation time is kept, because it identifies them.
    /// Returns what was recorded before.
    async fn set_back(&self, now: Timestamp) -> Result<Survey>;
    /// Raises the ids of every partition by `by`, so that no id below is used again. Returns what
    /// was recorded before.
    async fn lift_ids(&self, by: i64) -> Result<Vec<Marks>>;
    /// How many tasks the history has.
    async fn count_tasks(&self) -> Result<u64>;
    /// Rebuilds the index of the history. Returns how many tasks it has.
    async fn rebuild_index(&self) -> Result<u64>;
}

/// Reads the tasks after an id for the index, in the order of their ids. The columns are in the order
/// that [`indexed`](super::rows::index::indexed) expects. Jobs are removed after their tasks, so each
/// task has a service, unless the store was changed by hand.
///
/// The last columns are of the attempt with which the task ended. If it had several, that one ended
/// when the task did; of several that ended then, it is the one with the highest id.
pub(super) const INDEXED: &str = "\
    select t.id, t.job, t.state, t.created_at, t.ended_at, j.service, t.cause, t.fire_at, \
    case when t.due_at is not null then 1 else coalesce((select a.number from attempts a \
    where a.task = t.id and a.ended_at = t.ended_at order by a.id desc limit 1), 1) end, \
    coalesce(t.due_at, (select a.due_at from attempts a \
    where a.task = t.id and a.ended_at = t.ended_at order by a.id desc limit 1), t.created_at), \
    case when t.due_at is not null then t.started_at else (select a.started_at from attempts a \
    where a.task = t.id and a.ended_at = t.ended_at order by a.id desc limit 1) end \
    from tasks t left join jobs j on j.id = t.job where t.id > $1 order by t.id limit 50000";
