//! The loop that hands children of other partitions' tasks to the engines that are to start them.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::Engines;
use crate::store::{LoadStore, Partition};

/// Between two looks for children to start.
const LOOK: Duration = Duration::from_millis(250);
/// The same while there are more than one look takes.
const MORE: Duration = Duration::from_millis(20);
/// Most children that one look takes: their params can be long.
const MOST: u32 = 500;
/// How long one look may take. An engine remembers the children that it started for longer, so that
/// what was read before they were crossed out does not start them again.
const READ: Duration = Duration::from_secs(5);

/// Looks until told to stop.
pub(super) async fn run(store: Arc<dyn LoadStore>, engines: Engines, stop: CancellationToken) {
    while !stop.is_cancelled() {
        // Before the read: a later engine of the same partition does not remember what this one
        // started, so it takes only what was read while it was there.
        let (leases, read_at) = (engines.loaded(), engines.uptime());
        let mut wait = LOOK;
        if !leases.is_empty() {
            let partitions: Vec<Partition> = leases.iter().map(|lease| lease.partition).collect();
            match tokio::time::timeout(READ, store.child_starts(&partitions, MOST)).await {
                Ok(Ok(children)) => {
                    if children.len() >= MOST as usize {
                        wait = MORE;
                    }
                    engines.start_children(&leases, children, read_at);
                }
                Ok(Err(err)) => tracing::debug!(%err, "children to start not read"),
                Err(_) => tracing::debug!("children to start not read in time"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
