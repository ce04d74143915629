//! Counts an expression's wall-clock times and searches them backwards, without time zones.
//!
//! The times of a day are the product of hours, minutes and seconds, so they are counted without
//! visiting them. Days are counted one month at a time.

use jiff::civil::{Date, DateTime, Time, date};

use super::{Cron, YEARS};
use crate::schedule::steps::step;

/// The wall-clock time after the last one that an expression can have.
const END: DateTime = date(*YEARS.end() + 1, 1, 1).at(0, 0, 0, 0);
const START: DateTime = date(*YEARS.start(), 1, 1).at(0, 0, 0, 0);

impl Cron {
    /// The last of the expression's times before `end`, which is a whole second.
    pub(super) fn last_before(&self, end: DateTime) -> Option<DateTime> {
        let end = end.min(END);
        let date = end.date();
        if self.has_date(date)
            && let Some(time) = self.time_before(end.hour(), end.minute(), end.second())
        {
            return Some(date.to_datetime(time));
        }
        let date = self.date_before(date)?;
        let (hour, minute, second) =
            (highest(self.hours.into()), highest(self.minutes), highest(self.seconds));
        Some(date.at(hour, minute, second, 0))
    }

    /// The number of the expression's times at or after `from` and before `end`, both whole
    /// seconds.
    pub(super) fn times_between(&self, from: DateTime, end: DateTime) -> u64 {
        let (from, end) = (from.max(START), end.min(END));
        if from >= end {
            return 0;
        }
        let on = |date: Date, times: u64| if self.has_date(date) { times } else { 0 };
        let (early, late) = (self.times_until(from.time()), self.times_until(end.time()));
        if from.date() == end.date() {
            return on(from.date(), late - early);
        }
        let all = u64::from(self.hours.count_ones())
            * u64::from(self.minutes.count_ones())
            * u64::from(self.seconds.count_ones());
        // The first day is counted, the last is not.
        self.days_between(from.date(), end.date()) * all - on(from.date(), early)
            + on(end.date(), late)
    }

    /// The number of the expression's days at or after `from` and before `end`.
    fn days_between(&self, from: Date, end: Date) -> u64 {
        let mut days = 0;
        for year in from.year()..=end.year() {
            step();
            if !self.has_year(year) {
                continue;
            }
            let first = if year == from.year() { from.month() } else { 1 };
            let last = if year == end.year() { end.month() } else { 12 };
            for month in (first..=last).filter(|month| self.months >> month & 1 == 1) {
                let mut matching = self.days_of(year, month);
                if (year, month) == (from.year(), from.month()) {
                    matching &= u32::MAX << from.day();
                }
                if (year, month) == (end.year(), end.month()) {
                    matching &= !(u32::MAX << end.day());
                }
                days += u64::from(matching.count_ones());
            }
        }
        days
    }

    /// The last of the expression's days before `date`.
    fn date_before(&self, date: Date) -> Option<Date> {
        let (mut month, mut below) = (date.month(), date.day());
        for year in (*YEARS.start()..=date.year()).rev() {
            step();
            if self.has_year(year) {
                while let Some(found) = previous(self.months.into(), month + 1) {
                    if found < month {
                        (month, below) = (found, 32);
                    }
                    if let Some(day) = previous(self.days_of(year, month).into(), below) {
                        return Date::new(year, month, day).ok();
                    }
                    (month, below) = (month - 1, 32);
                }
            }
            (month, below) = (12, 32);
        }
        None
    }

    /// The last time of day before the given one.
    fn time_before(&self, hour: i8, minute: i8, second: i8) -> Option<Time> {
        let hours = u64::from(self.hours);
        if hours >> hour & 1 == 1 {
            if self.minutes >> minute & 1 == 1
                && let Some(second) = previous(self.seconds, second)
            {
                return Time::new(hour, minute, second, 0).ok();
            }
            if let Some(minute) = previous(self.minutes, minute) {
                return Time::new(hour, minute, highest(self.seconds), 0).ok();
            }
        }
        let hour = previous(hours, hour)?;
        Time::new(hour, highest(self.minutes), highest(self.seconds), 0).ok()
    }

    /// The number of times of a day before `time`.
    fn times_until(&self, time: Time) -> u64 {
        let below = |bits: u64, at: i8| u64::from((bits & under(at)).count_ones());
        let (minutes, seconds) =
            (u64::from(self.minutes.count_ones()), u64::from(self.seconds.count_ones()));
        let hours = u64::from(self.hours);
        let mut times = below(hours, time.hour()) * minutes * seconds;
        if hours >> time.hour() & 1 == 1 {
            times += below(self.minutes, time.minute()) * seconds;
            if self.minutes >> time.minute() & 1 == 1 {
                times += below(self.seconds, time.second());
            }
        }
        times
    }
}

/// The bits below `at`, which is less than 64.
const fn under(at: i8) -> u64 {
    !(u64::MAX << at)
}

/// The last set bit below `end`.
const fn previous(bits: u64, end: i8) -> Option<i8> {
    let rest = bits & under(end);
    if rest == 0 { None } else { Some(highest(rest)) }
}

/// The last set bit. The parser ensures that there is one.
const fn highest(bits: u64) -> i8 {
    63 - bits.leading_zeros() as i8
}
