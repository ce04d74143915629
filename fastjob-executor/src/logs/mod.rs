//! The log of each attempt: a file of its own, read while it grows and long afterwards.
//!
//! `{log path}/{day, UTC}/{attempt id}.log` is made at an attempt's first line, so that one that
//! says nothing costs next to nothing. Lines go to memory, and one thread carries them to the disk:
//! a handler never waits for a slow one, and neither does the thread that keeps the executor's
//! sessions. What a log may take is bounded: an entry, a file, and the lines that wait for
//! the disk; beyond a bound lines are left out, and the log says so. A disk that fails costs lines,
//! never an attempt. Only the user that the executor runs as can read them.

mod attempt;
mod capture;
mod disk;
mod layer;
mod read;
mod sweep;
mod text;
mod writer;

use std::{
    collections::{HashMap, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use fastjob_core::AttemptId;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

pub use self::layer::{JobLogLayer, job_log_layer};
pub(crate) use self::{attempt::AttemptLog, capture::Capture};
use self::{attempt::Live, disk::Disk, writer::Writer};
use crate::failure::Failures;

/// Days of this many finished attempts are remembered; older files are looked for.
const RECENT_MAX: usize = 4096;

/// Why the logs of attempts cannot be kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The folder for the logs cannot be used.
    #[error("cannot use the log path `{path}`")]
    Open {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The attempt is unknown here, wrote no line, or its log has been removed.
    #[error("there is no log of attempt {0} here")]
    NotFound(AttemptId),
    /// The file is there and cannot be read.
    #[error("cannot read the log `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
}

/// The logs of one executor's attempts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Logs(Arc<Inner>);

struct Inner {
    root: PathBuf,
    disk: Disk,
    retention_days: u32,
    /// Attempts that somebody can still write to, or whose lines are on their way to the disk.
    live: Mutex<HashMap<AttemptId, Weak<Live>>>,
    recent: Mutex<Recent>,
    writer: Writer,
    failures: Failures,
}

impl Logs {
    /// Keeps logs under `path`, which is made if it is not there; 0 days keeps them for ever.
    ///
    /// # Errors
    ///
    /// Fails with [`LogError::Open`] if the folder cannot be made or nothing can be written there.
    pub(crate) fn open(path: impl AsRef<Path>, retention_days: u32) -> Result<Self, LogError> {
        let root = path.as_ref().to_path_buf();
        let failed = |source| LogError::Open { path: root.clone(), source };
        let disk = Disk::open(&root).map_err(failed)?;
        let failures = Failures::default();
        let writer = Writer::start(failures.clone()).map_err(failed)?;
        let (live, recent) = (Mutex::default(), Mutex::default());
        Ok(Self(Arc::new(Inner { root, disk, retention_days, live, recent, writer, failures })))
    }

    /// The log of an attempt that begins `now`; nothing is on disk before its first line.
    pub(crate) fn attempt(&self, id: AttemptId, now: Timestamp) -> AttemptLog {
        let live = Live::new(id, now, Arc::clone(&self.0));
        lock(&self.0.live).insert(id, Arc::downgrade(&live));
        AttemptLog::new(live)
    }

    /// The failures of the executor that these logs belong to.
    pub(crate) fn failures(&self) -> Failures {
        self.0.failures.clone()
    }

    /// Makes the thread that writes panic.
    #[cfg(test)]
    pub(crate) fn break_writer(&self) {
        self.0.writer.panics();
    }

    /// Has the thread that writes hang, as on a disk that hangs, until what this returns is dropped.
    #[cfg(test)]
    pub(crate) fn hang_writer(&self) -> std::sync::mpsc::Sender<()> {
        self.0.writer.hangs()
    }

    /// Waits until every line written before is with the operating system.
    pub(crate) async fn flush(&self) {
        self.0.writer.flush().await;
    }
}

impl Inner {
    fn live(&self, id: AttemptId) -> Option<Arc<Live>> {
        lock(&self.live).get(&id).and_then(Weak::upgrade)
    }
}

/// The day of each of the attempts that wrote last.
#[derive(Default)]
struct Recent {
    days: HashMap<AttemptId, Date>,
    order: VecDeque<AttemptId>,
}

impl Recent {
    fn remember(&mut self, id: AttemptId, day: Date) {
        if self.days.insert(id, day).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > RECENT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.days.remove(&oldest);
        }
    }
}

fn utc_day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// A log that some thread panicked over is still a log.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
