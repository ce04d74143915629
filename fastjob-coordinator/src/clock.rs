//! The one place where the coordinator reads clocks.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Instant,
};

use jiff::Timestamp;

use crate::engine::Now;

/// The wall clock, held so that it never runs backwards, and the time since the start.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    /// The latest wall time that was given out, in milliseconds.
    latest: AtomicI64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), latest: AtomicI64::new(wall_millis()) }
    }

    /// Both clocks, in whole milliseconds.
    pub(crate) fn now(&self) -> Now {
        let wall = wall_millis();
        // After a jump back the time stands still until the clock has caught up: what was recorded
        // does not happen again.
        let held = self.latest.fetch_max(wall, Ordering::Relaxed).max(wall);
        let wall = Timestamp::from_millisecond(held).unwrap_or(Timestamp::MAX);
        Now { wall, uptime: self.started.elapsed() }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
fn wall_millis() -> i64 {
    Timestamp::now().as_millisecond()
}

/// The wall clock as it is, for what is only shown.
#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub(crate) fn wall_now() -> Timestamp {
    Timestamp::now()
}
