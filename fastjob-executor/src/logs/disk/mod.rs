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

/// The folder of the notes of logs that are being uploaded.
const NOTES: &str = "pending";
/// Maximum bytes of a note.
const NOTE_MAX: u64 = 256;

/// Which notes are read if there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoteOrder {
    LatestFirst,
    OldestFirst,
}

impl NoteOrder {
    fn sort(self, ids: &mut [i64]) {
        ids.sort_unstable();
        if self == Self::LatestFirst {
            ids.reverse();
        }
    }
}

fn name(id: AttemptId) -> String {
    format!("{id}.log")
}
