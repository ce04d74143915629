//! Rate-limits log lines about events that unauthenticated clients can cause: at most one per
//! interval.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Minimum time between two lines.
const INTERVAL: Duration = Duration::from_secs(10);

/// Counts events between two log lines about them.
#[derive(Default)]
pub(super) struct Rarely(Mutex<Since>);

#[derive(Default)]
struct Since {
    logged: Option<Instant>,
    count: u64,
}

impl Rarely {
    /// Counts one event. Returns how many there were since the last line, if it is time for one.
    pub(super) fn next(&self) -> Option<u64> {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.count += 1;
        let now = Instant::now();
        if since.logged.is_some_and(|logged| now < logged + INTERVAL) {
            return None;
        }
        since.logged = Some(now);
        Some(std::mem::take(&mut since.count))
    }
}
