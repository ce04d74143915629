//! Searches an expression's fires backwards and counts them, with the same rules as
//! [`super::fire`].
//!
//! A range is split into stretches with a constant zone offset, the latest first. Within a stretch,
//! wall time and real time run alike, so its fires are the expression's wall-clock times of one
//! interval. Gaps and folds are handled at the beginning of a stretch.

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{Offset, TimeZone},
};

use super::Cron;
use crate::schedule::{Count, steps::step};

/// Counting stops after this many stretches; most zones with daylight saving time have two per
/// year.
const STRETCHES_MOST: usize = 128;

const NANOSECOND: SignedDuration = SignedDuration::from_nanos(1);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Part of a range with a constant offset.
struct Stretch {
    offset: Offset,
    /// The wall-clock times that can fire here: whole seconds, `until` not included.
    from: DateTime,
    until: DateTime,
    gap: Option<Gap>,
}

/// Wall-clock times that are skipped at the beginning of a stretch; they fire together at `end`.
struct Gap {
    from: DateTime,
    until: DateTime,
    end: Timestamp,
}

/// The last fire after `after` and not later than `until`.
///
/// Visits each zone transition in the range, and each month, once.
pub(super) fn last(
    cron: &Cron,
    after: Timestamp,
    until: Timestamp,
    zone: &TimeZone,
) -> Option<Timestamp> {
    // Caches the last result, which is valid for all instants from that time to the searched one.
    let mut known: Option<(DateTime, Option<DateTime>)> = None;
    for stretch in stretches(cron, after, until, zone) {
        let wall = match known {
            Some((until, wall))
                if stretch.until <= until && wall.is_none_or(|wall| wall < stretch.until) =>
            {
                wall
            }
            Some(_) | None => cron.last_before(stretch.until),
        };
        known = Some((stretch.until, wall));
        if let Some(wall) = wall.filter(|wall| *wall >= stretch.from) {
            return stretch.offset.to_timestamp(wall).ok();
        }
        if let Some(gap) = stretch.gap.filter(|gap| cron.times_between(gap.from, gap.until) > 0) {
            return Some(gap.end);
        }
    }
    None
}

/// The number of fires after `after` and not later than `until`.
pub(super) fn count(cron: &Cron, after: Timestamp, until: Timestamp, zone: &TimeZone) -> Count {
    let mut count = Count::default();
    for (index, stretch) in stretches(cron, after, until, zone).enumerate() {
        if index == STRETCHES_MOST {
            count.at_least = true;
            break;
        }
        count.number += cron.times_between(stretch.from, stretch.until);
        // A time of the expression at the end of the gap is the same fire, which is already
        // counted.
        count.number += u64::from(stretch.gap.is_some_and(|gap| {
            !cron.matches(gap.until) && cron.times_between(gap.from, gap.until) > 0
        }));
    }
    count
}

/// The stretches of a range, the latest first.
fn stretches<'a>(
    cron: &'a Cron,
    after: Timestamp,
    until: Timestamp,
    zone: &'a TimeZone,
) -> impl Iterator<Item = Stretch> + 'a {
    let mut last = (until > after).then_some(until);
    std::iter::from_fn(move || {
        step();
        let until = last?;
        let behind = until.checked_add(NANOSECOND).unwrap_or(until);
        let change = zone.preceding(behind).next();
        let offset = change.as_ref().map_or_else(|| zone.to_offset(until), |at| at.offset());
        let change = change.map(|change| change.timestamp());
        let before = change.and_then(|change| change.checked_sub(NANOSECOND).ok());
        // The wall time when the stretch began; earlier times of day have already fired.
        let shown = before.zip(change).filter(|_| !cron.every_hour);
        let shown = shown.map(|(before, change)| zone.to_offset(before).to_datetime(change));

        let begins = change.filter(|change| *change > after);
        last = begins.and(before).filter(|before| *before > after);
        let until = next_second(offset.to_datetime(until));
        let from = match begins {
            Some(change) => offset.to_datetime(change),
            None => next_second(offset.to_datetime(after)),
        };
        let gap = begins.zip(shown).filter(|(_, shown)| *shown < from);
        let gap = gap.map(|(end, shown)| Gap { from: shown, until: from, end });
        let from = shown.map_or(from, |shown| from.max(shown));
        Some(Stretch { offset, from, until, gap })
    })
}

/// The whole second after `wall`.
fn next_second(wall: DateTime) -> DateTime {
    let whole = wall.date().at(wall.hour(), wall.minute(), wall.second(), 0);
    whole.saturating_add(SECOND)
}
