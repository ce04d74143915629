//! Handlers that are about to be entered go before reports.
//!
//! Of many attempts that are due at once, the first ones end before the last ones have started. If
//! their outcomes were reported at once, the coordinator would compete with the executor for the
//! processors of a machine that they share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::Runtime;

/// Interval between two checks.
const LOOK: Duration = Duration::from_millis(1);

/// Counts the attempts that were given to the handlers' runtime and did not begin.
#[derive(Debug, Default)]
pub(super) struct Entering(Arc<AtomicUsize>);

/// An attempt that is about to begin, until this is dropped.
pub(super) struct Beginning(Arc<AtomicUsize>);

impl Entering {
    pub(super) fn begin(&self) -> Beginning {
        self.0.fetch_add(1, Relaxed);
        Beginning(Arc::clone(&self.0))
    }
}

impl Drop for Beginning {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Runtime {
    /// Waits until no attempt is about to be entered, for `most` at most. Returns whether there is
    /// none.
    pub(crate) async fn entered(&self, most: Duration) -> bool {
        let until = Instant::now() + most;
        while self.is_entering() {
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }

    fn is_entering(&self) -> bool {
        let inner = &self.0;
        inner.entering.0.load(Relaxed) > 0
            || inner.lock().early.next_at().is_some_and(|at| at <= Instant::now())
    }
}
