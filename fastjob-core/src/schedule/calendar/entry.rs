//! Parses the entries of a calendar: days and hours.
//!
//! Invalid text is rejected with an error that shows the valid forms.

use std::{fmt, str::FromStr};

use jiff::civil::{Date, Weekday};

/// Minutes of a day.
pub(super) const DAY: u16 = 24 * 60;
/// A leap year: it has every possible day.
const LEAP: i16 = 2028;
/// The years that a date may have, as in cron expressions.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;
/// Maximum length of an entry, twice that of the longest valid one.
const LONGEST: usize = 64;

const WEEKDAYS: [(&str, &str, Weekday); 7] = [
    ("mon", "monday", Weekday::Monday),
    ("tue", "tuesday", Weekday::Tuesday),
    ("wed", "wednesday", Weekday::Wednesday),
    ("thu", "thursday", Weekday::Thursday),
    ("fri", "friday", Weekday::Friday),
    ("sat", "saturday", Weekday::Saturday),
    ("sun", "sunday", Weekday::Sunday),
];

/// Excluded days: one day, or a range of two days of the same kind, both included.
///
/// `2026-12-25` is one date, `12-25` is that day of every year, and `sat` is every Saturday.
/// `2026-12-24..2026-12-26`, `12-24..01-02` and `sat..sun` are ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Days {
    pub(super) from: Day,
    pub(super) to: Day,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Day {
    Date(Date),
    /// A day of every year, stored as a date of the year [`LEAP`].
    Yearly(Date),
    Weekday(Weekday),
}

/// Excluded hours of a day, with minute precision; the end is not included.
///
/// `22-6` wraps around midnight, `12-13:30` and `12:00-13:30` are the same, and `18-24` is an
/// evening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hours {
    /// Minutes since midnight, below [`DAY`].
    pub(super) from: u16,
    /// Minutes since midnight, 1 to [`DAY`]; if less than `from`, on the next day.
    pub(super) until: u16,
}

/// Why a text is not an entry of a calendar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEntry {
    /// It is not a day.
    #[error(
        "`{0}` is not a day; write `2026-12-25`, `12-25` for every year, `sat`, or a range of \
         two of one kind such as `2026-12-24..2026-12-26`"
    )]
    Day(Box<str>),
    /// Its ends are of different kinds.
    #[error("`{0}` joins two kinds of days; both ends must be dates, yearly days or weekdays")]
    Mixed(Box<str>),
    /// It ends before it begins.
    #[error("`{0}` ends before it begins")]
    Backwards(Box<str>),
    /// The year is outside the supported range.
    #[error("`{0}` is not between the years 1970 and 2199")]
    Year(Box<str>),
    /// It is not a range of hours.
    #[error("`{0}` is not a span of hours; write `22-6`, `12-13:30` or `18-24`")]
    Hours(Box<str>),
    /// It begins where it ends.
    #[error("`{0}` begins where it ends; use days to exclude a whole day")]
    NoHours(Box<str>),
}

fn shown(text: &str) -> Box<str> {
    text[..text.floor_char_boundary(LONGEST)].into()
}

impl FromStr for Days {
    type Err = InvalidEntry;

    fn from_str(text: &str) -> Result<Self, InvalidEntry> {
        let day = |part: &str| day(part.trim()).ok_or_else(|| InvalidEntry::Day(shown(text)));
        let (from, to) = match text.split_once("..") {
            Some((from, to)) => (day(from)?, day(to)?),
            None => (day(text)?, day(text)?),
        };
        let known = |day| !matches!(day, Day::Date(date) if !YEARS.contains(&date.year()));
        if !known(from) || !known(to) {
            return Err(InvalidEntry::Year(shown(text)));
        }
        match (from, to) {
            (Day::Date(first), Day::Date(last)) if first > last => {
                Err(InvalidEntry::Backwards(shown(text)))
            }
            (Day::Date(_), Day::Date(_))
            | (Day::Yearly(_), Day::Yearly(_))
            | (Day::Weekday(_), Day::Weekday(_)) => Ok(Self { from, to }),
            (Day::Date(_) | Day::Yearly(_) | Day::Weekday(_), _) => {
                Err(InvalidEntry::Mixed(shown(text)))
            }
        }
    }
}

fn day(text: &str) -> Option<Day> {
    let weekday = |(short, long, day): &(&str, &str, Weekday)| {
        (text.eq_ignore_ascii_case(short) || text.eq_ignore_ascii_case(long)).then_some(*day)
    };
    if let Some(day) = WEEKDAYS.iter().find_map(weekday) {
        return Some(Day::Weekday(day));
    }
    let mut parts = text.split('-');
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    match c {
        Some(day) => {
            let date = Date::new(number(a, 4)?, number(b, 2)?, number(day, 2)?);
            date.ok().map(Day::Date)
        }
        None => Date::new(LEAP, number(a, 2)?, number(b, 2)?).ok().map(Day::Yearly),
    }
}

/// Parses a number of exactly so many digits.
fn number<T: FromStr>(text: &str, digits: usize) -> Option<T> {
    let whole = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    if whole { text.parse().ok() } else { None }
}

impl FromStr for Hours {
    type Err = InvalidEntry;

    fn from_str(text: &str) -> Result<Self, InvalidEntry> {
        let wrong = || InvalidEntry::Hours(shown(text));
        let (from, until) = text.split_once('-').ok_or_else(wrong)?;
        let from = minute(from.trim()).filter(|from| *from < DAY).ok_or_else(wrong)?;
        let until = minute(until.trim()).ok_or_else(wrong)?;
        if from == until {
            return Err(InvalidEntry::NoHours(shown(text)));
        }
        // An evening ends at the midnight of the next day.
        Ok(Self { from, until: if until == 0 { DAY } else { until } })
    }
}

/// Parses `13`, `13:30` or `24` to the minute of the day.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':').unwrap_or((text, "00"));
    let hour: u16 = number(hour, 2).or_else(|| number(hour, 1))?;
    let minute: u16 = number(minute, 2)?;
    (minute < 60).then_some(hour * 60 + minute).filter(|at| *at <= DAY)
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.from.fmt(f)?;
        if self.from == self.to { Ok(()) } else { write!(f, "..{}", self.to) }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => date.fmt(f),
            Self::Yearly(date) => write!(f, "{:02}-{:02}", date.month(), date.day()),
            Self::Weekday(day) => {
                let found = WEEKDAYS.iter().find(|(.., named)| named == day);
                f.write_str(found.map_or("mon", |(short, ..)| short))
            }
        }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |at: u16| match (at / 60, at % 60) {
            (hour, 0) => hour.to_string(),
            (hour, minute) => format!("{hour}:{minute:02}"),
        };
        write!(f, "{}-{}", text(self.from), text(self.until))
    }
}
