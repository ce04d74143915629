//! Merges the index of the history in the background, each node that of the partitions it holds.
//!
//! It rests for as long as each merge took, so that commits are not delayed. If the store fails, it
//! waits and tries again: an index that is not merged is searched more slowly, and is complete.

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    metrics::Metrics,
    store::{IndexStore, Partition},
};

/// Pause when there is nothing to merge.
const REST: Duration = Duration::from_secs(1);
/// Pause after an error.
const AFTER_ERROR: Duration = Duration::from_secs(10);

/// Merges until `stop` is cancelled. `held` tells the partitions that this node holds.
pub(crate) async fn run<S: IndexStore + ?Sized>(
    store: Arc<S>,
    held: impl Fn() -> Vec<Partition> + Send,
    metrics: Metrics,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let began = Instant::now();
        let pause = match store.merge_index(&held()).await {
            Ok(true) => {
                metrics.index.merged(began.into_std());
                began.elapsed()
            }
            Ok(false) => {
                metrics.index.is_done();
                REST
            }
            Err(err) => {
                metrics.index.failed(began.into_std());
                tracing::warn!(
                    error = &err as &dyn std::error::Error,
                    "could not merge the index of tasks, retrying"
                );
                AFTER_ERROR
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
