//! Converts wall-clock times to instants, and handles the gaps and folds of a time zone.
//!
//! The zone decides how many instants a wall-clock time has: one, none (a gap) or two (a fold). The
//! expression decides what that means; see the parent module. A fire is always later than the given
//! instant, whatever a zone says, so that every walk makes progress.

use jiff::{
    SignedDuration, Timestamp,
    civil::{DateTime, date},
    tz::{AmbiguousOffset, Offset, TimeZone},
};

use super::{Cron, YEARS};

/// A time span within which no zone changes its clock back and forth.
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
    // In the first pass of a fold, wall times before `now` still occur: in the second pass.
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

/// For times of day: only the first pass of a fold fires, and times in a gap move to its end.
///
/// Both rules keep the order of wall-clock times, so the first time that is late enough is the next
/// fire.
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
                // `after` is in the second pass: all times of the fold have fired, so continue
                // after it.
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

/// For intervals: both passes of a fold fire, and times in a gap do not.
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

/// The instant, later than `from`, at which the zone's offset becomes `offset`.
fn change(zone: &TimeZone, from: Timestamp, offset: Offset) -> Option<Timestamp> {
    // The few transitions before it can only change the zone's abbreviation.
    let found = zone.following(from).take(4).find(|change| change.offset() == offset);
    found.map(|change| change.timestamp())
}

/// The next whole second, or the first that any expression can have.
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
