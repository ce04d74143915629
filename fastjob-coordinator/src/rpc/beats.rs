//! Beats are taken in at a bounded rate: of those that come faster only the latest counts.

use std::{future::pending, time::Duration};

use tokio::time::Instant;

use crate::engine::Beat;

/// Shortest time between two beats of a session that the engines hear of.
const APART: Duration = Duration::from_millis(20);

/// A beat with the executor's uptime when it was sent.
type Told = (Beat, u64);

/// The beats of one session.
#[derive(Debug)]
pub(super) struct Beats {
    next: Instant,
    latest: Option<Told>,
}

impl Beats {
    pub(super) fn new() -> Self {
        Self { next: Instant::now(), latest: None }
    }

    /// A beat has come. Returns it, or keeps it until its time.
    pub(super) fn come(&mut self, told: Told) -> Option<Told> {
        let now = Instant::now();
        if now < self.next {
            self.latest = Some(told);
            return None;
        }
        self.next = now + APART;
        self.latest = None;
        Some(told)
    }

    /// Waits until the time of the beat that is kept; for ever if there is none.
    pub(super) async fn due(&mut self) -> Told {
        if self.latest.is_some() {
            tokio::time::sleep_until(self.next).await;
        }
        match self.latest.take() {
            Some(told) => {
                self.next = Instant::now() + APART;
                told
            }
            None => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_beats_that_come_too_fast_the_latest_is_heard() {
        let mut beats = Beats::new();
        let beat = |uptime| (Beat::default(), uptime);
        assert_eq!(beats.come(beat(0)), Some(beat(0)), "one that comes alone is heard at once");
        for uptime in 1..100_000 {
            assert_eq!(beats.come(beat(uptime)), None);
        }
        assert_eq!(beats.due().await, beat(99_999));
        assert_eq!(beats.come(beat(100_000)), None);
        tokio::time::advance(APART).await;
        assert_eq!(beats.come(beat(100_001)), Some(beat(100_001)));
        let none = tokio::time::timeout(APART * 100, beats.due()).await;
        assert!(none.is_err(), "what was kept is out of date");
    }
}
