//! The group-commit writer: what waits to be written goes into one transaction.
//!
//! While one transaction is on its way to the disk, the next gathers, so the groups grow with the
//! load by themselves. A commit that fails is sent again until it is taken: nothing that the engine
//! decided is dropped, and nothing is dispatched or acknowledged before.
//!
//! A group that the store refuses for what is in it is halved, until it is known which commit is at
//! fault: the others are written. One that is refused for good ends its lease where there are
//! others, so that its partition begins anew from what is written, as after a crash, and does not
//! hold up the rest of the node.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Commit, CommitStore, Error, Lease, Partition};

/// Most rows in one transaction, so that one never holds up the next for long.
const ROWS: usize = 20_000;
/// Most bytes of text in one: databases bound what they take at once.
const BYTES: usize = 8 * 1024 * 1024;
/// How often a commit is sent that the store refuses for what is in it.
const REFUSALS: u32 = 5;
/// The same for one that takes longer than the database allows.
const TOO_MUCH: u32 = 2;
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How long the last commits may take when the coordinator stops.
const LAST: Duration = Duration::from_secs(10);

/// Whether the store takes what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Well,
    /// It has refused; what waits is sent again and again.
    Failing {
        why: String,
    },
}

/// The way to the writer.
#[derive(Clone, Debug)]
pub(crate) struct WriterHandle {
    commits: mpsc::UnboundedSender<(u64, Commit)>,
    health: watch::Receiver<Health>,
}

impl WriterHandle {
    /// Hands a commit over. Never waits, never reorders.
    pub(crate) fn submit(&self, id: u64, commit: Commit) {
        if self.commits.send((id, commit)).is_err() {
            tracing::debug!("the writer has stopped, a commit is dropped");
        }
    }

    /// Returns when the writer has ended, after which nothing is written.
    pub(crate) async fn ended(&self) {
        self.commits.closed().await;
    }

    /// Whether the store takes what is written.
    pub(crate) fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }
}

/// Who is told what became of commits.
pub(crate) trait Told: Send + Sync {
    /// These are durable.
    fn durable(&self, commits: &[(Lease, u64)]);
    /// The lease is over: nothing of it is written any more.
    fn over(&self, lease: Lease);
}

/// The end came before the store took everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unwritten {
    /// How long the oldest of what is not written has waited.
    pub(crate) waited: Duration,
}

/// The loop that writes.
pub(crate) struct Writer {
    store: Arc<dyn CommitStore>,
    /// By partition, the last term that is over.
    over: HashMap<Partition, i64>,
    commits: mpsc::UnboundedReceiver<(u64, Commit)>,
    health: watch::Sender<Health>,
}

impl Writer {
    pub(crate) fn new(store: Arc<dyn CommitStore>) -> (Self, WriterHandle) {
        let (commits, inbox) = mpsc::unbounded_channel();
        let (health, watch) = watch::channel(Health::Well);
        (
            Self { store, over: HashMap::new(), commits: inbox, health },
            WriterHandle { commits, health: watch },
        )
    }

    /// Writes until told to stop, and then what was handed over before.
    ///
    /// # Errors
    ///
    /// Fails with [`Unwritten`] if the store does not take that in time.
    ///
    /// Commits of a lease that is over are dropped, with all that come after them: whoever has the
    /// partition by now carries on from what was written before.
    pub(crate) async fn run(
        mut self,
        stop: CancellationToken,
        told: impl Told,
    ) -> Result<(), Unwritten> {
        let mut left = None;
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
            let mut group = Group::default();
            group.push(first);
            while let Ok(next) = self.commits.try_recv() {
                if !group.has_room_for(&next.1) {
                    left = Some(next);
                    break;
                }
                group.push(next);
            }
            self.write(group, &stop, &told).await?;
        }
    }

    /// Sends the group until it is taken, whole or in parts, if that comes to pass before the end.
    async fn write(
        &mut self,
        group: Group,
        stop: &CancellationToken,
        told: &impl Told,
    ) -> Result<(), Unwritten> {
        let since = tokio::time::Instant::now();
        let mut wait = FIRST_WAIT;
        let mut deadline = None;
        let mut refusals = 0;
        // The next one is the last: what was decided first is written first.
        let mut parts = vec![group];
        while let Some(mut group) = parts.pop() {
            group.retain(|lease| !self.is_over(*lease));
            if group.commits.is_empty() {
                continue;
            }
            let Err(err) = self.store.commit(&group.commits).await else {
                self.is_well();
                told.durable(&group.ids);
                (wait, refusals) = (FIRST_WAIT, 0);
                continue;
            };
            if let Error::Fenced(lost) = &err {
                for lease in lost {
                    self.end(*lease, told);
                }
                parts.push(group);
                continue;
            }
            let why = chain(&err);
            if err.is_too_much() {
                // Each attempt takes as long as the database allows, and everything waits for it.
                self.is_failing(&why);
            }
            if (err.is_refusal() || err.is_too_much()) && group.commits.len() > 1 {
                tracing::debug!(error = why, "the store refuses a group, it is halved");
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
                        "the store refuses for good what was decided: the partition begins anew"
                    );
                    self.end(lease, told);
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
                    return Err(Unwritten { waited: since.elapsed() });
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Ok(())
    }

    fn is_well(&self) {
        if *self.health.borrow() != Health::Well {
            tracing::info!("the store takes writes again");
            self.health.send_replace(Health::Well);
        }
    }

    fn is_failing(&self, why: &str) {
        if *self.health.borrow() == Health::Well {
            tracing::warn!(error = why, "the store cannot be written, trying on");
        }
        self.health.send_replace(Health::Failing { why: why.to_owned() });
    }

    /// Nothing of the lease is written any more.
    fn end(&mut self, lease: Lease, told: &impl Told) {
        if !self.is_over(lease) {
            self.over.insert(lease.partition, lease.term);
            told.over(lease);
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
    fn push(&mut self, (id, commit): (u64, Commit)) {
        self.rows += commit.rows();
        self.bytes += commit.bytes();
        self.ids.push((commit.lease, id));
        self.commits.push(commit);
    }

    fn has_room_for(&self, commit: &Commit) -> bool {
        self.rows + commit.rows() <= ROWS && self.bytes + commit.bytes() <= BYTES
    }

    fn retain(&mut self, is_kept: impl Fn(&Lease) -> bool) {
        self.ids.retain(|(lease, _)| is_kept(lease));
        self.commits.retain(|commit| is_kept(&commit.lease));
    }

    /// The later half.
    fn split_off_half(&mut self) -> Self {
        let half = self.commits.len() / 2;
        let (ids, commits) = (self.ids.split_off(half), self.commits.split_off(half));
        Self { ids, commits, ..Self::default() }
    }
}

/// An error and all its causes, those that say something new.
pub(crate) fn chain(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cause_repeats_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Said(&'static str, #[source] Option<Box<Said>>);
        let inner = Said("(code: 13) database or disk is full", None);
        let outer =
            Said("from the database: (code: 13) database or disk is full", Some(inner.into()));
        let all = Said("could not save commits", Some(outer.into()));
        let expected =
            "could not save commits: from the database: (code: 13) database or disk is full";
        assert_eq!(chain(&all), expected);
    }
}
