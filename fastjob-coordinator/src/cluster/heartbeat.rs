//! The loop that renews this node's lease and publishes its view of the cluster.

use std::{sync::Arc, time::Duration};

use fastjob_core::error::chain;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Engines, observer::Observer};
use crate::{
    clock::Clock,
    permit::Deadline,
    store::{ClusterStore, ClusterView, NodeRow, NodeUntil},
};

/// The result of the last beat.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// No beat yet.
    Nothing,
    /// The view of the cluster, and until when this beat lets the node act.
    View(Arc<ClusterView>, Duration),
    /// The beat failed.
    Failed,
}

pub(super) struct Heartbeat {
    pub(super) cluster: Arc<dyn ClusterStore>,
    pub(super) me: NodeRow,
    pub(super) lease: Duration,
    pub(super) clock: Arc<Clock>,
    pub(super) engines: Engines,
    /// Extended by each successful beat. Once it has passed, the keeper begins a new generation
    /// when all engines have ended.
    pub(super) deadline: Deadline,
    /// Notified when the view is found to be outdated.
    pub(super) stale: Arc<Notify>,
    pub(super) seen: watch::Sender<Seen>,
}

impl Heartbeat {
    /// The lease duration that is sent to the database. It is shorter than the setting, because the
    /// setting covers the whole takeover.
    pub(super) fn database_lease(lease: Duration) -> Duration {
        lease * 3 / 4
    }

    /// Sends heartbeats until `stop` is cancelled.
    pub(super) async fn run(self, stop: CancellationToken) {
        let database_lease = Self::database_lease(self.lease);
        let mut observer = Observer::new(database_lease);
        let mut failing = false;
        while !stop.is_cancelled() {
            let sent = self.clock.elapsed();
            let beat = tokio::time::timeout(
                database_lease / 2,
                self.cluster.beat(&self.me, database_lease),
            )
            .await;
            let failed = match beat {
                Ok(Ok(mut view)) => {
                    let answered = self.clock.elapsed();
                    // This node's permit ends before the database lets another node take over,
                    // because their clocks may run at different speeds.
                    let until = sent + database_lease * 9 / 10;
                    self.deadline.extend(answered, until);
                    if failing {
                        tracing::info!("heartbeats to the database succeed again");
                        failing = false;
                    }
                    if let Some(clock) = view.clock {
                        self.clock.database(clock, sent, answered);
                    }
                    let observed = observer.look(&mut view, sent, answered);
                    if let Some(step) = observed.step {
                        tracing::warn!(
                            step = format!("{step:#}"),
                            "the database's clock was set: this node uses its own clock to judge \
                             leases for the duration of one lease"
                        );
                    }
                    // Done here, so that it does not wait for the keeper.
                    self.engines.end_superseded(&view.partitions);
                    self.seen.send_replace(Seen::View(Arc::new(view), until));
                    self.forget(observed.silent, database_lease).await;
                    None
                }
                Ok(Err(err)) => Some(chain(&err)),
                Err(_) => Some("it does not answer".to_owned()),
            };
            if let Some(error) = failed {
                if !failing {
                    tracing::warn!(error, "lease renewal failed, retrying");
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

    /// Removes the rows of dead nodes that the database considers alive because its clock was set
    /// back.
    async fn forget(&self, silent: Vec<NodeUntil>, database_lease: Duration) {
        for node in silent {
            tracing::warn!(
                node = node.node.0,
                "removing a node that has not renewed its lease in time: the database considers \
                 it alive because its clock was set back"
            );
            match tokio::time::timeout(database_lease / 4, self.cluster.forget(&node)).await {
                Ok(Ok(())) => {}
                Ok(Err(err)) => tracing::warn!(error = chain(&err), "could not remove a dead node"),
                Err(_) => tracing::warn!("timed out removing a dead node"),
            }
        }
    }
}
