//! The group-commit writer: what waits to be written goes into one transaction.
//!
//! While one transaction is on its way to the disk, the next gathers, so the groups grow with the
//! load by themselves. A commit that fails is sent again until it is taken: nothing that the engine
//! decided is dropped, and nothing is dispatched or acknowledged before.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Commit, Error, Lease, Store};

/// Most rows in one transaction, so that one never holds up the next for long.
const ROWS: usize = 20_000;
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
    store: Arc<dyn Store>,
    /// Leases that others have by now.
    over: HashSet<Lease>,
    commits: mpsc::UnboundedReceiver<(u64, Commit)>,
    health: watch::Sender<Health>,
}

impl Writer {
    pub(crate) fn new(store: Arc<dyn Store>) -> (Self, WriterHandle) {
        let (commits, inbox) = mpsc::unbounded_channel();
        let (health, watch) = watch::channel(Health::Well);
        (
            Self { store, over: HashSet::new(), commits: inbox, health },
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
        let (mut ids, mut group) = (Vec::new(), Vec::new());
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
            let mut rows = first.1.rows();
            ids.push((first.1.lease, first.0));
            group.push(first.1);
            while let Ok((id, commit)) = self.commits.try_recv() {
                if rows + commit.rows() > ROWS {
                    left = Some((id, commit));
                    break;
                }
                rows += commit.rows();
                ids.push((commit.lease, id));
                group.push(commit);
            }
            group.retain(|commit| !self.over.contains(&commit.lease));
            self.write(&mut group, &stop, &told).await?;
            ids.retain(|(lease, _)| !self.over.contains(lease));
            told.durable(&ids);
            ids.clear();
            group.clear();
        }
    }

    /// Sends the group until it is taken, if that comes to pass before the end.
    async fn write(
        &mut self,
        group: &mut Vec<Commit>,
        stop: &CancellationToken,
        told: &impl Told,
    ) -> Result<(), Unwritten> {
        let since = tokio::time::Instant::now();
        let mut wait = FIRST_WAIT;
        let mut deadline = None;
        loop {
            if group.is_empty() {
                return Ok(());
            }
            let Err(err) = self.store.commit(group).await else {
                if *self.health.borrow() != Health::Well {
                    tracing::info!("the store takes writes again");
                    self.health.send_replace(Health::Well);
                }
                return Ok(());
            };
            if let Error::Fenced(lost) = &err {
                group.retain(|commit| !lost.contains(&commit.lease));
                for lease in lost {
                    if self.over.insert(*lease) {
                        told.over(*lease);
                    }
                }
                continue;
            }
            let why = chain(&err);
            if *self.health.borrow() == Health::Well {
                tracing::warn!(error = why, "the store cannot be written, trying on");
            }
            self.health.send_replace(Health::Failing { why });
            if stop.is_cancelled() {
                let until = *deadline.get_or_insert_with(|| tokio::time::Instant::now() + LAST);
                if tokio::time::Instant::now() >= until {
                    return Err(Unwritten { waited: since.elapsed() });
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

/// An error and all its causes, those that say something new.
fn chain(err: &dyn std::error::Error) -> String {
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
