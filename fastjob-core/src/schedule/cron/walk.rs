//! Finds the next wall-clock time of an expression, without time zones.
//!
//! Each step checks one word of bits, from the year down to the second. A search visits each month
//! at most once and ends with the last year, so a date that never occurs costs microseconds.

use jiff::civil::{Date, DateTime, Time};

use super::{Cron, YEARS};
use crate::schedule::steps::step;

impl Cron {
    /// The first of the expression's times at or after `from`, which is a whole second.
    pub(super) fn first_from(&self, from: DateTime) -> Option<DateTime> {
        let date = from.date();
        if self.has_date(date)
            && let Some(time) = self.time_from(from.hour(), from.minute(), from.second())
        {
            return Some(date.to_datetime(time));
        }
        let date = self.date_after(date)?;
        let (hour, minute, second) =
            (lowest(self.hours.into()), lowest(self.minutes), lowest(self.seconds));
        Some(date.at(hour, minute, second, 0))
    }

    pub(super) fn has_date(&self, date: Date) -> bool {
        self.has_year(date.year())
            && self.months >> date.month() & 1 == 1
            && self.days_of(date.year(), date.month()) >> date.day() & 1 == 1
    }

    pub(super) fn has_time(&self, time: Time) -> bool {
        self.hours >> time.hour() & 1 == 1
            && self.minutes >> time.minute() & 1 == 1
            && self.seconds >> time.second() & 1 == 1
    }

    pub(super) fn has_year(&self, year: i16) -> bool {
        YEARS.contains(&year) && {
            let index = (year - YEARS.start()) as usize;
            self.years[index / 64] >> (index % 64) & 1 == 1
        }
    }

    /// The matching days of one month; bit n is the nth day.
    pub(super) fn days_of(&self, year: i16, month: i8) -> u32 {
        let Ok(first) = Date::new(year, month, 1) else { return 0 };
        self.days.of(first.weekday().to_sunday_zero_offset() as u8, first.days_in_month() as u8)
    }

    fn date_after(&self, date: Date) -> Option<Date> {
        let (mut month, mut day) = (date.month(), date.day() + 1);
        for year in date.year()..=*YEARS.end() {
            step();
            if self.has_year(year) {
                while let Some(found) = next(self.months.into(), month) {
                    if found > month {
                        (month, day) = (found, 1);
                    }
                    if let Some(day) = next(self.days_of(year, month).into(), day) {
                        return Date::new(year, month, day).ok();
                    }
                    (month, day) = (month + 1, 1);
                }
            }
            (month, day) = (1, 1);
        }
        None
    }

    /// The first time of day at or after the given one.
    fn time_from(&self, hour: i8, minute: i8, second: i8) -> Option<Time> {
        let hours = u64::from(self.hours);
        if hours >> hour & 1 == 1 {
            if self.minutes >> minute & 1 == 1
                && let Some(second) = next(self.seconds, second)
            {
                return Time::new(hour, minute, second, 0).ok();
            }
            if let Some(minute) = next(self.minutes, minute + 1) {
                return Time::new(hour, minute, lowest(self.seconds), 0).ok();
            }
        }
        let hour = next(hours, hour + 1)?;
        Time::new(hour, lowest(self.minutes), lowest(self.seconds), 0).ok()
    }
}

/// The first set bit at or after `from`.
const fn next(bits: u64, from: i8) -> Option<i8> {
    let rest = bits & (u64::MAX << from);
    if rest == 0 { None } else { Some(lowest(rest)) }
}

/// The first set bit. The parser ensures that there is one.
const fn lowest(bits: u64) -> i8 {
    bits.trailing_zeros() as i8
}
