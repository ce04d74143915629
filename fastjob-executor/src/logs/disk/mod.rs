//! The log files: one per attempt, in one folder per day.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

use fastjob_core::AttemptId;

#[cfg(not(unix))]
pub(super) use self::other::Disk;
#[cfg(unix)]
pub(super) use self::unix::Disk;

fn name(id: AttemptId) -> String {
    format!("{id}.log")
}
