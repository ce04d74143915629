//! Finds the last fire of a range and counts its fires, without visiting each of them.

use jiff::Timestamp;

use super::{BEFORE, Limits, Timetable, before};
use crate::schedule::{Calendar, Count, Schedule};

/// Counting stops after this many open spans.
pub(super) const OPEN_SPANS_MOST: usize = 64;

/// A range after applying the limits.
struct Range {
    after: Timestamp,
    until: Timestamp,
    anchor: Timestamp,
}

impl Timetable {
    /// The last fire later than `after` and not later than `until`: the one where a walk with
    /// [`next_after`](Self::next_after) would end.
    ///
    /// Without a calendar, the work does not grow with the number of fires. With a calendar, each
    /// excluded span that has fires costs a step, the latest first, until a fire is not excluded:
    /// at most 25 per day of the range, and usually one or two.
    pub fn last_between(
        &self,
        after: Timestamp,
        until: Timestamp,
        anchor: Timestamp,
    ) -> Option<Timestamp> {
        let Some(limits) = self.limits().filter(|_| self.is_grid()) else {
            // Without limits, or with at most one fire, which the limits may move.
            return if self.is_grid() {
                self.schedule.last_between(after, until, anchor)
            } else {
                self.next_after(after, anchor).filter(|fire| *fire <= until)
            };
        };
        let mut range = self.limited(limits, after, until, anchor)?;
        loop {
            let fire = self.schedule.last_between(range.after, range.until, range.anchor)?;
            let calendar = limits.exclude.as_ref();
            match calendar.and_then(|calendar| calendar.closed_since(fire)) {
                None => return Some(fire),
                Some(closed) => range.until = before(closed),
            }
        }
    }

    /// The number of fires later than `after` and not later than `until`.
    ///
    /// The work does not grow with this number. With a calendar, each open span costs a few steps;
    /// after 64 open spans the count is a lower bound.
    pub fn count_between(&self, after: Timestamp, until: Timestamp, anchor: Timestamp) -> Count {
        let Some(limits) = self.limits().filter(|_| self.is_grid()) else {
            return if self.is_grid() {
                self.schedule.count_between(after, until, anchor)
            } else {
                let fire = self.next_after(after, anchor).filter(|fire| *fire <= until);
                Count::exactly(u64::from(fire.is_some()))
            };
        };
        let Some(range) = self.limited(limits, after, until, anchor) else {
            return Count::default();
        };
        match &limits.exclude {
            None => self.schedule.count_between(range.after, range.until, range.anchor),
            Some(calendar) => self.count_open(calendar, &range),
        }
    }

    fn count_open(&self, calendar: &Calendar, range: &Range) -> Count {
        let mut count = Count::default();
        let mut after = range.after;
        let end = range.until.checked_add(BEFORE).unwrap_or(range.until);
        for _ in 0..OPEN_SPANS_MOST {
            // Go from fire to fire, to skip spans without any.
            let next = self.schedule.next_after(after, range.anchor);
            let Some(fire) = next.filter(|fire| *fire <= range.until) else { return count };
            match calendar.open_from(fire) {
                None => return count,
                Some(opens) if opens > fire => after = before(opens),
                Some(_) => {
                    // The end of the range may fire; the end of an open span does not.
                    let last = before(calendar.open_until(fire, end)).max(fire);
                    let open = self.schedule.count_between(before(fire), last, range.anchor);
                    count = count.plus(open);
                    after = last;
                }
            }
        }
        let next = self.schedule.next_after(after, range.anchor);
        count.at_least |= next.is_some_and(|fire| fire <= range.until);
        count
    }

    /// Whether limits only exclude fires of the schedule and never move them.
    pub(super) const fn is_grid(&self) -> bool {
        matches!(self.schedule, Schedule::Cron(..) | Schedule::FixedRate(_))
    }

    /// The range between `start_at` and `end_at`, and the instant that a rate counts from.
    fn limited(
        &self,
        limits: &Limits,
        after: Timestamp,
        until: Timestamp,
        anchor: Timestamp,
    ) -> Option<Range> {
        let until = until.min(limits.last());
        let (after, anchor) = self.since_start(limits, after, anchor)?;
        Some(Range { after, until, anchor })
    }
}
