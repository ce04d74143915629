//! The loop that hands children of tasks in other partitions to the engines that start them.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::Engines;
use crate::store::{LoadStore, Partition};

/// Interval between two polls for children to start.
const LOOK: Duration = Duration::from_millis(250);
/// The interval while there are more children than one poll reads.
const MORE: Duration = Duration::from_millis(20);
/// Maximum number of children in one poll: their params can be long.
const MOST: u32 = 500;
/// Timeout of one poll. An engine remembers the children that it started for longer, so a read from
/// before they were marked as started does not start them again.
const READ: Duration = Duration::from_secs(5);

/// Polls until `stop` is cancelled.
pub(super) async fn run(store: Arc<dyn LoadStore>, engines: Engines, stop: CancellationToken) {
    while !stop.is_cancelled() {
        // Taken before the read: a later engine of the same partition does not remember what this
        // engine started, so it only accepts reads that began after it was added.
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
                Ok(Err(err)) => tracing::debug!(%err, "could not read children to start"),
                Err(_) => tracing::debug!("timed out reading children to start"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
