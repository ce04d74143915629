use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::store::{Error, Result};

/// Fails once, then has something to merge twice.
#[derive(Default)]
struct Index {
    calls: AtomicUsize,
    stop: CancellationToken,
}

#[async_trait::async_trait]
impl IndexStore for Index {
    async fn merge_index(&self, partitions: &[Partition]) -> Result<bool> {
        assert_eq!(partitions, [Partition(3)]);
        match self.calls.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Error::TimedOut { doing: "merge" }),
            1 | 2 => Ok(true),
            3 => Ok(false),
            _ => {
                self.stop.cancel();
                Ok(false)
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_index_is_merged_again_after_an_error_and_when_there_was_nothing_to_merge() {
    let index = Arc::new(Index::default());
    let began = Instant::now();
    run(Arc::clone(&index), || vec![Partition(3)], Metrics::default(), index.stop.clone()).await;
    assert_eq!(index.calls.load(Ordering::SeqCst), 5);
    assert_eq!(began.elapsed(), AFTER_ERROR + REST);
}
