//! The loop that renews this node's lease, and publishes what it saw of the cluster.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Deadline, Engines, observer::Observer};
use crate::{
    clock::Clock,
    store::{ClusterStore, ClusterView, NodeRow, NodeUntil, writer::chain},
};

/// What the last beat showed.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// There was none yet.
    Nothing,
    /// The cluster, and until when the node may act because of this beat.
    View(Arc<ClusterView>, Duration),
    /// The database did not take it.
    Failed,
}

pub(super) struct Heartbeat {
    pub(super) cluster: Arc<dyn ClusterStore>,
    pub(super) me: NodeRow,
    pub(super) lease: Duration,
    pub(super) clock: Arc<Clock>,
    pub(super) engines: Engines,
    /// Extended with each beat that the database took; once it has passed, the keeper begins a new
    /// generation when no engine is left.
    pub(super) deadline: Deadline,
    /// Notified when the view was found to be outdated.
    pub(super) stale: Arc<Notify>,
    pub(super) seen: watch::Sender<Seen>,
}

impl Heartbeat {
    /// The lease as the database is told: shorter than a takeover may take in all.
    pub(super) fn told(lease: Duration) -> Duration {
        lease * 3 / 4
    }

    /// Beats until told to stop.
    pub(super) async fn run(self, stop: CancellationToken) {
        let told = Self::told(self.lease);
        let mut observer = Observer::new(told);
        let mut failing = false;
        while !stop.is_cancelled() {
            let sent = self.clock.elapsed();
            let beat = tokio::time::timeout(told / 2, self.cluster.beat(&self.me, told)).await;
            let failed = match beat {
                Ok(Ok(mut view)) => {
                    let answered = self.clock.elapsed();
                    // This node ends before the database lets another begin: their clocks may not
                    // run equally fast.
                    let until = sent + told * 9 / 10;
                    self.deadline.extend(answered, until);
                    if failing {
                        tracing::info!("the database answers again");
                        failing = false;
                    }
                    if let Some(clock) = view.clock {
                        self.clock.database(clock, sent, answered);
                    }
                    let observed = observer.look(&mut view, sent, answered);
                    if let Some(step) = observed.step {
                        tracing::warn!(
                            step = format!("{step:#}"),
                            "the database's clock was set: leases are judged by this node's own \
                             clock for the length of a lease"
                        );
                    }
                    // At once, also while the keeper is busy with other partitions.
                    self.engines.end_superseded(&view.partitions);
                    self.seen.send_replace(Seen::View(Arc::new(view), until));
                    self.forget(observed.silent, told).await;
                    None
                }
                Ok(Err(err)) => Some(chain(&err)),
                Err(_) => Some("it does not answer".to_owned()),
            };
            if let Some(error) = failed {
                if !failing {
                    tracing::warn!(error, "this node cannot renew its lease, retrying");
                    failing = true;
                }
                self.seen.send_replace(Seen::Failed);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.lease / 6) => {}
                () = self.stale.notified() => {}
            }
        }
    }

    /// Removes the rows of nodes that are dead although the database's clock says otherwise.
    async fn forget(&self, silent: Vec<NodeUntil>, told: Duration) {
        for node in silent {
            tracing::warn!(
                node = node.node.0,
                "a node has not renewed its lease for longer than it lasts, but the database's \
                 clock, which was set back, takes it for alive: it is removed"
            );
            match tokio::time::timeout(told / 4, self.cluster.forget(&node)).await {
                Ok(Ok(())) => {}
                Ok(Err(err)) => tracing::warn!(error = chain(&err), "a node was not removed"),
                Err(_) => tracing::warn!("a node was not removed: the database does not answer"),
            }
        }
    }
}
