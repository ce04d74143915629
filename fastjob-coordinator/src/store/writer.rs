//! The group-commit writer: everything that is waiting is written in one transaction.
//!
//! While one transaction is being written, the next one collects, so groups grow with the load. A
//! failed commit is retried until it succeeds: no decision of the engine is dropped, and nothing is
//! dispatched or acknowledged before it is durable.
//!
//! A group that the store rejects because of its data is halved until the faulty commit is found;
//! the others are written. In a shared store, a permanently rejected commit ends its lease: the
//! partition restarts from its persisted state, as after a crash, and does not block the rest of
//! the node.

use std::{collections::HashMap, sync::Arc, time::Duration};

use fastjob_core::error::chain;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Commit, CommitStore, Error, Lease, Partition};
use crate::metrics::Metrics;

/// Most rows in one transaction, so that it does not delay the next for long.
const ROWS: usize = 20_000;
/// Most bytes of text in one transaction: databases limit the size of a message.
const BYTES: usize = 8 * 1024 * 1024;
/// With fewer commits than this, a transaction waits until other tasks have run once.
const FEW: usize = 64;
/// Number of attempts for a commit that the store rejects because of its data.
const REFUSALS: u32 = 5;
/// The same for a commit that exceeds the limits of the database.
const TOO_MUCH: u32 = 2;
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How long the last commits may take when the coordinator stops.
const LAST: Duration = Duration::from_secs(10);

/// Whether the store accepts writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Well,
    /// Writes fail and are being retried.
    Failing {
        why: String,
    },
}

/// A handle to the writer.
#[derive(Clone, Debug)]
pub(crate) struct WriterHandle {
    commits: mpsc::UnboundedSender<(u64, Commit)>,
    health: watch::Receiver<Health>,
}

impl WriterHandle {
    /// Submits a commit. Never waits, never reorders.
    pub(crate) fn submit(&self, id: u64, commit: Commit) {
        if self.commits.send((id, commit)).is_err() {
            tracing::debug!("commit dropped: the writer has stopped");
        }
    }

    /// Returns when the writer has ended; nothing is written afterwards.
    pub(crate) async fn ended(&self) {
        self.commits.closed().await;
    }

    /// Whether the store accepts writes.
    pub(crate) fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }
}

/// Receives the results of commits.
pub(crate) trait Listener: Send + Sync {
    /// These are durable.
    fn durable(&self, commits: &[(Lease, u64)]);
    /// The lease has ended: nothing of it will be written.
    fn over(&self, lease: Lease);
}

/// Why the writer ended before the store accepted everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// The store did not accept the last commits in time.
    Late {
        /// How long the oldest unpersisted decision has waited.
        waited: Duration,
    },
    /// The store has lost commits, so nothing that was decided since may be written.
    Behind,
}

/// The loop that writes.
pub(crate) struct Writer {
    store: Arc<dyn CommitStore>,
    /// By partition, the last term that has ended.
    over: HashMap<Partition, i64>,
    commits: mpsc::UnboundedReceiver<(u64, Commit)>,
    health: watch::Sender<Health>,
    metrics: Metrics,
}

impl Writer {
    pub(crate) fn new(store: Arc<dyn CommitStore>) -> (Self, WriterHandle) {
        let (commits, inbox) = mpsc::unbounded_channel();
        let (health, watch) = watch::channel(Health::Well);
        (
            Self {
                store,
                over: HashMap::new(),
                commits: inbox,
                health,
                metrics: Metrics::default(),
            },
            WriterHandle { commits, health: watch },
        )
    }

    /// Counts what it writes.
    pub(crate) fn counting(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Writes until `stop` is cancelled, then writes what was submitted before.
    ///
    /// # Errors
    ///
    /// Fails with [`Unwritten`] if the store does not accept that in time, or at once if it has lost
    /// commits.
    ///
    /// Once a lease has ended, its commits are dropped: the partition's new owner continues from
    /// the persisted state.
    pub(crate) async fn run(
        mut self,
        stop: CancellationToken,
        listener: impl Listener,
    ) -> Result<(), Unwritten> {
        let mut left = None;
        // Whether the last group had several commits.
        let mut shared = false;
        loop {
            let first = match left.take() {
                Some(first) => first,
                None => tokio::select! {
                    biased;
                    next = self.commits.recv() => match next {
                        Some(next) => next,
                        None => return Ok(()),
                    },
                    () = stop.cancelled() => return Ok(()),
                },
            };
            let mut group = Group::of(first);
            left = self.gather(&mut group);
            if shared && left.is_none() && group.commits.len() < FEW {
                // Those who wait for the same transaction are about to send their commits.
                tokio::task::yield_now().await;
                left = self.gather(&mut group);
            }
            shared = group.commits.len() > 1;
            self.metrics.commits.begin();
            let written = self.write(group, &stop, &listener).await;
            self.metrics.commits.end();
            written?;
        }
    }

    /// Adds the commits that wait. Returns the first one that does not fit.
    fn gather(&mut self, group: &mut Group) -> Option<(u64, Commit)> {
        while let Ok(next) = self.commits.try_recv() {
            if let Some(left) = group.add(next) {
                return Some(left);
            }
        }
        None
    }

    /// Retries the group until all of it is written, whole or in parts, or the writer has to end.
    async fn write(
        &mut self,
        group: Group,
        stop: &CancellationToken,
        listener: &impl Listener,
    ) -> Result<(), Unwritten> {
        let since = tokio::time::Instant::now();
        let mut wait = FIRST_WAIT;
        let mut deadline = None;
        let mut refusals = 0;
        // A stack: the next group to write is the last. Older decisions are written first.
        let mut parts = vec![group];
        while let Some(mut group) = parts.pop() {
            group.retain(|lease| !self.is_over(*lease));
            if group.commits.is_empty() {
                continue;
            }
            let began = tokio::time::Instant::now();
            let Err(err) = self.store.commit(&group.commits).await else {
                let (rows, bytes) = group.size();
                self.metrics.commits.written(group.commits.len(), rows, bytes, began.elapsed());
                self.metrics.saved.count(&group.commits);
                self.is_well();
                listener.durable(&group.ids);
                (wait, refusals) = (FIRST_WAIT, 0);
                continue;
            };
            if let Error::Fenced(lost) = &err {
                for lease in lost {
                    self.end(*lease, listener);
                }
                parts.push(group);
                continue;
            }
            self.metrics.commits.failed();
            let why = chain(&err);
            if matches!(err, Error::Behind) {
                tracing::error!(error = why, "the coordinator cannot continue on this store");
                // Callers get the reason while the coordinator stops.
                self.health.send_replace(Health::Failing { why });
                for (lease, _) in &group.ids {
                    self.end(*lease, listener);
                }
                return Err(Unwritten::Behind);
            }
            if err.is_too_much() {
                // Each retry takes as long as the database allows, and everything waits for it.
                self.is_failing(&why);
            }
            if (err.is_refusal() || err.is_too_much()) && group.commits.len() > 1 {
                tracing::debug!(error = why, "the store rejected a group of commits, splitting it");
                parts.push(group.split_off_half());
                parts.push(group);
                continue;
            }
            let alone = Lease::default();
            let at_fault = group.ids.first().map(|(lease, _)| *lease).filter(|l| *l != alone);
            if let Some(lease) = at_fault.filter(|_| err.is_refusal() || err.is_too_much()) {
                refusals += 1;
                if refusals >= if err.is_too_much() { TOO_MUCH } else { REFUSALS } {
                    tracing::error!(
                        partition = lease.partition.0,
                        error = why,
                        "the store permanently rejected a commit: the partition restarts from its \
                         persisted state"
                    );
                    self.end(lease, listener);
                    self.is_well();
                    refusals = 0;
                    continue;
                }
            } else {
                self.is_failing(&why);
            }
            parts.push(group);
            if stop.is_cancelled() {
                let until = *deadline.get_or_insert_with(|| tokio::time::Instant::now() + LAST);
                if tokio::time::Instant::now() >= until {
                    return Err(Unwritten::Late { waited: since.elapsed() });
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Ok(())
    }

    fn is_well(&self) {
        if *self.health.borrow() != Health::Well {
            tracing::info!("store writes succeed again");
            self.health.send_replace(Health::Well);
        }
    }

    fn is_failing(&self, why: &str) {
        if *self.health.borrow() == Health::Well {
            tracing::warn!(error = why, "store write failed, retrying");
        }
        self.health.send_replace(Health::Failing { why: why.to_owned() });
    }

    /// Drops all further commits of the lease.
    fn end(&mut self, lease: Lease, listener: &impl Listener) {
        if !self.is_over(lease) {
            self.over.insert(lease.partition, lease.term);
            listener.over(lease);
        }
    }

    fn is_over(&self, lease: Lease) -> bool {
        self.over.get(&lease.partition).is_some_and(|term| lease.term <= *term)
    }
}

/// Commits of one transaction.
#[derive(Default)]
struct Group {
    ids: Vec<(Lease, u64)>,
    commits: Vec<Commit>,
    rows: usize,
    bytes: usize,
}

impl Group {
    /// A commit of any size.
    fn of((id, commit): (u64, Commit)) -> Self {
        let (rows, bytes) = (commit.rows(), commit.bytes());
        Self { ids: vec![(commit.lease, id)], commits: vec![commit], rows, bytes }
    }

    /// Adds a commit, or returns it if there is no room for it.
    fn add(&mut self, (id, commit): (u64, Commit)) -> Option<(u64, Commit)> {
        let (rows, bytes) = (self.rows + commit.rows(), self.bytes + commit.bytes());
        if rows > ROWS || bytes > BYTES {
            return Some((id, commit));
        }
        (self.rows, self.bytes) = (rows, bytes);
        self.ids.push((commit.lease, id));
        self.commits.push(commit);
        None
    }

    /// The approximate rows and bytes. A group that was split has no sums.
    fn size(&self) -> (usize, usize) {
        match (self.rows, self.bytes) {
            (0, 0) => {
                let commits = self.commits.iter();
                commits.fold((0, 0), |(rows, bytes), commit| {
                    (rows + commit.rows(), bytes + commit.bytes())
                })
            }
            sums => sums,
        }
    }

    fn retain(&mut self, is_kept: impl Fn(&Lease) -> bool) {
        self.ids.retain(|(lease, _)| is_kept(lease));
        self.commits.retain(|commit| is_kept(&commit.lease));
    }

    /// The later half.
    fn split_off_half(&mut self) -> Self {
        let half = self.commits.len() / 2;
        let (ids, commits) = (self.ids.split_off(half), self.commits.split_off(half));
        (self.rows, self.bytes) = (0, 0);
        Self { ids, commits, ..Self::default() }
    }
}
