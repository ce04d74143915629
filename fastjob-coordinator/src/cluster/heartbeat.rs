//! The loop that renews this node's lease, and shows what it saw of the cluster with that.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Deadline, keeper::chain};
use crate::{
    clock::Clock,
    store::{ClusterStore, ClusterView, NodeRow},
};

/// What the last beat showed.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// There was none yet.
    Nothing,
    View(Arc<ClusterView>),
    /// The database did not take it.
    Failed,
}

pub(super) struct Heartbeat {
    pub(super) cluster: Arc<dyn ClusterStore>,
    pub(super) me: NodeRow,
    pub(super) lease: Duration,
    pub(super) clock: Arc<Clock>,
    /// Moved on with each beat that the database took.
    pub(super) deadline: Deadline,
    /// Woken by whoever found what was seen to be wrong.
    pub(super) stale: Arc<Notify>,
    pub(super) seen: watch::Sender<Seen>,
}

impl Heartbeat {
    /// Beats until told to stop.
    pub(super) async fn run(self, stop: CancellationToken) {
        // The database is told a shorter time than a takeover may need in all, and this node ends
        // before that: for clocks that do not run alike.
        let told = self.lease * 3 / 4;
        let mut failing = false;
        while !stop.is_cancelled() {
            let began = self.clock.now().uptime;
            let beat = tokio::time::timeout(told / 2, self.cluster.beat(&self.me, told)).await;
            let failed = match beat {
                Ok(Ok(view)) => {
                    self.deadline.set(began + told * 9 / 10);
                    if failing {
                        tracing::info!("the database answers again");
                        failing = false;
                    }
                    self.seen.send_replace(Seen::View(Arc::new(view)));
                    None
                }
                Ok(Err(err)) => Some(chain(&err)),
                Err(_) => Some("it does not answer".to_owned()),
            };
            if let Some(error) = failed {
                if !failing {
                    tracing::warn!(error, "this node cannot renew its lease, trying on");
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
}
