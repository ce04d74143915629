//! The attempt logs: one file per attempt, readable while it grows and afterwards.
//!
//! `{log path}/{day, UTC}/{attempt id}.log` is created at an attempt's first line, so an attempt
//! without log output costs almost nothing. Lines are buffered in memory, and one thread writes
//! them to the disk: neither a handler nor the thread that keeps the sessions waits for a slow
//! disk. The size of an entry, of a file and of the pending lines is bounded. Beyond a bound, lines
//! are dropped, and the log says so. A disk failure loses lines but never fails an attempt. Only
//! the user that the executor runs as can read the files.

mod attempt;
mod capture;
mod disk;
mod layer;
mod read;
mod sweep;
mod text;
mod upload;
mod writer;

use std::{
    collections::{HashMap, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use fastjob_core::AttemptId;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

pub use self::layer::{JobLogLayer, job_log_layer};
pub(crate) use self::{
    attempt::AttemptLog,
    capture::Capture,
    read::LogPage,
    upload::{Answer, Kept, NotKept, Origin, Piece, Registered, Shelf, Uploads},
};
use self::{attempt::Live, disk::Disk, writer::Writer};
use crate::{failure::Failures, metrics::LogCounts};

/// Number of finished attempts whose day is remembered. Older files are searched for.
const RECENT_MAX: usize = 4096;

/// Why attempt logs cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The log folder cannot be used.
    #[error("cannot use the log path `{path}`")]
    Open {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The attempt is unknown here, wrote no line, or its log has been removed.
    #[error("there is no log of attempt {0} here")]
    NotFound(AttemptId),
    /// The file exists and cannot be read.
    #[error("cannot read the log `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The attempt logs of one executor. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Logs(Arc<Inner>);

struct Inner {
    root: PathBuf,
    disk: Disk,
    retention_days: u32,
    /// Maximum size of one attempt's file, in bytes.
    file_max: usize,
    /// Attempts that may still log, or that have pending lines.
    live: Mutex<HashMap<AttemptId, Weak<Live>>>,
    recent: Mutex<Recent>,
    writer: Writer,
    uploads: Uploads,
    failures: Failures,
    counts: OnceLock<Arc<LogCounts>>,
}

impl Logs {
    /// Keeps logs under `path`, which is created if it does not exist. 0 days keeps them forever.
    ///
    /// # Errors
    ///
    /// Fails with [`LogError::Open`] if the folder cannot be created or is not writable.
    pub(crate) fn open(
        path: impl AsRef<Path>,
        retention_days: u32,
        file_max: usize,
    ) -> Result<Self, LogError> {
        let root = path.as_ref().to_path_buf();
        let failed = |source| LogError::Open { path: root.clone(), source };
        let disk = Disk::open(&root).map_err(failed)?;
        let failures = Failures::default();
        let writer = Writer::start(failures.clone()).map_err(failed)?;
        let (live, recent) = (Mutex::default(), Mutex::default());
        let uploads = Uploads::default();
        Ok(Self(Arc::new(Inner {
            root,
            disk,
            retention_days,
            file_max,
            live,
            recent,
            writer,
            uploads,
            failures,
            counts: OnceLock::new(),
        })))
    }

    /// Counts the bytes of all logs here.
    pub(crate) fn count_in(&self, counts: Arc<LogCounts>) {
        // Called once, before anything is logged.
        self.0.counts.set(counts).ok();
    }

    /// Creates the log of an attempt that starts `now`. The file is created at its first line.
    pub(crate) fn attempt(
        &self,
        id: AttemptId,
        now: Timestamp,
        origin: Option<Origin>,
    ) -> AttemptLog {
        let live = Live::new(id, now, origin, Arc::clone(&self.0));
        lock(&self.0.live).insert(id, Arc::downgrade(&live));
        AttemptLog::new(live)
    }

    /// The uploads of these logs.
    pub(crate) fn uploads(&self) -> Uploads {
        self.0.uploads.clone()
    }

    /// The failures of the executor that these logs belong to.
    pub(crate) fn failures(&self) -> Failures {
        self.0.failures.clone()
    }

    /// Makes the writer thread panic.
    #[cfg(test)]
    pub(crate) fn break_writer(&self) {
        self.0.writer.panics();
    }

    /// Makes the writer thread hang, as on a hanging disk, until the returned sender is dropped.
    #[cfg(test)]
    pub(crate) fn hang_writer(&self) -> std::sync::mpsc::Sender<()> {
        self.0.writer.hangs()
    }

    /// Waits until every earlier line has been passed to the operating system.
    pub(crate) async fn flush(&self) {
        self.0.writer.flush().await;
    }
}

impl Inner {
    fn live(&self, id: AttemptId) -> Option<Arc<Live>> {
        lock(&self.live).get(&id).and_then(Weak::upgrade)
    }
}

/// The days of the attempts that wrote last.
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

/// Ignores poisoning: the log stays usable after a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
