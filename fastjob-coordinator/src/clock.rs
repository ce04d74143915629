//! The one place where the coordinator reads clocks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::engine::Now;

/// How far the clock may be set back before anybody is told.
const NOTICED: SignedDuration = SignedDuration::from_secs(5);
/// Between two looks at the clock.
const LOOK: Duration = Duration::from_secs(1);

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

    /// Lets the wall clock stand still until this instant, if it is not there yet.
    pub(crate) fn not_before(&self, at: Timestamp) {
        self.latest.fetch_max(at.as_millisecond(), Ordering::Relaxed);
    }

    /// Until when the wall clock stands still, if it was set back by so much that people notice.
    pub(crate) fn stands_still_until(&self) -> Option<Timestamp> {
        let until = Timestamp::from_millisecond(self.latest.load(Ordering::Relaxed)).ok()?;
        (until.duration_since(wall_now()) > NOTICED).then_some(until)
    }
}

/// Says when the clock begins to stand still, and when it goes on.
pub(crate) async fn watch(clock: Arc<Clock>, stop: CancellationToken) {
    let mut stood = false;
    while !stop.is_cancelled() {
        match clock.stands_still_until() {
            Some(until) if !stood => tracing::warn!(
                %until,
                "this machine's clock was set back: schedules stand still until it is there again"
            ),
            None if stood => tracing::info!("the clock has caught up, schedules go on"),
            _ => {}
        }
        stood = clock.stands_still_until().is_some();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_stands_still_and_says_until_when() {
        let clock = Clock::start();
        assert_eq!(clock.stands_still_until(), None);
        let ahead = clock.now().wall + SignedDuration::from_hours(1);
        clock.not_before(ahead);
        assert_eq!(clock.now().wall, ahead);
        assert_eq!(clock.stands_still_until(), Some(ahead));
    }
}
