//! Decides what happens to missed fires.
//!
//! A fire less than [`GRACE`] late is not a misfire: it runs as usual.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{
    id::JobId,
    schedule::{Count, Next, Timetable},
};

/// A fire later than this is a misfire.
pub const GRACE: Duration = Duration::from_secs(5);

/// What happens to missed fires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MisfireStrategy {
    /// Skip them, and record that they were skipped.
    #[default]
    Skip,
    /// Catch up on all of them with one task.
    FireOnce,
    /// Catch up on each of them. If there are too many, the newest are kept.
    FireAll {
        /// Maximum number of tasks, 1 to [`FIRE_ALL_MOST`].
        max: u32,
        /// Maximum age of a fire.
        window: Option<Duration>,
    },
}

/// Maximum number of missed fires that one job may catch up on.
pub const FIRE_ALL_MOST: u32 = 1_000;

/// The missed fires of a job that get no task of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The earliest fire.
    pub first: Timestamp,
    /// The latest fire.
    pub last: Timestamp,
    /// The number of fires.
    pub count: Count,
}

/// The decision about missed fires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The fires that get a task, oldest first; the tasks' cause is misfire.
    pub caught_up: Vec<Timestamp>,
    /// The skipped fires, if any; recorded as one skipped task.
    pub skipped: Option<Missed>,
    /// The number of fires that the last entry of `caught_up` represents, including itself.
    pub stands_for: Count,
    /// The fires that are not misfires, because their jitter makes them due later; oldest first.
    pub in_time: Vec<Timestamp>,
}

/// Whether a fire that was due at `due_at` is so late at `now` that it is a misfire.
pub fn is_misfire(due_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(due_at) >= SignedDuration::from_secs(5)
}

/// Decides about the fires of a job after `after` and up to [`GRACE`] before `now`. Returns the
/// instant from which fires are regular again.
///
/// Whether a fire is a misfire depends on the instant it is due, including its jitter.
///
/// # Work
///
/// The work does not grow with the number of missed fires. A call visits the fires that it returns,
/// and those within the last jitter before `now`, whose due instants decide: at most 36,000, for
/// the longest jitter and the shortest rate. To find the first and last fires it also takes the
/// steps of [`Timetable::look_after`], [`Timetable::last_between`] and
/// [`Timetable::count_between`]: few without a calendar; with one, at most 25 for each day since
/// `after`.
pub fn plan(
    strategy: MisfireStrategy,
    job: JobId,
    timetable: &Timetable,
    anchor: Timestamp,
    after: Timestamp,
    now: Timestamp,
) -> (Plan, Timestamp) {
    let until = (now - SignedDuration::from_secs(5)).max(after);
    // Up to this instant all fires are misfires, whatever their jitter.
    let sure = timetable
        .limits()
        .and_then(|limits| SignedDuration::try_from(limits.jitter).ok())
        .and_then(|jitter| until.checked_sub(jitter).ok())
        .map_or(until, |sure| sure.max(after));
    let mut plan = Plan::default();
    let mut late = Vec::new();
    for fire in fires(timetable, anchor, sure, until) {
        match is_misfire(timetable.due_at(job, fire), now) {
            true => late.push(fire),
            false => plan.in_time.push(fire),
        }
    }
    let first = fires(timetable, anchor, after, sure).next();
    let mut missed = Rest { timetable, anchor, first, after, until: sure, late };
    let (most, oldest) = strategy.keeps(now);
    while plan.caught_up.len() < most
        && let Some(fire) = missed.take_last(oldest)
    {
        plan.caught_up.push(fire);
    }
    plan.caught_up.reverse();
    let caught_up = Count::exactly(u64::from(!plan.caught_up.is_empty()));
    if strategy == MisfireStrategy::FireOnce {
        // One task represents all of them, so none is skipped.
        plan.stands_for = caught_up.plus(missed.count());
    } else {
        plan.stands_for = caught_up;
        plan.skipped = missed.all();
    }
    (plan, until)
}

impl MisfireStrategy {
    /// How many of the newest fires get a task, and the age limit.
    fn keeps(self, now: Timestamp) -> (usize, Timestamp) {
        match self {
            Self::Skip => (0, Timestamp::MIN),
            Self::FireOnce => (1, Timestamp::MIN),
            Self::FireAll { max, window } => {
                let window = window.and_then(|window| SignedDuration::try_from(window).ok());
                let oldest = window.and_then(|window| now.checked_sub(window).ok());
                (max as usize, oldest.unwrap_or(Timestamp::MIN))
            }
        }
    }
}

/// The missed fires that are not decided yet.
struct Rest<'a> {
    timetable: &'a Timetable,
    anchor: Timestamp,
    /// All fires later than `after` and not later than `until`, which are not visited. `first` is
    /// the first of them, if any.
    first: Option<Timestamp>,
    after: Timestamp,
    until: Timestamp,
    /// Later fires, oldest first.
    late: Vec<Timestamp>,
}

impl Rest<'_> {
    /// Removes the newest fire, unless it is older than `oldest`.
    fn take_last(&mut self, oldest: Timestamp) -> Option<Timestamp> {
        let fire = self.last().filter(|fire| *fire >= oldest)?;
        if self.late.pop().is_none() {
            // Fires are whole milliseconds.
            self.until = fire.checked_sub(SignedDuration::from_millis(1)).ok()?;
        }
        Some(fire)
    }

    fn last(&self) -> Option<Timestamp> {
        match (self.late.last(), self.first) {
            (Some(late), _) => Some(*late),
            (None, Some(first)) if first <= self.until => {
                self.timetable.last_between(self.after, self.until, self.anchor)
            }
            (None, _) => None,
        }
    }

    fn count(&self) -> Count {
        let late = Count::exactly(self.late.len() as u64);
        match self.first {
            Some(_) => late.plus(self.timetable.count_between(self.after, self.until, self.anchor)),
            None => late,
        }
    }

    fn all(&self) -> Option<Missed> {
        let last = self.last()?;
        // Fires are removed from the newest on, so the first remains as long as there is any.
        let first = self.first.or(self.late.first().copied()).unwrap_or(last);
        Some(Missed { first, last, count: self.count() })
    }
}

/// The fires later than `after` and not later than `until`.
fn fires(
    timetable: &Timetable,
    anchor: Timestamp,
    after: Timestamp,
    until: Timestamp,
) -> impl Iterator<Item = Timestamp> {
    let mut from = after;
    std::iter::from_fn(move || {
        // Repeat until the range is complete: no fire may be missed. The range bounds the loop.
        while from < until {
            match timetable.look_after(from, anchor) {
                Next::Fire(fire) => {
                    from = fire;
                    return (fire <= until).then_some(fire);
                }
                Next::LookAgain(searched) => from = searched,
                Next::Never => return None,
            }
        }
        None
    })
}

#[cfg(test)]
mod tests;
