//! Notes of the logs that are being uploaded, so that a process that starts again with the same
//! folder uploads the rest. A log that was never begun has no note.

use fastjob_core::{AttemptId, TaskId};

use super::{Log, Origin};

/// Maximum number of logs that a process takes over from an earlier one.
pub(in crate::logs) const NOTES_MAX: usize = 10_000;

/// The text of a note.
pub(super) fn write(log: &Log) -> String {
    let Log { attempt: _, origin: Origin { task, created_at }, day } = log;
    format!("{task} {created_at} {day}\n")
}

/// Reads a note; `None` if it is not one, for example because the disk was full.
pub(super) fn read(attempt: AttemptId, text: &str) -> Option<Log> {
    let mut words = text.strip_suffix('\n')?.split(' ');
    let task = TaskId(words.next()?.parse().ok()?);
    let created_at = words.next()?.parse().ok()?;
    let day = words.next()?.parse().ok()?;
    words.next().is_none().then_some(Log { attempt, origin: Origin { task, created_at }, day })
}
