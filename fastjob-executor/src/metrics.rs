//! What an executor does, for the metrics of its service.
//!
//! Parts of the executor increment atomics; nothing waits for a lock. A snapshot is plain data, for
//! any library of metrics. With the feature `metrics`, a registry of `prometheus-client` reads it at
//! each scrape.

#[cfg(feature = "metrics")]
mod collector;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use fastjob_core::{FailReason, attempt::End};
use jiff::Timestamp;
use tokio::sync::Notify;

/// Upper bounds of the buckets of run times, in milliseconds. Longer ones go into one more bucket.
const BOUNDS: [u64; 22] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000,
    300_000, 600_000, 1_800_000, 3_600_000, 21_600_000, 86_400_000,
];

/// How attempts end, as values of a label.
const OUTCOMES: [&str; 9] = [
    "succeeded",
    "error",
    "fatal_error",
    "timed_out",
    "executor_lost",
    "panicked",
    "no_executor",
    "stopped",
    "skipped",
];

const fn index(end: End) -> usize {
    match end {
        End::Succeeded => 0,
        End::Failed(FailReason::Error) => 1,
        End::Failed(FailReason::Fatal) => 2,
        End::Failed(FailReason::TimedOut) => 3,
        End::Failed(FailReason::ExecutorLost) => 4,
        End::Failed(FailReason::Panicked) => 5,
        End::Failed(FailReason::NoExecutor) => 6,
        End::Stopped => 7,
        End::Skipped => 8,
    }
}

/// The metrics of an executor, while it runs and afterwards. Cheap to clone.
///
/// ```
/// # use fastjob_executor::{Discovery, prelude::*};
/// # let logs = tempfile::tempdir().unwrap();
/// let builder = Executor::builder("billing").discovery(Discovery::Off);
/// # let builder = builder.log_path(logs.path());
/// let executor = builder.build()?;
/// let metrics = executor.metrics();
/// // … run the executor, and read its metrics elsewhere:
/// assert_eq!(metrics.snapshot().sessions, 0);
/// # Ok::<(), ExecutorError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ExecutorMetrics(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    about: OnceLock<About>,
    not_entered: AtomicU64,
    sessions: AtomicU64,
    sessions_opened: AtomicU64,
    sessions_failed: AtomicU64,
    /// Notified when a session opens.
    opened: Notify,
    logs: Arc<LogCounts>,
    gauges: OnceLock<Source>,
}

/// What is known once the executor is built.
#[derive(Debug)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only the registry shows them"))]
struct About {
    service: String,
    executor: String,
    capacity: u32,
    /// All handlers, so that nothing a coordinator sends adds one.
    handlers: BTreeMap<String, Handler>,
}

#[derive(Debug, Default)]
struct Handler {
    ended: [AtomicU64; OUTCOMES.len()],
    run_time: [AtomicU64; BOUNDS.len() + 1],
    run_time_ms: AtomicU64,
}

/// Reads what the executor holds; `None` once it has ended.
struct Source(Box<dyn Fn() -> Option<Held> + Send + Sync>);

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source")
    }
}

/// What an executor holds at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) running: u32,
    pub(crate) waiting: u32,
    pub(crate) outbox: u64,
}

/// Bytes of the logs of attempts.
#[derive(Debug, Default)]
pub(crate) struct LogCounts {
    pub(crate) written: AtomicU64,
    /// Not written: the log is full, its file could not be written, or the disk is too slow.
    pub(crate) dropped: AtomicU64,
}

/// The metrics of an executor at one moment. Counts are those since it was built.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MetricsSnapshot {
    /// The attempts that entered a handler and ended, by handler. It has all handlers.
    pub handlers: BTreeMap<String, HandlerMetrics>,
    /// Attempts that ended without entering a handler: skipped, replaced, or stopped before.
    pub not_entered: u64,
    /// How many attempts may run at the same time.
    pub capacity: u32,
    /// Attempts that run.
    pub running: u32,
    /// Due attempts that wait for their turn or for a place.
    pub waiting: u32,
    /// Outcomes that no coordinator has acknowledged.
    pub outbox: u64,
    /// Open sessions, at most one with each coordinator.
    pub sessions: u64,
    /// Sessions that were opened, reconnects included.
    pub sessions_opened: u64,
    /// Connections that failed or were interrupted, each followed by another attempt.
    pub sessions_failed: u64,
    /// Bytes that attempts logged and that were written.
    pub log_bytes: u64,
    /// Bytes that attempts logged and that are lost: the log is full, its file could not be written,
    /// or the disk is too slow.
    pub log_bytes_dropped: u64,
}

/// The attempts of a handler that ended.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HandlerMetrics {
    /// How many ended, by outcome: `succeeded`, `error`, `fatal_error`, `timed_out`,
    /// `executor_lost`, `panicked`, `stopped` or `skipped`. Only those that occurred.
    pub ended: BTreeMap<&'static str, u64>,
    /// How long they ran.
    pub run_time: RunTimes,
}

/// A histogram of run times.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RunTimes {
    /// How many were measured.
    pub count: u64,
    /// All of them together.
    pub sum: Duration,
    /// The upper bounds of the buckets, ascending, each with how many were in it and not in an
    /// earlier one. The last bound is [`Duration::MAX`].
    pub buckets: Vec<(Duration, u64)>,
}

impl ExecutorMetrics {
    /// Reads the metrics. This takes a moment if the executor holds many attempts.
    pub fn snapshot(&self) -> MetricsSnapshot {
        let Inner {
            about,
            not_entered,
            sessions,
            sessions_opened,
            sessions_failed,
            opened: _,
            logs,
            gauges,
        } = &*self.0;
        let held = gauges.get().and_then(|Source(read)| read()).unwrap_or_default();
        let about = about.get();
        let handlers = about.into_iter().flat_map(|about| &about.handlers);
        MetricsSnapshot {
            handlers: handlers.map(|(name, handler)| (name.clone(), handler.read())).collect(),
            not_entered: not_entered.load(Relaxed),
            capacity: about.map_or(0, |about| about.capacity),
            running: held.running,
            waiting: held.waiting,
            outbox: held.outbox,
            sessions: sessions.load(Relaxed),
            sessions_opened: sessions_opened.load(Relaxed),
            sessions_failed: sessions_failed.load(Relaxed),
            log_bytes: logs.written.load(Relaxed),
            log_bytes_dropped: logs.dropped.load(Relaxed),
        }
    }

    /// The executor is built.
    pub(crate) fn describe<'a>(
        &self,
        service: &str,
        executor: &str,
        capacity: u32,
        handlers: impl Iterator<Item = &'a str>,
    ) {
        let handlers = handlers.map(|name| (name.to_owned(), Handler::default())).collect();
        let (service, executor) = (service.to_owned(), executor.to_owned());
        // A builder builds one executor, so nothing was set before.
        self.0.about.set(About { service, executor, capacity, handlers }).ok();
    }

    /// Where what the executor holds is read.
    pub(crate) fn read_from(&self, read: impl Fn() -> Option<Held> + Send + Sync + 'static) {
        // An executor runs once, so nothing was set before.
        self.0.gauges.set(Source(Box::new(read))).ok();
    }

    pub(crate) fn logs(&self) -> Arc<LogCounts> {
        Arc::clone(&self.0.logs)
    }

    /// An attempt that entered this handler has ended.
    pub(crate) fn ended(
        &self,
        handler: &str,
        end: End,
        started_at: Timestamp,
        ended_at: Timestamp,
    ) {
        let about = self.0.about.get();
        let Some(handler) = about.and_then(|about| about.handlers.get(handler)) else { return };
        // A clock that was set back makes it zero.
        let ms = ended_at.as_millisecond() - started_at.as_millisecond();
        let ms = u64::try_from(ms).unwrap_or_default();
        if let Some(count) = handler.ended.get(index(end)) {
            count.fetch_add(1, Relaxed);
        }
        if let Some(count) = handler.run_time.get(BOUNDS.partition_point(|bound| *bound < ms)) {
            count.fetch_add(1, Relaxed);
        }
        handler.run_time_ms.fetch_add(ms, Relaxed);
    }

    /// An attempt has ended without entering a handler.
    pub(crate) fn not_entered(&self) {
        self.0.not_entered.fetch_add(1, Relaxed);
    }

    /// A session is open until the guard is dropped.
    pub(crate) fn session(&self) -> OpenSession {
        self.0.sessions.fetch_add(1, Relaxed);
        self.0.sessions_opened.fetch_add(1, Relaxed);
        self.0.opened.notify_waiters();
        OpenSession(self.clone())
    }

    /// Ends when a session is open.
    pub(crate) async fn connected(&self) {
        loop {
            // Listens before it looks, so that no session opens between the two.
            let mut opened = std::pin::pin!(self.0.opened.notified());
            opened.as_mut().enable();
            if self.0.sessions.load(Relaxed) > 0 {
                return;
            }
            opened.await;
        }
    }

    /// A connection failed, or was interrupted.
    pub(crate) fn session_failed(&self) {
        self.0.sessions_failed.fetch_add(1, Relaxed);
    }
}

/// Counts a session while it is open.
pub(crate) struct OpenSession(ExecutorMetrics);

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.0.0.sessions.fetch_sub(1, Relaxed);
    }
}

impl Handler {
    fn read(&self) -> HandlerMetrics {
        let ended = OUTCOMES.iter().zip(&self.ended).map(|(name, n)| (*name, n.load(Relaxed)));
        let counts = self.run_time.iter().map(|count| count.load(Relaxed));
        let bounds = BOUNDS.iter().map(|ms| Duration::from_millis(*ms)).chain([Duration::MAX]);
        let buckets: Vec<_> = bounds.zip(counts).collect();
        HandlerMetrics {
            ended: ended.filter(|(_, count)| *count > 0).collect(),
            run_time: RunTimes {
                // Of the buckets, so that they agree while others are counting.
                count: buckets.iter().map(|(_, count)| count).sum(),
                sum: Duration::from_millis(self.run_time_ms.load(Relaxed)),
                buckets,
            },
        }
    }
}
