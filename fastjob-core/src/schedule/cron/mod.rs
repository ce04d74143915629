//! Cron expressions, in the dialects of Quartz and of Unix cron.
//!
//! The number of fields decides the dialect: five are Unix cron, six or seven are Quartz, which
//! begins with the second and may end with the year. Invalid text is rejected with [`InvalidCron`],
//! which points at the character. A [`Cron`] is always valid.
//!
//! All rules about clock changes are here. Wall-clock times that are skipped fire once, at the
//! first instant after the gap. Times that occur twice fire only the first time. An hour field with
//! `*` or a step means an interval and not a time of day: such an expression fires whenever the
//! wall clock shows one of its times, so twice if a time occurs twice, and not at all if it is
//! skipped.
//!
//! A search ends with the year 2199. If there is no fire, because there is no 30 February or the
//! years have passed, it returns `None` after a few microseconds.

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

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use self::days::Days;
pub use self::error::{InvalidCron, Problem};
use super::Count;

/// Longest expression, in bytes.
pub const LONGEST: usize = 256;

/// The first and last year in which an expression can fire.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

/// A parsed cron expression.
///
/// Quartz expressions have six or seven fields: second, minute, hour, day of month, month, day of
/// week (1 is Sunday) and an optional year. Lists, ranges (which may wrap: `FRI-MON`), steps and
/// names work as in Quartz, and so do `?`, `L`, `L-3`, `15W`, `LW`, `6L` and `6#3`. One of the two
/// day fields must be `?` or `*`.
///
/// Unix cron expressions have five fields: minute, hour, day of month, month and day of week (0 and
/// 7 are Sunday). If neither day field starts with `*`, a day that matches either field is enough.
/// `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually` are
/// abbreviations of such expressions.
///
/// Cloning is cheap. Two expressions are equal if their texts are.
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
    /// Bit n is the nth second; likewise for minutes, hours and months (1 to 12).
    seconds: u64,
    minutes: u64,
    hours: u32,
    months: u16,
    /// The hour has a `*` or a step: an interval, not a time of day.
    every_hour: bool,
    days: Days,
    /// Bit n is the year 1970 + n.
    years: [u64; 4],
}

impl Cron {
    /// Returns the first fire strictly later than `after`, for a job in `zone`.
    ///
    /// Returns `None` if there is no fire before the year 2200. Fires are whole seconds.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        fire::next(self, after, zone)
    }

    /// Returns the last fire after `after` and not later than `until`, for a job in `zone`.
    ///
    /// The work grows with the number of months and zone transitions in the range, not with the
    /// number of fires.
    pub fn last_between(
        &self,
        after: Timestamp,
        until: Timestamp,
        zone: &TimeZone,
    ) -> Option<Timestamp> {
        back::last(self, after, until, zone)
    }

    /// Returns the number of fires after `after` and not later than `until`, for a job in `zone`.
    ///
    /// The work is the same as for [`last_between`](Self::last_between). The count is a lower bound
    /// if the range has more than 128 zone transitions.
    pub fn count_between(&self, after: Timestamp, until: Timestamp, zone: &TimeZone) -> Count {
        back::count(self, after, until, zone)
    }

    /// Returns whether the wall-clock time `at` matches the expression.
    ///
    /// A time with a fraction of a second never matches.
    pub fn matches(&self, at: DateTime) -> bool {
        at.subsec_nanosecond() == 0 && self.has_date(at.date()) && self.has_time(at.time())
    }

    /// Returns the text, without surrounding whitespace.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Cron {
    type Err = InvalidCron;

    /// The only constructor, so that a `Cron` is always valid.
    fn from_str(text: &str) -> Result<Self, InvalidCron> {
        parse::cron(text).map_err(|fault| fault.of(text))
    }
}

impl Hash for Cron {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Everything else follows from the text.
        self.text.hash(state);
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
