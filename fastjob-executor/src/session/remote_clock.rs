//! The monotonic clock of a coordinator, compared with the one of this process.
//!
//! Each message says when it was sent, by the coordinator's clock. The least difference between its
//! arrival here and that instant is the difference of the clocks and the shortest time that a
//! message takes. So an instant of the coordinator's clock is never placed too early here, apart
//! from the drift of the clocks since the message with the least difference: two periods at most. The
//! coordinator's clock continues while its machine is suspended. If this one stops, instants
//! are placed later, and the next message corrects that.

use std::time::Duration;

use tokio::time::Instant;

/// How long a least difference counts at least. Clocks that drift by 500 ppm, as much as NTP
/// corrects, differ by 10 ms after two periods.
const PERIOD: Duration = Duration::from_secs(10);
/// The latest instant that a message may name, after its arrival. Coordinators plan a second ahead.
const AHEAD_MOST: Duration = Duration::from_secs(1);

/// The clock of a session's coordinator.
#[derive(Debug)]
pub(super) struct RemoteClock {
    base: Instant,
    /// When the current period began.
    since: Instant,
    /// The least difference in the current and in the last period, in microseconds.
    least: Option<i128>,
    last: Option<i128>,
}

impl RemoteClock {
    pub(super) fn new(now: Instant) -> Self {
        Self { base: now, since: now, least: None, last: None }
    }

    /// A message that was sent at `sent_at`, by the coordinator's clock, has arrived.
    pub(super) fn compare(&mut self, sent_at: Duration, arrived: Instant) {
        let difference = self.micros(arrived) - micros(sent_at);
        if arrived.duration_since(self.since) >= PERIOD {
            (self.last, self.least, self.since) = (self.least, None, arrived);
        }
        self.least = Some(self.least.map_or(difference, |least| least.min(difference)));
    }

    /// When the coordinator's clock reads `at`, at most a second from now. `None` for at once.
    pub(super) fn when(&self, at: Duration, now: Instant) -> Option<Instant> {
        let difference = [self.least, self.last].into_iter().flatten().min()?;
        let ahead = micros(at) + difference - self.micros(now);
        let ahead = Duration::from_micros(u64::try_from(ahead).ok()?);
        Some(now + ahead.min(AHEAD_MOST))
    }

    fn micros(&self, at: Instant) -> i128 {
        micros(at.saturating_duration_since(self.base))
    }
}

fn micros(duration: Duration) -> i128 {
    i128::try_from(duration.as_micros()).unwrap_or(i128::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// The coordinator started 5 s before this process.
    const AHEAD: Duration = Duration::from_secs(5);

    #[test]
    fn an_instant_is_placed_by_the_message_that_took_the_shortest_time() {
        let begin = Instant::now();
        let mut clock = RemoteClock::new(begin);
        assert_eq!(clock.when(AHEAD, begin), None, "no message has arrived");
        for (sent, took) in [(0, 30), (100, 2), (200, 80)] {
            clock.compare(AHEAD + ms(sent), begin + ms(sent + took));
        }
        let now = begin + ms(280);
        assert_eq!(clock.when(AHEAD + ms(450), now), Some(begin + ms(452)));
        assert_eq!(clock.when(AHEAD + ms(100), now), None, "it has passed");
    }

    #[test]
    fn a_difference_counts_for_two_periods_at_most() {
        let begin = Instant::now();
        let mut clock = RemoteClock::new(begin);
        clock.compare(AHEAD, begin + ms(1));
        for second in 1..=9 {
            clock.compare(AHEAD + ms(second * 1_000), begin + ms(second * 1_000 + 7));
        }
        let when = |clock: &RemoteClock, at| clock.when(AHEAD + ms(at), begin + ms(at - 50));
        assert_eq!(when(&clock, 9_500), Some(begin + ms(9_501)));
        for second in 10..=31 {
            clock.compare(AHEAD + ms(second * 1_000), begin + ms(second * 1_000 + 7));
        }
        assert_eq!(when(&clock, 31_500), Some(begin + ms(31_507)));
    }

    #[test]
    fn an_instant_that_a_coordinator_may_not_name_is_at_most_a_second_away() {
        let begin = Instant::now();
        let mut clock = RemoteClock::new(begin);
        for sent_at in [Duration::ZERO, Duration::MAX] {
            clock.compare(sent_at, begin);
            for at in [Duration::ZERO, Duration::MAX] {
                let when = clock.when(at, begin);
                assert!(when.is_none_or(|at| at <= begin + ms(1_000)), "{when:?}");
            }
        }
    }
}
