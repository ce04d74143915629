//! The records of the engine: what it writes to the store, and what it loads from it.
//!
//! A [`Commit`] is applied atomically, and every part of it is idempotent, so that a commit whose
//! answer was lost can be sent again. Inserts ignore existing rows, the watermark only grows, and
//! an outcome is applied only to an attempt that is still open.

mod alarms;
mod attempts;
mod commit;
mod jobs;
mod loaded;

use fastjob_core::{JobName, ServiceName};

pub use self::{
    alarms::{AlarmKind, AlarmRow},
    attempts::{
        Attempt, Checkpoint, ChildStart, EndedAttempt, LifeRow, Lineage, MovedTask, NOT_SPREAD,
        NewAttempt, Placed, SpreadTask,
    },
    commit::Commit,
    jobs::{JobLink, JobRow, definition_bytes},
    loaded::{EndedShard, Loaded, OpenAttempt},
};

/// A slice of the jobs, and of everything that belongs to them. The partition of an id is the
/// remainder of its division by the number of partitions. A store that one coordinator uses has one
/// partition.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Partition(pub u32);

impl Partition {
    /// The partition of an attempt, a task or a job, by its id.
    pub fn of_id(id: i64, partitions: u32) -> Self {
        Self(u32::try_from(id.rem_euclid(i64::from(partitions.max(1)))).unwrap_or_default())
    }

    /// The partition of a job, by its name. A new job gets an id of this partition.
    pub fn of_name(service: &ServiceName, name: &JobName, partitions: u32) -> Self {
        Self::of_text(&format!("{service}.{name}"), partitions)
    }

    /// The partition of a text, by its FNV-1a hash. It must stay the same in every release.
    pub fn of_text(text: &str, partitions: u32) -> Self {
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // The low bits of FNV are its weakest.
        let mixed = hash ^ (hash >> 32);
        Self(u32::try_from(mixed % u64::from(partitions.max(1))).unwrap_or_default())
    }
}

/// The right of one engine to act on a partition.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Lease {
    /// The partition.
    pub partition: Partition,
    /// Grows each time the partition gets a new owner. A lease with a lower term is lost.
    pub term: i64,
}

/// Identifies one life of an executor's process in the store. Never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LifeId(pub i64);

/// Who defined a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Declared in code, beside its handler. It follows the code until it is saved, switched or
    /// deleted over the API.
    Code,
    /// Saved by a user or a program over the API. Code does not change it.
    Api,
}
