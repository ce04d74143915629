//! What this node writes to the store, and how far behind it is.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{
    histogram::Histogram,
    out::{In, Out},
};

/// In microseconds: from a commit to a fast disk to a database that hangs.
const WRITES: &[u64] = &[
    500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    2_000_000, 5_000_000, 10_000_000, 30_000_000,
];

/// Transactions of the writer.
#[derive(Debug)]
pub(crate) struct Commits {
    commits: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    failures: AtomicU64,
    took: Histogram,
    /// When the writer began to write the group that is not durable yet.
    since: Mutex<Option<Instant>>,
}

impl Default for Commits {
    fn default() -> Self {
        Self {
            commits: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            took: Histogram::new(WRITES),
            since: Mutex::default(),
        }
    }
}

impl Commits {
    /// A group of commits is about to be written, with its retries.
    pub(crate) fn begin(&self) {
        self.set_since(Some(Instant::now()));
    }

    /// All of the group is written, or will never be.
    pub(crate) fn end(&self) {
        self.set_since(None);
    }

    fn set_since(&self, since: Option<Instant>) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// A transaction is durable.
    pub(crate) fn written(&self, commits: usize, rows: usize, bytes: usize, took: Duration) {
        self.commits.fetch_add(commits as u64, Relaxed);
        self.rows.fetch_add(rows as u64, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.took.observe(took);
    }

    /// A transaction failed.
    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    pub(super) fn write(&self, out: &mut Out<'_>) -> fmt::Result {
        out.histogram(
            "fastjob_store_transaction",
            "How long transactions of the writer took that succeeded, each with the commits that waited",
            &self.took.read(),
        )?;
        out.counter(
            "fastjob_store_commits",
            "Commits of engines that are durable",
            self.commits.load(Relaxed),
        )?;
        out.counter(
            "fastjob_store_rows",
            "Rows of commits that are durable, approximately",
            self.rows.load(Relaxed),
        )?;
        out.counters(
            In::Bytes,
            "fastjob_store_written",
            "Bytes of the texts of commits that are durable: params, results, messages, log tails",
        )?
        .count(&[], self.bytes.load(Relaxed))?;
        out.counter(
            "fastjob_store_write_failures",
            "Transactions of the writer that failed; they are retried",
            self.failures.load(Relaxed),
        )?;
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let age = since.map(|since| since.elapsed()).unwrap_or_default();
        out.gauges(
            In::Seconds,
            "fastjob_journal_lag",
            "How long the oldest commits that are being written have been waiting for the store",
        )?
        .gauge(&[], age.as_secs_f64())
    }
}

/// Merges of the index of the history.
#[derive(Debug, Default)]
pub(crate) struct Index {
    merges: AtomicU64,
    failures: AtomicU64,
    /// Since when there has been something to merge.
    behind: Mutex<Option<Instant>>,
}

impl Index {
    /// A round merged something that was due `began`: there may be more.
    pub(crate) fn merged(&self, began: Instant) {
        self.merges.fetch_add(1, Relaxed);
        self.is_behind_since(began);
    }

    /// There was nothing to merge.
    pub(crate) fn is_done(&self) {
        *self.behind.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A round failed.
    pub(crate) fn failed(&self, began: Instant) {
        self.failures.fetch_add(1, Relaxed);
        self.is_behind_since(began);
    }

    fn is_behind_since(&self, began: Instant) {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(began);
    }

    pub(super) fn write(&self, out: &mut Out<'_>) -> fmt::Result {
        out.counter(
            "fastjob_index_merges",
            "Rounds that merged segments of the index of the history",
            self.merges.load(Relaxed),
        )?;
        out.counter(
            "fastjob_index_merge_failures",
            "Rounds of the index that failed; they are retried",
            self.failures.load(Relaxed),
        )?;
        let behind = *self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = behind.map(|since| since.elapsed()).unwrap_or_default();
        out.gauges(
            In::Seconds,
            "fastjob_index_lag",
            "How long the index of the history has had segments to merge without a pause",
        )?
        .gauge(&[], behind.as_secs_f64())
    }
}
