//! When a job fires: a pure function of its timetable and two instants.

pub mod calendar;
pub mod cron;
pub mod timetable;
pub mod zone;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use self::{
    calendar::Calendar,
    cron::{Cron, InvalidCron},
    timetable::{Limits, Timetable},
    zone::{UnknownZone, Zone},
};

/// When a job fires, if nothing limits it; see [`Timetable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Never by itself: it is started by API, by a person, or by its parent.
    None,
    /// At the times of a cron expression, in a time zone.
    Cron(Cron, Zone),
    /// Every so often, counted from when the schedule was set.
    FixedRate(Duration),
    /// So long after the end of the last task, or after the schedule was set.
    FixedDelay(Duration),
    /// Once.
    Once(Timestamp),
}

/// Shortest rate and delay.
pub const SHORTEST: Duration = Duration::from_millis(100);

impl Schedule {
    /// The first fire later than `after`.
    ///
    /// `anchor` is where the schedule counts from: the instant it was set or, for a fixed delay,
    /// the end of the last task. No fire is at or before the anchor.
    pub fn next_after(&self, after: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::Cron(cron, zone) => cron.next_after(after.max(anchor), zone.time_zone()),
            Self::FixedRate(rate) => {
                let rate = i64::try_from(rate.as_millis()).ok()?.max(1);
                let since = anchor.as_millisecond();
                // A whole number of rates since the anchor, so that nothing drifts.
                let done = (after.as_millisecond() - since).max(0) / rate;
                let next = done.checked_add(1)?.checked_mul(rate)?.checked_add(since)?;
                Timestamp::from_millisecond(next).ok()
            }
            Self::FixedDelay(delay) => {
                let delay = SignedDuration::try_from(*delay).ok()?;
                anchor.checked_add(delay).ok().filter(|at| *at > after)
            }
            Self::Once(at) => Some(*at).filter(|at| *at > after && *at > anchor),
        }
    }

    /// Whether the next fire hangs on the end of the last task.
    pub const fn follows_the_last_end(&self) -> bool {
        matches!(self, Self::FixedDelay(_))
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
    fn once_is_once() {
        let once = Schedule::Once("2026-06-01T08:00:00Z".parse().unwrap());
        let at = "2026-06-01T08:00:00Z";
        check(&once, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", Some(at));
        check(&once, "2026-01-01T00:00:00Z", at, None);
        check(&once, at, "2026-01-01T00:00:00Z", None);
    }
}
