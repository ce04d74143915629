//! One attempt's log while it is written.
//!
//! Lines gather in memory; whoever holds `disk` appends them to the file, in order: the writer's
//! thread, or a reader who wants to see them now. The file is opened for each piece that is
//! written, so that thousands of running attempts hold no file open.

use std::{
    fmt,
    io::Write as _,
    mem,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use fastjob_core::{AttemptId, JobLog};
use jiff::{Timestamp, civil::Date};

use super::{
    Inner, lock,
    text::{self, Tail},
    utc_day,
};
use crate::clock;

/// Most bytes of one attempt's file.
pub(super) const FILE_MAX: usize = 64 * 1024 * 1024;

/// Where one attempt's lines go. Cheap to clone; all clones are the same log.
#[derive(Clone)]
pub(crate) struct AttemptLog(Arc<Live>);

impl AttemptLog {
    pub(super) fn new(live: Arc<Live>) -> Self {
        Self(live)
    }

    /// The last lines, as many as travel with an outcome.
    pub(crate) fn tail(&self) -> String {
        lock(&self.0.lines).tail.text()
    }

    /// Says that the attempt is over: readers learn that no more comes, later lines are left out.
    pub(crate) fn finish(&self) {
        lock(&self.0.lines).ended = true;
    }
}

impl JobLog for AttemptLog {
    fn line(&self, text: fmt::Arguments<'_>) {
        self.0.append(text);
    }
}

pub(super) struct Live {
    id: AttemptId,
    began: Timestamp,
    logs: Arc<Inner>,
    lines: Mutex<Lines>,
    /// Held while the file is written; never taken while `lines` is held.
    disk: Mutex<()>,
}

#[derive(Default)]
struct Lines {
    pending: String,
    tail: Tail,
    /// Bytes that the file has or will have.
    size: usize,
    /// Entries left out since the last piece was written, for want of room to wait in.
    missed: u64,
    queued: bool,
    full: bool,
    failed: bool,
    ended: bool,
}

impl Live {
    pub(super) fn new(id: AttemptId, began: Timestamp, logs: Arc<Inner>) -> Arc<Self> {
        Arc::new(Self { id, began, logs, lines: Mutex::default(), disk: Mutex::default() })
    }

    pub(super) fn day(&self) -> Date {
        utc_day(self.began)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.logs.disk.path(self.day(), self.id)
    }

    pub(super) fn has_ended(&self) -> bool {
        lock(&self.lines).ended
    }

    /// Nothing is written while the guard lives.
    #[cfg(test)]
    pub(super) fn stall(&self) -> std::sync::MutexGuard<'_, ()> {
        lock(&self.disk)
    }

    fn append(self: &Arc<Self>, text: fmt::Arguments<'_>) {
        // Made before the lock: the values that print themselves are the user's code.
        let entry = text::entry(clock::now(), text);
        let mut lines = lock(&self.lines);
        if lines.ended {
            return;
        }
        lines.tail.push(&entry);
        if lines.full || lines.failed {
            return;
        }
        if lines.size + entry.len() > FILE_MAX {
            lines.full = true;
            self.add(&mut lines, &note(format_args!("the log is full: the rest is left out")));
        } else {
            self.add(&mut lines, &entry);
        }
        if !mem::replace(&mut lines.queued, true) {
            self.logs.writer.queue(Arc::clone(self));
        }
    }

    fn add(&self, lines: &mut Lines, entry: &str) {
        if self.logs.writer.reserve(entry.len()) {
            lines.pending.push_str(entry);
            lines.size += entry.len();
        } else {
            lines.missed += 1;
        }
    }

    /// Appends what is pending to the file; on return every earlier line is there or given up.
    pub(super) fn write_out(&self) {
        let _writing = lock(&self.disk);
        let (mut piece, missed, failed) = {
            let mut lines = lock(&self.lines);
            lines.queued = false;
            (mem::take(&mut lines.pending), mem::take(&mut lines.missed), lines.failed)
        };
        self.logs.writer.release(piece.len());
        if missed > 0 {
            let why = "left out here: the disk is too slow";
            piece.push_str(&note(format_args!("{missed} entries {why}")));
        }
        if piece.is_empty() || failed {
            return;
        }
        let opened = self.logs.disk.append(self.day(), self.id);
        let written = opened.and_then(|mut file| file.write_all(piece.as_bytes()));
        self.logs.writer.report(self, &written);
        if let Err(err) = written {
            let mut lines = lock(&self.lines);
            // What follows would stand behind a hole, or half a line: this file is given up.
            lines.failed = true;
            lines.tail.push(&note(format_args!("the log's file cannot be written: {err}")));
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if lock(&self.lines).size > 0 {
            lock(&self.logs.recent).remember(self.id, self.day());
        }
        let mut live = lock(&self.logs.live);
        // The same attempt may have been begun again; that one stays.
        if live.get(&self.id).is_some_and(|entry| std::ptr::eq(entry.as_ptr(), self)) {
            live.remove(&self.id);
        }
    }
}

/// What the log itself has to say.
fn note(text: fmt::Arguments<'_>) -> String {
    text::entry(clock::now(), format_args!("… {text}"))
}
