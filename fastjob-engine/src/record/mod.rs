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

pub use fastjob_core::{Lease, Partition};

pub(crate) use self::jobs::bytes;
pub use self::{
    alarms::{AlarmKind, AlarmRow},
    attempts::{
        Attempt, Checkpoint, ChildStart, EndedAttempt, LifeRow, Lineage, MovedTask, NOT_SPREAD,
        NewAttempt, Placed, RerunOf, SpreadTask, TaskTrace,
    },
    commit::Commit,
    jobs::{JobLink, JobRow, definition_bytes},
    loaded::{EndedShard, Loaded, LoadedJobs, OpenAttempt},
};

/// Identifies one life of an executor's process in the store. Never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LifeId(pub i64);

/// Who owns the definition of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The code that declares it, beside its handler. The job follows the code, apart from
    /// [`Overrides`].
    Code,
    /// A person or a program that saved it over the API. Code does not change it.
    Api,
}

/// Which settings of a job of code a person has set. They stay whatever the code declares, until a
/// person sets them as the code has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Whether the job is enabled.
    pub enabled: bool,
    /// Its alarm channels and thresholds.
    pub alarms: bool,
}
