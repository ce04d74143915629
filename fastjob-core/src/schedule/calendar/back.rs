//! Finds where an excluded span begins, and how far an open span extends.

use jiff::{SignedDuration, Timestamp, civil::DateTime};

use super::{Calendar, DAY, at_minute, minute_of};
use crate::schedule::steps::step;

const NANOSECOND: SignedDuration = SignedDuration::from_nanos(1);

/// Maximum number of days that one search for the next excluded day visits.
const DAYS_AHEAD: usize = 400;

impl Calendar {
    /// The instant from which everything up to and including `at` is excluded; `None` if `at` is
    /// not excluded.
    ///
    /// Visits each day of the span, and each zone transition in it, once.
    pub fn closed_since(&self, at: Timestamp) -> Option<Timestamp> {
        let zone = self.zone.time_zone();
        let (mut at, mut since) = (at, None);
        loop {
            step();
            let offset = zone.to_offset(at);
            let wall = offset.to_datetime(at);
            if !self.leaves_out(wall) {
                return since;
            }
            // While the offset is constant, wall time and real time run alike. At a change, check
            // again.
            let behind = at.checked_add(NANOSECOND).unwrap_or(at);
            let change = zone.preceding(behind).next().map(|change| change.timestamp());
            let begins = change.map_or(DateTime::MIN, |change| offset.to_datetime(change));
            let closed = self.closed_wall(wall, begins);
            let before = change.and_then(|change| change.checked_sub(NANOSECOND).ok());
            match before {
                Some(before) if closed <= begins => {
                    since = change;
                    at = before;
                }
                Some(_) | None => {
                    return Some(offset.to_timestamp(closed).unwrap_or(Timestamp::MIN));
                }
            }
        }
    }

    /// An instant up to which nothing from `at` on is excluded, not later than `until`; `at` itself
    /// must be open.
    ///
    /// This is the end of the open span, or an earlier instant that bounds the work: the end of the
    /// day if hours are excluded, otherwise more than a year later.
    pub(in crate::schedule) fn open_until(&self, at: Timestamp, until: Timestamp) -> Timestamp {
        step();
        let zone = self.zone.time_zone();
        let offset = zone.to_offset(at);
        let change = zone.following(at).next().map(|change| change.timestamp());
        let until = change.map_or(until, |change| until.min(change));
        let closes = offset.to_timestamp(self.closing_wall(offset.to_datetime(at)));
        closes.map_or(until, |closes| until.min(closes))
    }

    /// The wall time since which everything up to `wall`, which is excluded, is excluded. Ignores
    /// clock changes. The result is arbitrary if it is not later than `begins`.
    fn closed_wall(&self, wall: DateTime, begins: DateTime) -> DateTime {
        let (mut date, mut minute) = (wall.date(), minute_of(wall));
        let mut since = wall;
        while since > begins {
            step();
            since = match (self.closed_days(date), self.span(minute)) {
                (Some((first, _)), _) => first.at(0, 0, 0, 0),
                (None, Some((from, _))) => at_minute(date, from),
                (None, None) => break,
            };
            match since.date().yesterday() {
                Ok(yesterday) if minute_of(since) == 0 => (date, minute) = (yesterday, DAY - 1),
                Ok(_) | Err(_) => break,
            }
        }
        since
    }

    /// A wall time up to which nothing from `wall` on is excluded. Ignores clock changes.
    fn closing_wall(&self, wall: DateTime) -> DateTime {
        let minute = minute_of(wall);
        if let Some((from, _)) = self.spans.iter().find(|(from, _)| *from > minute) {
            return at_minute(wall.date(), *from);
        }
        let mut date = wall.date();
        for _ in 0..if self.spans.is_empty() { DAYS_AHEAD } else { 1 } {
            step();
            date = date.tomorrow().unwrap_or(date);
            if self.closed_days(date).is_some() {
                break;
            }
        }
        date.at(0, 0, 0, 0)
    }
}
