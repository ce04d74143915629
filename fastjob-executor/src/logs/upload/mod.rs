//! Uploads whole logs to a coordinator that keeps them, so that they outlive this executor.
//!
//! A log is sent in pieces while its attempt runs, each a range of its file: when enough text has
//! gathered, some seconds after the first line that was not sent, and at the end. A log that is
//! whole in the tail of its outcome is not sent at all, so that most short attempts cost nothing.
//!
//! The coordinator knows what it has, so after an outage, or a restart of this process with the same
//! folder, a log continues there. Nothing waits for an upload but a process that stops, for a
//! bounded time. While no coordinator takes pieces, only the names of the logs are in memory; the
//! text is in the files.

mod notes;
mod piece;
mod queue;
mod run;

#[cfg(test)]
mod tests;

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use fastjob_core::{AttemptId, TaskId};
use jiff::civil::Date;
use tokio::{sync::Notify, time::Instant};

pub(super) use self::notes::NOTES_MAX;
use self::queue::{Queue, Step, Work};
use super::lock;

/// What a coordinator calls an attempt, beside its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) task: TaskId,
    /// When the coordinator created the attempt, in milliseconds since the Unix epoch.
    pub(crate) created_at: i64,
}

/// A log that is uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) attempt: AttemptId,
    pub(super) origin: Origin,
    /// The folder of its file.
    pub(super) day: Date,
}

/// A piece of a log, compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) attempt: AttemptId,
    pub(crate) origin: Origin,
    pub(crate) offset: u64,
    /// 0: only asks where to continue, or says that the log has ended.
    pub(crate) length: u32,
    pub(crate) gzip: Vec<u8>,
    /// The log ends with this piece.
    pub(crate) last: bool,
}

/// What a coordinator has of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) next_offset: u64,
    /// It takes no more of this log.
    pub(crate) is_full: bool,
}

/// Why a coordinator did not take a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotKept {
    /// It does not know the task any more, so the log can no longer be read.
    Unknown(String),
    /// It will never take this log from this executor.
    Refused(String),
    /// It is busy with pieces of other executors.
    Busy,
    /// It may take this log from this executor later, for example when the attempt has ended.
    NotYet(String),
    /// It may take it later.
    Later(String),
}

/// The answer to a piece.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Kept, NotKept>> + Send>>;

/// A coordinator that keeps logs, as long as there is a session with it.
pub(crate) trait Shelf: Send + Sync {
    fn keep(&self, piece: Piece) -> Answer;
}

/// The day of the log that a note is about; `None` if it is not a note.
pub(super) fn day_of_note(attempt: AttemptId, text: &str) -> Option<Date> {
    notes::read(attempt, text).map(|log| log.day)
}

/// The uploads of an executor. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Uploads(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Whether a coordinator keeps logs. Otherwise lines cost nothing more.
    wanted: AtomicBool,
    state: Mutex<State>,
    changed: Notify,
    /// A log was finished, or a coordinator is gone.
    settled: Notify,
}

#[derive(Default)]
struct State {
    queue: Queue,
    /// By link, the coordinators that keep logs; the first one is used.
    shelves: Vec<(u32, Arc<dyn Shelf>)>,
}

/// Removes a coordinator when its session ends.
pub(crate) struct Registered {
    uploads: Uploads,
    link: u32,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.uploads.lock().shelves.retain(|(link, _)| *link != self.link);
        self.uploads.0.settled.notify_one();
    }
}

impl Uploads {
    /// The link has a session with a coordinator that keeps logs, until the answer is dropped.
    pub(crate) fn register(&self, link: u32, shelf: Arc<dyn Shelf>) -> Registered {
        let mut state = self.lock();
        state.shelves.retain(|(other, _)| *other != link);
        state.shelves.push((link, shelf));
        drop(state);
        self.0.wanted.store(true, Relaxed);
        self.0.changed.notify_one();
        Registered { uploads: self.clone(), link }
    }

    /// A coordinator does not keep logs. If no other one does, nothing is sent any more. Logs of
    /// which a part was sent still wait for one that does, for example after a change of a cluster.
    pub(crate) fn not_kept(&self) {
        let state = self.lock();
        if state.shelves.is_empty() && state.queue.is_empty() {
            self.0.wanted.store(false, Relaxed);
        }
    }

    pub(super) fn are_wanted(&self) -> bool {
        self.0.wanted.load(Relaxed)
    }

    /// There is text that was not sent; `is_full` if it fills a piece.
    pub(super) fn has_text(&self, log: Log, is_full: bool) {
        self.change(|queue, now| queue.has_text(log, is_full, now));
    }

    /// The attempt has ended. If its log is whole in the tail of its outcome, it is not sent, unless
    /// a part of it has been. `is_whole` if the file has, or will have, all lines.
    pub(super) fn has_ended(&self, log: Log, is_in_tail: bool, is_whole: bool) {
        self.change(|queue, now| queue.has_ended(log, is_in_tail, is_whole, now));
    }

    /// Wakes the loop only if something is due earlier than before: of thousands of short attempts
    /// per second, hardly any does that.
    fn change(&self, change: impl FnOnce(&mut Queue, Instant)) {
        let mut state = self.lock();
        let before = state.queue.next_at();
        change(&mut state.queue, Instant::now());
        let now = state.queue.next_at();
        drop(state);
        if now.is_some_and(|now| before.is_none_or(|before| now < before)) {
            self.0.changed.notify_one();
        }
    }

    /// The file of the log could not be written.
    pub(super) fn has_failed(&self, attempt: AttemptId) {
        self.lock().queue.has_failed(attempt);
    }

    /// How many logs were left out, if a warning about them is due.
    fn take_warning(&self) -> Option<u64> {
        self.lock().queue.take_warning()
    }

    /// Logs that an earlier process has not uploaded completely.
    fn restore(&self, logs: Vec<Log>) {
        self.lock().queue.restore(logs, Instant::now());
    }

    /// The next piece to send, and to whom.
    fn take(&self, now: Instant) -> Option<(Work, Arc<dyn Shelf>)> {
        let mut state = self.lock();
        let (_, shelf) = state.shelves.first()?;
        let shelf = Arc::clone(shelf);
        Some((state.queue.take(now)?, shelf))
    }

    /// When there will be something to send; `None` if nothing is waiting, or no coordinator is
    /// there.
    fn next_at(&self) -> Option<Instant> {
        let state = self.lock();
        state.shelves.first()?;
        state.queue.next_at()
    }

    /// What became of a piece.
    fn done(&self, attempt: AttemptId, step: Step) {
        self.lock().queue.done(attempt, step, Instant::now());
        self.0.settled.notify_one();
    }

    /// Another coordinator is tried next.
    fn turn(&self) {
        let mut state = self.lock();
        if state.shelves.len() > 1 {
            state.shelves.rotate_left(1);
        }
    }

    /// Sends what is left, because the process stops: returns when all is sent, no coordinator is
    /// there, or the time is over. Returns how many logs are not complete.
    pub(crate) async fn finish(&self, limit: Duration) -> usize {
        self.lock().queue.leave(Instant::now());
        self.0.changed.notify_one();
        let sent = async {
            loop {
                {
                    let state = self.lock();
                    if state.queue.is_empty() || state.shelves.is_empty() {
                        return;
                    }
                }
                self.0.settled.notified().await;
            }
        };
        // Too late: what is left is counted below.
        drop(tokio::time::timeout(limit, sent).await);
        self.lock().queue.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}
