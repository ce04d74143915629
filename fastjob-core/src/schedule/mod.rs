//! Schedules: when a job fires, as a pure function of its timetable and two instants.

pub mod calendar;
mod count;
pub mod cron;
pub(crate) mod steps;
pub mod timetable;
pub mod zone;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use self::{
    calendar::Calendar,
    count::Count,
    cron::{Cron, InvalidCron},
    timetable::{Limits, Next, SPANS_MOST, Timetable},
    zone::{UnknownZone, Zone},
};

/// When a job fires, without limits; see [`Timetable`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Schedule {
    /// Never automatically: only through the API, by a user, or by its parent.
    None,
    /// At the times of a cron expression, in a time zone.
    Cron(Cron, Zone),
    /// At a fixed interval, counted from when the schedule was set.
    FixedRate(Duration),
    /// A fixed delay after the end of the last task, or after the schedule was set.
    FixedDelay(Duration),
    /// Once, at this instant.
    Once(Timestamp),
}

/// The end of all searches: no cron expression fires in a later year, and no schedule with a
/// calendar fires at or after it.
pub const END: Timestamp = Timestamp::constant(7_258_118_400, 0);

/// Minimum rate and delay.
pub const SHORTEST: Duration = Duration::from_millis(100);

impl Schedule {
    /// The first fire later than `after`.
    ///
    /// `anchor` is the instant that the schedule counts from: when it was set or, for a fixed
    /// delay, the end of the last task. No fire is at or before the anchor.
    pub fn next_after(&self, after: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        steps::step();
        match self {
            Self::None => None,
            Self::Cron(cron, zone) => cron.next_after(after.max(anchor), zone.time_zone()),
            Self::FixedRate(rate) => {
                let grid = Grid::new(*rate, anchor)?;
                grid.fire(grid.fires_until(after) + 1)
            }
            Self::FixedDelay(delay) => {
                let delay = SignedDuration::try_from(*delay).ok()?;
                anchor.checked_add(delay).ok().filter(|at| *at > after)
            }
            Self::Once(at) => Some(*at).filter(|at| *at > after && *at > anchor),
        }
    }

    /// The last fire later than `after` and not later than `until`.
    ///
    /// The work does not grow with the number of fires in between.
    pub fn last_between(
        &self,
        after: Timestamp,
        until: Timestamp,
        anchor: Timestamp,
    ) -> Option<Timestamp> {
        steps::step();
        match self {
            Self::Cron(cron, zone) => cron.last_between(after.max(anchor), until, zone.time_zone()),
            Self::FixedRate(rate) => {
                let grid = Grid::new(*rate, anchor)?;
                let (done, last) = (grid.fires_until(after), grid.fires_until(until));
                if last > done { grid.fire(last) } else { None }
            }
            // At most one fire.
            Self::None | Self::FixedDelay(_) | Self::Once(_) => {
                self.next_after(after, anchor).filter(|fire| *fire <= until)
            }
        }
    }

    /// The number of fires later than `after` and not later than `until`.
    ///
    /// The work does not grow with their number.
    pub fn count_between(&self, after: Timestamp, until: Timestamp, anchor: Timestamp) -> Count {
        steps::step();
        match self {
            Self::Cron(cron, zone) => {
                cron.count_between(after.max(anchor), until, zone.time_zone())
            }
            Self::FixedRate(rate) => Grid::new(*rate, anchor).map_or(Count::default(), |grid| {
                let number = grid.fires_until(until) - grid.fires_until(after);
                Count::exactly(number.try_into().unwrap_or(0))
            }),
            Self::None | Self::FixedDelay(_) | Self::Once(_) => {
                let fire = self.next_after(after, anchor).filter(|fire| *fire <= until);
                Count::exactly(u64::from(fire.is_some()))
            }
        }
    }

    /// Whether the next fire depends on the end of the last task.
    pub const fn follows_the_last_end(&self) -> bool {
        matches!(self, Self::FixedDelay(_))
    }
}

/// The fires of a fixed rate: multiples of it since the anchor, so that nothing drifts.
struct Grid {
    /// In milliseconds, as is `since`.
    rate: i64,
    since: i64,
}

impl Grid {
    fn new(rate: Duration, anchor: Timestamp) -> Option<Self> {
        let rate = i64::try_from(rate.as_millis()).ok()?.max(1);
        Some(Self { rate, since: anchor.as_millisecond() })
    }

    /// The number of fires not later than `at`.
    fn fires_until(&self, at: Timestamp) -> i64 {
        (at.as_millisecond() - self.since).max(0) / self.rate
    }

    /// The nth fire, counted from 1.
    fn fire(&self, nth: i64) -> Option<Timestamp> {
        let at = nth.checked_mul(self.rate)?.checked_add(self.since)?;
        Timestamp::from_millisecond(at).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schedule: &Schedule, anchor: &str, after: &str, next: Option<&str>) {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(schedule.next_after(at(after), at(anchor)), next.map(at));
    }

    #[test]
    fn a_fixed_rate_counts_from_its_anchor_and_does_not_drift() {
        let rate = Schedule::FixedRate(Duration::from_secs(30));
        let anchor = "2026-01-01T00:00:07Z";
        check(&rate, anchor, anchor, Some("2026-01-01T00:00:37Z"));
        check(&rate, anchor, "2026-01-01T00:00:36.999Z", Some("2026-01-01T00:00:37Z"));
        check(&rate, anchor, "2026-01-01T00:00:37Z", Some("2026-01-01T00:01:07Z"));
        check(&rate, anchor, "2025-01-01T00:00:00Z", Some("2026-01-01T00:00:37Z"));
    }

    #[test]
    fn a_fixed_delay_fires_once_after_each_end() {
        let delay = Schedule::FixedDelay(Duration::from_secs(5));
        check(&delay, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", Some("2026-01-01T00:00:05Z"));
        check(&delay, "2026-01-01T00:00:00Z", "2026-01-01T00:00:05Z", None);
    }

    #[test]
    fn once_fires_once() {
        let once = Schedule::Once("2026-06-01T08:00:00Z".parse().unwrap());
        let at = "2026-06-01T08:00:00Z";
        check(&once, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", Some(at));
        check(&once, "2026-01-01T00:00:00Z", at, None);
        check(&once, at, "2026-01-01T00:00:00Z", None);
    }
}
