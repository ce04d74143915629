//! Limits the rate of heartbeats: of those that arrive faster, only the latest counts.

use std::{future::pending, time::Duration};

use fastjob_engine::Beat;
use tokio::time::Instant;

/// Minimum time between two beats of a session that are passed to the engines.
const APART: Duration = Duration::from_millis(20);

/// A beat with the executor's uptime when it was sent.
type Heartbeat = (Beat, u64);

/// The beats of one session.
#[derive(Debug)]
pub(super) struct Beats {
    next: Instant,
    latest: Option<Heartbeat>,
}

impl Beats {
    pub(super) fn new() -> Self {
        Self { next: Instant::now(), latest: None }
    }

    /// Handles a beat: returns it, or keeps it until it is due.
    pub(super) fn come(&mut self, heartbeat: Heartbeat) -> Option<Heartbeat> {
        let now = Instant::now();
        if now < self.next {
            self.latest = Some(heartbeat);
            return None;
        }
        self.next = now + APART;
        self.latest = None;
        Some(heartbeat)
    }

    /// Waits until the kept beat is due; forever if there is none.
    pub(super) async fn due(&mut self) -> Heartbeat {
        if self.latest.is_some() {
            tokio::time::sleep_until(self.next).await;
        }
        match self.latest.take() {
            Some(heartbeat) => {
                self.next = Instant::now() + APART;
                heartbeat
            }
            None => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_beats_that_arrive_too_fast_the_latest_is_passed_on() {
        let mut beats = Beats::new();
        let beat = |uptime| (Beat::default(), uptime);
        assert_eq!(beats.come(beat(0)), Some(beat(0)), "a single beat is passed on at once");
        for uptime in 1..100_000 {
            assert_eq!(beats.come(beat(uptime)), None);
        }
        assert_eq!(beats.due().await, beat(99_999));
        assert_eq!(beats.come(beat(100_000)), None);
        tokio::time::advance(APART).await;
        assert_eq!(beats.come(beat(100_001)), Some(beat(100_001)));
        let none = tokio::time::timeout(APART * 100, beats.due()).await;
        assert!(none.is_err(), "the kept beat is outdated");
    }
}
