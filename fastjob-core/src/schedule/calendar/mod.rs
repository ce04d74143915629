//! Calendars: days and hours on which a job does not fire.
//!
//! A calendar refers to the wall clock in its time zone. An instant is excluded if the wall clock
//! shows an excluded day or hour; clock changes need no other rule. Hours that occur twice are
//! excluded twice; hours that a clock change skips have no effect. The end of an excluded span is
//! found by visiting whole spans, regardless of their length and of the number of fires in them.

mod back;
mod entry;

#[cfg(test)]
mod tests;

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Weekday},
};

use self::entry::{DAY, Day};
pub use self::entry::{Days, Hours, InvalidEntry};
use super::{Zone, steps::step};

/// Maximum number of day entries.
pub const DAYS_MOST: usize = 366;
/// Maximum number of hour entries.
pub const HOURS_MOST: usize = 24;

/// Every combination of weekday and date occurs within this many days.
const SEARCH: usize = 41 * 366;

/// Days and hours without fires, in a time zone.
///
/// # Examples
///
/// ```
/// use fastjob_core::schedule::{Zone, calendar::Calendar};
/// use jiff::Timestamp;
///
/// let days = vec!["12-24..12-26".parse()?, "sun".parse()?];
/// let calendar = Calendar::new(days, vec!["22-6".parse()?], "Europe/Berlin".parse::<Zone>()?)?;
/// let christmas: Timestamp = "2026-12-25T12:00:00+01:00".parse()?;
/// // The 26th is excluded, the 27th is a Sunday, and the hours before six are excluded.
/// let opens = "2026-12-28T06:00:00+01:00".parse()?;
/// assert!(calendar.excludes(christmas));
/// assert_eq!(calendar.open_from(christmas), Some(opens));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Calendar {
    days: Vec<Days>,
    hours: Vec<Hours>,
    zone: Zone,
    /// Both ends included; sorted and not overlapping.
    dates: Vec<(Date, Date)>,
    /// Bit n of month m - 1 is the nth day.
    yearly: [u32; 12],
    /// Bit n is the nth day after Monday.
    weekdays: u8,
    /// Minutes of the day, the end not included; sorted and not overlapping.
    spans: Vec<(u16, u16)>,
}

/// Why a list of entries is not a valid calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCalendar {
    /// More than [`DAYS_MOST`].
    #[error("there are {0} days, at most {DAYS_MOST} are allowed; a range is one entry")]
    TooManyDays(usize),
    /// More than [`HOURS_MOST`].
    #[error("there are {0} spans of hours, at most {HOURS_MOST} are allowed")]
    TooManyHours(usize),
    /// No day is left.
    #[error("the days exclude every day: nothing would ever fire")]
    EveryDay,
    /// No minute is left.
    #[error("the hours exclude the whole day: nothing would ever fire")]
    EveryHour,
}

impl Calendar {
    /// Creates a calendar of these days and hours.
    ///
    /// # Errors
    ///
    /// Fails with [`InvalidCalendar`] if there are too many entries, or if they exclude everything.
    pub fn new(days: Vec<Days>, hours: Vec<Hours>, zone: Zone) -> Result<Self, InvalidCalendar> {
        if days.len() > DAYS_MOST {
            return Err(InvalidCalendar::TooManyDays(days.len()));
        }
        if hours.len() > HOURS_MOST {
            return Err(InvalidCalendar::TooManyHours(hours.len()));
        }
        let (mut dates, mut yearly, mut weekdays) = (Vec::new(), [0; 12], 0);
        for Days { from, to } in &days {
            match (from, to) {
                (Day::Date(first), Day::Date(last)) => dates.push((*first, *last)),
                (Day::Yearly(first), Day::Yearly(last)) => mark_year(&mut yearly, *first, *last),
                (Day::Weekday(first), Day::Weekday(last)) => {
                    let mut day = *first;
                    weekdays |= bit(day);
                    while day != *last {
                        day = day.next();
                        weekdays |= bit(day);
                    }
                }
                // Unreachable: both ends of an entry are of the same kind.
                (Day::Date(_) | Day::Yearly(_) | Day::Weekday(_), _) => {}
            }
        }
        let dates = merged(dates, |end, next| end.tomorrow().is_ok_and(|day| next <= day));
        let spans = hours.iter().flat_map(|hours| {
            let wraps = hours.until < hours.from;
            let late = if wraps { (hours.from, DAY) } else { (hours.from, hours.until) };
            [Some(late), wraps.then_some((0, hours.until))].into_iter().flatten()
        });
        let spans = merged(spans.collect(), |end, next| next <= end);
        let calendar = Self { days, hours, zone, dates, yearly, weekdays, spans };
        // Later than every date of the entries, so that only the yearly and weekly rules apply.
        if calendar.open_day(Date::constant(2200, 1, 1), Date::MAX).is_none() {
            return Err(InvalidCalendar::EveryDay);
        }
        if calendar.spans == [(0, DAY)] {
            return Err(InvalidCalendar::EveryHour);
        }
        Ok(calendar)
    }

    /// The day entries, as given.
    pub fn days(&self) -> &[Days] {
        &self.days
    }

    /// The hour entries, as given.
    pub fn hours(&self) -> &[Hours] {
        &self.hours
    }

    /// The time zone whose wall clock applies.
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Whether `at` is excluded.
    pub fn excludes(&self, at: Timestamp) -> bool {
        let wall = self.zone.time_zone().to_datetime(at);
        self.leaves_out(wall)
    }

    /// The first instant at or after `at` that is not excluded; `None` if there is none.
    ///
    /// Visits each day of the span once: at most 41 years of days, within which every combination
    /// of weekday and date occurs.
    pub fn open_from(&self, at: Timestamp) -> Option<Timestamp> {
        let zone = self.zone.time_zone();
        let mut at = at;
        loop {
            step();
            let offset = zone.to_offset(at);
            let wall = offset.to_datetime(at);
            if !self.leaves_out(wall) {
                return Some(at);
            }
            // While the offset is constant, wall time and real time run alike. At a change, check
            // again.
            let change = zone.following(at).next().map(|change| change.timestamp());
            let end = change.map_or(DateTime::MAX, |change| offset.to_datetime(change));
            let then = offset.to_timestamp(self.open_wall(wall, end)?).ok()?;
            match change {
                Some(change) if change <= then => at = change,
                Some(_) | None => return Some(then),
            }
        }
    }

    /// The first wall time at or after `wall` that is not excluded. Ignores clock changes. The
    /// result may be excluded if it is not before `end`.
    fn open_wall(&self, mut wall: DateTime, end: DateTime) -> Option<DateTime> {
        loop {
            let day = self.open_day(wall.date(), end.date())?;
            if day != wall.date() {
                wall = day.at(0, 0, 0, 0);
            }
            if wall >= end {
                return Some(wall);
            }
            match self.span(minute_of(wall)) {
                None => return Some(wall),
                // No span is a whole day, so this happens at most once.
                Some((_, DAY)) => wall = wall.date().tomorrow().ok()?.at(0, 0, 0, 0),
                Some((_, minute)) => return Some(at_minute(wall.date(), minute)),
            }
        }
    }

    /// The first day at or after `date` that is not excluded, or a day after `end`.
    fn open_day(&self, mut date: Date, end: Date) -> Option<Date> {
        for _ in 0..SEARCH {
            step();
            match self.closed_days(date) {
                Some((_, last)) if date <= end => date = last.tomorrow().ok()?,
                Some(_) | None => return Some(date),
            }
        }
        None
    }

    fn leaves_out(&self, wall: DateTime) -> bool {
        self.closed_days(wall.date()).is_some() || self.span(minute_of(wall)).is_some()
    }

    /// The first and the last day of the entry that excludes `date`, if any.
    fn closed_days(&self, date: Date) -> Option<(Date, Date)> {
        let after = self.dates.partition_point(|(first, _)| *first <= date);
        let range = after.checked_sub(1).and_then(|index| self.dates.get(index));
        if let Some(range) = range.filter(|(_, last)| date <= *last) {
            return Some(*range);
        }
        let month = self.yearly.get(usize::try_from(date.month() - 1).ok()?)?;
        let closed = month & (1 << date.day()) != 0
            || (self.weekdays != 0 && self.weekdays & bit(date.weekday()) != 0);
        closed.then_some((date, date))
    }

    /// The span of hours that excludes a minute of the day, if any.
    fn span(&self, minute: u16) -> Option<(u16, u16)> {
        self.spans.iter().find(|(from, until)| (*from..*until).contains(&minute)).copied()
    }
}

fn minute_of(wall: DateTime) -> u16 {
    u16::from(wall.hour().unsigned_abs()) * 60 + u16::from(wall.minute().unsigned_abs())
}

/// The wall time at a minute of a day, which must be less than [`DAY`].
const fn at_minute(date: Date, minute: u16) -> DateTime {
    date.at((minute / 60) as i8, (minute % 60) as i8, 0, 0)
}

const fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

/// Marks the days of a range, which may wrap around the end of the year.
fn mark_year(yearly: &mut [u32; 12], first: Date, last: Date) {
    let mut day = first;
    loop {
        let month = usize::try_from(day.month() - 1).ok().and_then(|month| yearly.get_mut(month));
        if let Some(month) = month {
            *month |= 1 << day.day();
        }
        if day == last {
            return;
        }
        let wrapped = Date::constant(first.year(), 1, 1);
        day = day.tomorrow().ok().filter(|next| next.year() == first.year()).unwrap_or(wrapped);
    }
}

/// Sorts spans and merges those for which `meets` returns true.
fn merged<T: Copy + Ord>(mut spans: Vec<(T, T)>, meets: impl Fn(T, T) -> bool) -> Vec<(T, T)> {
    spans.sort_unstable();
    let mut joined: Vec<(T, T)> = Vec::with_capacity(spans.len());
    for (from, to) in spans {
        match joined.last_mut() {
            Some((_, end)) if meets(*end, from) => *end = (*end).max(to),
            Some(_) | None => joined.push((from, to)),
        }
    }
    joined
}
