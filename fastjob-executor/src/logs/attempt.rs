//! The log of one attempt while it is written.
//!
//! Lines are buffered in memory. The thread that holds `disk` appends them to the file, in order:
//! the writer thread, or a reader that needs them now. The file is opened for each write, so
//! thousands of running attempts keep no file open.

use std::{
    fmt,
    io::Write as _,
    mem,
    path::PathBuf,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
};

use fastjob_core::{
    AttemptId, JobLog,
    wire::{LOG_PIECE_MAX, LOG_TAIL_MAX},
};
use jiff::{Timestamp, civil::Date};

use super::{
    Inner, lock,
    text::{self, Tail},
    upload::{Log, Origin},
    utc_day,
};
use crate::clock;

/// The log of one attempt. Cheap to clone; all clones write to the same log.
#[derive(Clone)]
pub(crate) struct AttemptLog(Arc<Live>);

impl AttemptLog {
    pub(super) fn new(live: Arc<Live>) -> Self {
        Self(live)
    }

    /// The last lines, as many as an outcome includes, and where they begin in the log. Lines that the
    /// file does not have follow it.
    pub(crate) fn tail(&self) -> (u64, String) {
        let lines = lock(&self.0.lines);
        let text = lines.tail.text();
        let begin = (lines.size + lines.beyond).saturating_sub(text.len());
        (begin as u64, text)
    }

    /// Marks the attempt as ended: readers learn that the log is complete, and later lines are
    /// dropped.
    pub(crate) fn finish(&self) {
        let mut lines = lock(&self.0.lines);
        lines.ended = true;
        self.0.announce_end(&mut lines);
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
    /// `None` if the log is not uploaded.
    origin: Option<Origin>,
    logs: Arc<Inner>,
    lines: Mutex<Lines>,
    /// Held while the file is written; never acquired while `lines` is held.
    disk: Mutex<()>,
}

#[derive(Default)]
struct Lines {
    pending: String,
    /// Bytes of `pending` that the log itself added.
    notes: usize,
    tail: Tail,
    /// Bytes that have been or will be written to the file.
    size: usize,
    /// Bytes that came after the end of the file, because it is full or failed.
    beyond: usize,
    /// Entries dropped since the last write because the buffer was full.
    missed: u64,
    queued: bool,
    full: bool,
    failed: bool,
    ended: bool,
    upload: Upload,
    /// Bytes that were added since the last piece was read for its upload.
    unsent: usize,
}

/// What the uploads know about the lines.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Upload {
    /// Nothing about those since the last piece.
    #[default]
    Quiet,
    /// There are lines to send.
    Announced,
    /// There are enough lines for a piece.
    AnnouncedFull,
    /// The log is not uploaded any more.
    Over,
}

impl Live {
    pub(super) fn new(
        id: AttemptId,
        began: Timestamp,
        origin: Option<Origin>,
        logs: Arc<Inner>,
    ) -> Arc<Self> {
        let (lines, disk) = (Mutex::default(), Mutex::default());
        Arc::new(Self { id, began, origin, logs, lines, disk })
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

    /// Nothing is written while the guard is alive.
    #[cfg(test)]
    pub(super) fn stall(&self) -> std::sync::MutexGuard<'_, ()> {
        lock(&self.disk)
    }

    fn append(self: &Arc<Self>, text: fmt::Arguments<'_>) {
        // Formatted before locking: the values' `Display` is user code.
        let entry = text::entry(clock::now(), text);
        let mut lines = lock(&self.lines);
        if lines.ended {
            return;
        }
        lines.tail.push(&entry);
        if lines.full || lines.failed {
            lines.beyond += entry.len();
            self.dropped(entry.len());
            return;
        }
        if lines.size + entry.len() > self.logs.file_max {
            lines.full = true;
            lines.beyond += entry.len();
            self.dropped(entry.len());
            self.add_note(&mut lines, &note(format_args!("the log is full: the rest is dropped")));
        } else {
            self.add(&mut lines, &entry);
        }
        if !mem::replace(&mut lines.queued, true) {
            self.logs.writer.queue(Arc::clone(self));
        }
        self.announce(&mut lines);
    }

    /// Lets the uploads know that there are lines to send, and once more when they fill a piece.
    fn announce(&self, lines: &mut Lines) {
        let Some(log) = self.uploaded() else { return };
        let is_full = lines.unsent >= LOG_PIECE_MAX;
        let now = if is_full { Upload::AnnouncedFull } else { Upload::Announced };
        if lines.upload < now {
            lines.upload = now;
            self.logs.uploads.has_text(log, is_full);
        }
    }

    fn announce_end(&self, lines: &mut Lines) {
        let Some(log) = self.uploaded() else { return };
        if lines.size > 0 && lines.upload != Upload::Over {
            self.logs.uploads.has_ended(log, lines.size <= LOG_TAIL_MAX, !lines.failed);
        }
    }

    /// Its name for the uploads, if a coordinator keeps logs.
    fn uploaded(&self) -> Option<Log> {
        let origin = self.origin.filter(|_| self.logs.uploads.are_wanted())?;
        Some(Log { attempt: self.id, origin, day: self.day() })
    }

    /// Prepares for the upload of a piece: writes all lines so far. Returns whether the attempt had
    /// ended before that, and whether the file has all lines.
    pub(super) fn collect(&self) -> (bool, bool) {
        let ended = {
            let mut lines = lock(&self.lines);
            lines.unsent = 0;
            if lines.upload != Upload::Over {
                lines.upload = Upload::Quiet;
            }
            lines.ended
        };
        self.write_out();
        (ended, !lock(&self.lines).failed)
    }

    /// No more of this log is uploaded.
    pub(super) fn close_upload(&self) {
        lock(&self.lines).upload = Upload::Over;
    }

    fn add(&self, lines: &mut Lines, entry: &str) {
        if !self.add_pending(lines, entry) {
            lines.missed += 1;
            self.dropped(entry.len());
        }
    }

    /// Adds a line of the log itself, which does not count as logged by the attempt.
    fn add_note(&self, lines: &mut Lines, note: &str) {
        match self.add_pending(lines, note) {
            true => lines.notes += note.len(),
            false => lines.missed += 1,
        }
    }

    /// Returns whether there was space for it.
    fn add_pending(&self, lines: &mut Lines, text: &str) -> bool {
        let fits = self.logs.writer.reserve(text.len());
        if fits {
            lines.pending.push_str(text);
            lines.size += text.len();
            lines.unsent += text.len();
        }
        fits
    }

    fn written(&self, bytes: usize) {
        if let Some(counts) = self.logs.counts.get() {
            counts.written.fetch_add(bytes as u64, Relaxed);
        }
    }

    fn dropped(&self, bytes: usize) {
        if let Some(counts) = self.logs.counts.get() {
            counts.dropped.fetch_add(bytes as u64, Relaxed);
        }
    }

    /// Appends pending lines to the file. On return, every earlier line has been written or
    /// dropped.
    pub(super) fn write_out(&self) {
        let _writing = lock(&self.disk);
        let (mut piece, notes, gap, failed) = {
            let mut lines = lock(&self.lines);
            lines.queued = false;
            let (piece, notes) = (mem::take(&mut lines.pending), mem::take(&mut lines.notes));
            let gap = match mem::take(&mut lines.missed) {
                0 => String::new(),
                missed => note(format_args!("{missed} entries dropped here: the disk is too slow")),
            };
            // It is in the file, so the position of what follows depends on it.
            lines.size += gap.len();
            (piece, notes, gap, lines.failed)
        };
        self.logs.writer.release(piece.len());
        // Of what the attempt logged: notes of the log itself are neither written nor lost.
        let logged = piece.len() - notes;
        piece.push_str(&gap);
        if piece.is_empty() || failed {
            self.dropped(logged);
            return;
        }
        let opened = self.logs.disk.append(self.day(), self.id);
        let written = opened.and_then(|mut file| file.write_all(piece.as_bytes()));
        self.logs.writer.report(self, &written);
        let Err(err) = written else {
            self.written(logged);
            return;
        };
        // Part of it may have been written, but nothing says how much.
        self.dropped(logged);
        {
            let mut lines = lock(&self.lines);
            // Later lines would follow a gap or half a line, so this file is abandoned.
            lines.failed = true;
            let note = note(format_args!("cannot write the log file: {err}"));
            lines.beyond += note.len();
            lines.tail.push(&note);
        }
        self.logs.uploads.has_failed(self.id);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        {
            let mut lines = lock(&self.lines);
            if lines.size > 0 {
                lock(&self.logs.recent).remember(self.id, self.day());
            }
            // A handler that still ran after its attempt had ended, or whose future was dropped.
            if !lines.ended {
                self.announce_end(&mut lines);
            }
        }
        let mut live = lock(&self.logs.live);
        // The same attempt may have been started again; keep the newer log.
        if live.get(&self.id).is_some_and(|entry| std::ptr::eq(entry.as_ptr(), self)) {
            live.remove(&self.id);
        }
    }
}

/// A line that the log itself adds.
fn note(text: fmt::Arguments<'_>) -> String {
    text::entry(clock::now(), format_args!("… {text}"))
}
