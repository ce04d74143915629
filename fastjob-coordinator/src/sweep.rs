//! Removes history after its retention, in small pieces, so that scheduling does not notice.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::{clock::wall_now, store::Store};

/// Tasks in one piece.
const PIECE: u32 = 500;
/// Between two pieces while there is more.
const BREATH: Duration = Duration::from_millis(200);
/// Between two looks when there is nothing to remove.
const REST: Duration = Duration::from_secs(600);

/// Removes what ended longer than `history` ago, until told to stop; zero keeps everything.
pub(crate) async fn run(store: Arc<dyn Store>, history: Duration, stop: CancellationToken) {
    if history.is_zero() {
        return stop.cancelled().await;
    }
    let history = SignedDuration::try_from(history).unwrap_or(SignedDuration::MAX);
    loop {
        let wait = match wall_now().checked_sub(history) {
            Ok(before) => match store.remove_ended(before, PIECE).await {
                Ok(0) => REST,
                Ok(removed) => {
                    tracing::debug!(removed, "old tasks removed");
                    BREATH
                }
                Err(err) => {
                    tracing::warn!(error = &err as &dyn std::error::Error, "history not removed");
                    REST
                }
            },
            Err(_) => REST,
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
