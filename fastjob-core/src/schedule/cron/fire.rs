//! From wall-clock times to instants: what gaps and folds of a time zone make of an expression.
//!
//! The zone decides which instants a wall-clock time has: one, none (a gap) or two (a fold); the
//! expression decides what that means (see the module above). Whatever a zone says, a fire is later
//! than the instant it was asked for, so that no walk stands still.

use jiff::{
    SignedDuration, Timestamp,
    civil::{DateTime, date},
    tz::{AmbiguousOffset, Offset, TimeZone},
};

use super::{Cron, YEARS};

/// A wait in which no zone changes its clocks there and back.
const SHORT: i64 = 3600;

/// The first fire strictly later than `after`.
pub(super) fn next(cron: &Cron, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let offset = zone.to_offset(after);
    let now = offset.to_datetime(after);
    let wall = cron.first_from(second_after(now)?)?;
    if !cron.every_hour {
        return first_pass(cron, after, zone, wall);
    }
    let fire = offset.to_timestamp(wall).ok()?;
    if fire.as_second() - after.as_second() <= SHORT && zone.to_offset(fire) == offset {
        return Some(fire);
    }
    // In the first pass of a fold, times before `now` are still to come: in the second.
    if let AmbiguousOffset::Fold { before, after: then } = zone.to_ambiguous_timestamp(now).offset()
        && before == offset
        && let Some(change) = change(zone, after, then)
    {
        if fire < change {
            return Some(fire);
        }
        let wall = cron.first_from(then.to_datetime(change))?;
        return each_pass(cron, after, zone, wall);
    }
    each_pass(cron, after, zone, wall)
}

/// For times of day: a fold's first pass counts, and a gap's times move to its end.
///
/// Both keep the order of wall-clock times, so that the first that is late enough is the next fire.
fn first_pass(
    cron: &Cron,
    after: Timestamp,
    zone: &TimeZone,
    mut wall: DateTime,
) -> Option<Timestamp> {
    loop {
        let (fire, resume) = match zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => (offset.to_timestamp(wall).ok()?, None),
            AmbiguousOffset::Gap { before, after: then } => {
                let end = change(zone, then.to_timestamp(wall).ok()?, then);
                (end.or_else(|| before.to_timestamp(wall).ok())?, None)
            }
            AmbiguousOffset::Fold { before, after: then } => {
                let fire = before.to_timestamp(wall).ok()?;
                // Asked in the second pass: all of the fold has fired, so go on behind it.
                let resume = if fire > after { None } else { change(zone, fire, then) };
                (fire, resume.map(|change| before.to_datetime(change)))
            }
        };
        if fire > after {
            return Some(fire);
        }
        wall = cron.first_from(resume.or_else(|| second_after(wall))?)?;
    }
}

/// For intervals: every pass of a fold counts, and a gap's times do not happen.
fn each_pass(
    cron: &Cron,
    after: Timestamp,
    zone: &TimeZone,
    mut wall: DateTime,
) -> Option<Timestamp> {
    loop {
        let (fire, resume) = match zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => (offset.to_timestamp(wall).ok(), None),
            AmbiguousOffset::Gap { after: then, .. } => {
                let end = change(zone, then.to_timestamp(wall).ok()?, then);
                (None, end.map(|end| then.to_datetime(end)))
            }
            AmbiguousOffset::Fold { before, after: then } => {
                let first = before.to_timestamp(wall).ok().filter(|first| *first > after);
                (first.or_else(|| then.to_timestamp(wall).ok()), None)
            }
        };
        if let Some(fire) = fire.filter(|fire| *fire > after) {
            return Some(fire);
        }
        wall = cron.first_from(resume.or_else(|| second_after(wall))?)?;
    }
}

/// The instant, later than `from`, at which the zone's clocks are set to `offset`.
fn change(zone: &TimeZone, from: Timestamp, offset: Offset) -> Option<Timestamp> {
    // The few before it would be changes of a zone's abbreviation only.
    let found = zone.following(from).take(4).find(|change| change.offset() == offset);
    found.map(|change| change.timestamp())
}

/// The whole second that follows, or the first that any expression can have.
fn second_after(wall: DateTime) -> Option<DateTime> {
    if wall.year() < *YEARS.start() {
        return Some(date(*YEARS.start(), 1, 1).at(0, 0, 0, 0));
    }
    if wall.year() > *YEARS.end() {
        return None;
    }
    let whole = wall.date().at(wall.hour(), wall.minute(), wall.second(), 0);
    whole.checked_add(SignedDuration::from_secs(1)).ok()
}
