//! Measures the round-trip time to an executor, which `response_first` routes by.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// Maximum number of unanswered pings that are remembered; beyond it, the oldest is dropped.
const MOST: usize = 16;

/// The pings of one session that have no answer yet.
#[derive(Debug, Default)]
pub(super) struct RoundTrips {
    last: u64,
    open: VecDeque<(u64, Instant)>,
}

impl RoundTrips {
    /// Records that a ping is sent; returns its id.
    pub(super) fn begin(&mut self, now: Instant) -> u64 {
        self.last += 1;
        if self.open.len() == MOST {
            self.open.pop_front();
        }
        self.open.push_back((self.last, now));
        self.last
    }

    /// Records a pong; returns the round-trip time, or `None` if no such ping is open.
    pub(super) fn end(&mut self, id: u64, now: Instant) -> Option<Duration> {
        let at = self.open.iter().position(|(open, _)| *open == id)?;
        // The stream is ordered: earlier pings will not be answered anymore.
        let (_, began) = self.open.drain(..=at).next_back()?;
        Some(now.saturating_duration_since(began))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pong_ends_its_round_trip_once() {
        let (mut trips, start) = (RoundTrips::default(), Instant::now());
        let first = trips.begin(start);
        let second = trips.begin(start + Duration::from_millis(2));
        let later = start + Duration::from_millis(9);
        assert_eq!(trips.end(second, later), Some(Duration::from_millis(7)));
        assert_eq!(trips.end(second, later), None);
        assert_eq!(trips.end(first, later), None, "a later ping was answered");
    }

    #[test]
    fn pings_without_an_answer_are_bounded() {
        let (mut trips, now) = (RoundTrips::default(), Instant::now());
        let ids: Vec<_> = (0..MOST + 5).map(|_| trips.begin(now)).collect();
        assert_eq!(trips.open.len(), MOST);
        assert_eq!(trips.end(ids[0], now), None);
        assert_eq!(trips.end(ids[MOST + 4], now), Some(Duration::ZERO));
    }
}
