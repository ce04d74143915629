//! Cron: when a job fires, in the Quartz dialect or in Unix cron's.
//!
//! The number of fields decides the dialect: five are Unix cron, six or seven are Quartz, which
//! begins with the second and may end with the year. The parser decides what is an expression and
//! refuses the rest with [`InvalidCron`], which points at the character; whoever holds a [`Cron`]
//! never checks it again.
//!
//! A clock change is decided here, and nowhere else. Wall-clock times that it skips fire once, at
//! the first instant after the gap; times that happen twice fire the first time. An hour field
//! with `*` or a step means an interval rather than a time of day: such an expression fires
//! whenever the clock on the wall shows one of its times, so twice if a time happens twice, and
//! not at all for a time that does not happen.
//!
//! A search ends with the year 2199. One that finds nothing, because there is no 30 February or
//! the years are over, says `None` after a few microseconds.

mod back;
mod days;
mod error;
mod field;
mod fire;
mod parse;
mod rank;
mod walk;

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr, sync::Arc};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use self::days::Days;
pub use self::error::{InvalidCron, Problem};
use super::Count;

/// Longest expression, in bytes.
pub const LONGEST: usize = 256;

/// First and last year in which an expression can fire.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

/// A parsed cron expression.
///
/// Quartz's dialect has six or seven fields: second, minute, hour, day of month, month, day of
/// week (1 is Sunday) and, if wanted, year. Lists, ranges (which may wrap: `FRI-MON`), steps and
/// names work as in Quartz, and so do `?`, `L`, `L-3`, `15W`, `LW`, `6L` and `6#3`. Of the two day
/// fields one has to be `?` or `*`.
///
/// Unix cron's has five: minute, hour, day of month, month and day of week (0 and 7 are Sunday).
/// If neither day field starts with `*`, a day that fits either is enough. `@hourly`, `@daily`,
/// `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually` are short for such expressions.
///
/// Cloning is cheap. Two are equal if their text is.
///
/// # Examples
///
/// ```
/// use fastjob_core::schedule::cron::Cron;
/// use jiff::{Timestamp, tz::TimeZone};
///
/// let cron: Cron = "0 0 2 ? * MON-FRI".parse()?;
/// let zone = TimeZone::get("Asia/Shanghai")?;
/// let friday_noon: Timestamp = "2026-01-02T12:00:00+08:00".parse()?;
/// let monday = "2026-01-05T02:00:00+08:00".parse()?;
/// assert_eq!(cron.next_after(friday_noon, &zone), Some(monday));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: Arc<str>,
    /// Bit n stands for the nth second; so on for the minutes, the hours and (1 to 12) the months.
    seconds: u64,
    minutes: u64,
    hours: u32,
    months: u16,
    /// The hour is `*` or a step: an interval, not a time of day.
    every_hour: bool,
    days: Days,
    /// Bit n stands for the year 1970 + n.
    years: [u64; 4],
}

impl Cron {
    /// Returns the first fire strictly later than `after`, for a job in `zone`.
    ///
    /// Returns `None` if there is no fire before the year 2200. Fires have no fraction of a second.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        fire::next(self, after, zone)
    }

    /// Returns the last fire after `after` and not later than `until`, for a job in `zone`.
    ///
    /// The work grows with the months and the zone's transitions in the range, not with its fires.
    pub fn last_between(
        &self,
        after: Timestamp,
        until: Timestamp,
        zone: &TimeZone,
    ) -> Option<Timestamp> {
        back::last(self, after, until, zone)
    }

    /// Returns how many fires are after `after` and not later than `until`, for a job in `zone`.
    ///
    /// The work is as that of [`last_between`](Self::last_between). The count is a lower bound if
    /// the range has more than 128 transitions of the zone.
    pub fn count_between(&self, after: Timestamp, until: Timestamp, zone: &TimeZone) -> Count {
        back::count(self, after, until, zone)
    }

    /// Says whether the wall-clock time `at` is one of the expression's.
    ///
    /// A time with a fraction of a second is none.
    pub fn matches(&self, at: DateTime) -> bool {
        at.subsec_nanosecond() == 0 && self.has_date(at.date()) && self.has_time(at.time())
    }

    /// Returns the text as it was given, without the space around it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Cron {
    type Err = InvalidCron;

    /// The only way in: whoever holds a `Cron` never checks it again.
    fn from_str(text: &str) -> Result<Self, InvalidCron> {
        parse::cron(text).map_err(|fault| fault.of(text))
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
