//! Removes history after its retention, in small pieces, so that scheduling does not notice.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, store::Store};

/// Tasks in one piece.
const PIECE: u32 = 500;
/// Between two pieces while there is more.
const BREATH: Duration = Duration::from_millis(200);
/// Between two looks when there is nothing to remove.
const REST: Duration = Duration::from_secs(600);

/// Between two looks at a clock that is not certain.
const UNCERTAIN: Duration = Duration::from_secs(1);

/// Removes what ended longer than `history` ago, until told to stop; zero keeps everything. Nothing
/// is removed while the clock is not certain.
pub(crate) async fn run(
    store: Arc<dyn Store>,
    history: Duration,
    clock: Arc<Clock>,
    stop: CancellationToken,
) {
    if history.is_zero() {
        return stop.cancelled().await;
    }
    let history = SignedDuration::try_from(history).unwrap_or(SignedDuration::MAX);
    loop {
        let wait = match clock.settled().map(|now| now.checked_sub(history)) {
            None => UNCERTAIN,
            Some(Ok(before)) => match store.remove_ended(before, PIECE).await {
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
            Some(Err(_)) => REST,
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{double::Double, sqlite::Sqlite};

    #[tokio::test]
    async fn no_history_is_removed_by_a_clock_that_jumped() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("s.db")).await.unwrap();
        let store = Arc::new(Double::of(Arc::new(store)));
        let (clock, machine) = Clock::manual();
        let start = clock.now().wall;
        let (year, day) = (365 * 24 * 3_600_000, Duration::from_secs(24 * 3_600));
        machine.step(year);
        assert_eq!(clock.now().wall.duration_since(start).as_hours(), 0);
        let stop = CancellationToken::new();
        let sweep = run(Arc::clone(&store) as _, day, Arc::clone(&clock), stop.clone());
        let sweep = tokio::spawn(sweep);
        tokio::task::yield_now().await;
        machine.step(-year);
        let removed = async {
            while store.removals.lock().unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), removed).await.unwrap();
        stop.cancel();
        sweep.await.unwrap();
        let latest = *store.removals.lock().unwrap().iter().max().unwrap();
        assert!(latest < start, "by the right clock: a day before now, not a year after");
    }
}
