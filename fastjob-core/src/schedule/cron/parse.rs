//! Parses text to a [`Cron`]: the two dialects, their fields, and the rules between fields.
//!
//! The number of fields decides the dialect. The first problem is reported.

use std::ops::Range;

use super::{
    Cron, LONGEST,
    days::Days,
    error::{Fault, Problem},
    field::{self, Kind, Unit, Values},
};

const MONTHS: &[&str] =
    &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const PLAIN: Unit = Unit {
    name: "second",
    allowed: "write 0 to 59",
    min: 0,
    max: 59,
    size: 60,
    origin: 0,
    names: &[],
    kind: Kind::Plain,
    quartz: true,
};
const MINUTE: Unit = Unit { name: "minute", ..PLAIN };
const HOUR: Unit = Unit { name: "hour", allowed: "write 0 to 23", max: 23, size: 24, ..PLAIN };
const DAY: Unit = Unit {
    name: "day of month",
    allowed: "write 1 to 31",
    min: 1,
    max: 31,
    size: 31,
    kind: Kind::DayOfMonth,
    ..PLAIN
};
const MONTH: Unit = Unit {
    name: "month",
    allowed: "write 1 to 12 or JAN to DEC",
    min: 1,
    max: 12,
    size: 12,
    names: MONTHS,
    ..PLAIN
};
const WEEKDAY: Unit = Unit {
    name: "day of week",
    allowed: "write 1 to 7 or SUN to SAT",
    min: 1,
    max: 7,
    size: 7,
    origin: 1,
    names: WEEKDAYS,
    kind: Kind::DayOfWeek,
    quartz: true,
};
const YEAR: Unit = Unit {
    name: "year",
    allowed: "write 1970 to 2199",
    min: 1970,
    max: 2199,
    size: 230,
    origin: 1970,
    kind: Kind::Year,
    ..PLAIN
};

static QUARTZ: [Unit; 7] = [PLAIN, MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR];
static UNIX: [Unit; 5] = [
    Unit { quartz: false, ..MINUTE },
    Unit { quartz: false, ..HOUR },
    Unit { quartz: false, ..DAY },
    Unit { quartz: false, ..MONTH },
    Unit { allowed: "write 0 to 7 or SUN to SAT", min: 0, origin: 0, quartz: false, ..WEEKDAY },
];

/// Parses an expression of either dialect.
pub(super) fn cron(text: &str) -> Result<Cron, Fault> {
    if text.len() > LONGEST {
        return Err(Fault::new(LONGEST..text.len(), Problem::TooLong));
    }
    let trimmed = text.trim_ascii();
    if trimmed.starts_with('@') {
        let long = short(trimmed).map_err(|problem| {
            let start = text.len() - text.trim_ascii_start().len();
            Fault::new(start..start + trimmed.len(), problem)
        })?;
        return Ok(Cron { text: trimmed.into(), ..cron(long)? });
    }
    let fields = split(text);
    match fields.as_slice() {
        [] => Err(Fault::new(0..0, Problem::Empty)),
        [_, _, _, _, _] => unix(text, &fields),
        [_, _, _, _, _, _] | [_, _, _, _, _, _, _] => quartz(text, &fields),
        [_, _, _, _, _, _, _, more, ..] => {
            let end = text.trim_ascii_end().len();
            Err(Fault::new(more.start..end, Problem::Fields(fields.len())))
        }
        [.., last] => Err(Fault::new(last.end..last.end, Problem::Fields(fields.len()))),
    }
}

/// Expands an abbreviation such as `@daily`.
fn short(text: &str) -> Result<&'static str, Problem> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@reboot" => return Err(Problem::Reboot),
        _ => return Err(Problem::UnknownShort(text.into())),
    })
}

/// Splits the text into fields with their positions.
fn split(text: &str) -> Vec<Range<usize>> {
    let mut fields: Vec<Range<usize>> = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        if byte.is_ascii_whitespace() {
            continue;
        }
        match fields.last_mut().filter(|field| field.end == at) {
            Some(field) => field.end = at + 1,
            None => fields.push(at..at + 1),
        }
    }
    fields
}

fn quartz(text: &str, fields: &[Range<usize>]) -> Result<Cron, Fault> {
    let mut values = read(text, fields, &QUARTZ)?;
    let years = match values.get(6) {
        Some(year) => year.bits,
        None => field::read("*", 0..1, &QUARTZ[6])?.bits,
    };
    let (day, weekday) = (&values[3], &values[5]);
    if day.question && weekday.question {
        return Err(Fault::new(fields[5].clone(), Problem::NoDays));
    }
    if !day.unrestricted && !weekday.unrestricted {
        return Err(Fault::new(fields[5].clone(), Problem::BothDays));
    }
    values.truncate(6);
    Ok(build(text, &values, false, years))
}

fn unix(text: &str, fields: &[Range<usize>]) -> Result<Cron, Fault> {
    let mut values = read(text, fields, &UNIX)?;
    let every_year = field::read("*", 0..1, &QUARTZ[6])?.bits;
    // As in Vixie cron: `*/2` starts with a star, so both day fields must match.
    let either = !values[2].star && !values[4].star;
    values.insert(0, Values { bits: [1, 0, 0, 0], ..Values::default() });
    Ok(build(text, &values, either, every_year))
}

fn read(text: &str, fields: &[Range<usize>], units: &'static [Unit]) -> Result<Vec<Values>, Fault> {
    fields.iter().zip(units).map(|(at, unit)| field::read(text, at.clone(), unit)).collect()
}

/// Combines six fields. The bits that are cut off are never set.
fn build(text: &str, values: &[Values], either: bool, years: [u64; 4]) -> Cron {
    let word = |index: usize| values[index].bits[0];
    let (day, weekday) = (&values[3], &values[5]);
    let days = Days {
        of_month: word(3) as u32,
        from_last: day.from_last,
        near: day.near,
        near_last: day.near_last,
        of_week: word(5) as u8,
        last_of_week: weekday.last_of_week,
        nth_of_week: weekday.nth_of_week,
        either,
    };
    Cron {
        text: text.trim_ascii().into(),
        seconds: word(0),
        minutes: word(1),
        hours: word(2) as u32,
        months: word(4) as u16,
        every_hour: values[2].stepped,
        days,
        years,
    }
}
