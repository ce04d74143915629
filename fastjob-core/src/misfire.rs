//! What to do about fires that came due while nobody was looking.
//!
//! Fires less than [`GRACE`] late are no misfires: they are made up for as they are.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::schedule::Schedule;

/// A fire later than this is a misfire.
pub const GRACE: Duration = Duration::from_secs(5);

/// What to do about missed fires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MisfireStrategy {
    /// Leave them out, and record that they were.
    #[default]
    Skip,
    /// Make up for all of them with one task.
    FireOnce,
    /// Make up for each of them, the newest first if there are too many.
    FireAll {
        /// Most tasks, 1 to [`FIRE_ALL_MOST`].
        max: u32,
        /// How old a fire may be.
        window: Option<Duration>,
    },
}

/// Most missed fires that one job may ask to be made up for.
pub const FIRE_ALL_MOST: u32 = 1_000;

/// Most missed fires that are counted; a job that missed more says "at least".
pub const COUNT_MOST: u32 = 10_000;

/// The fires of one job that nobody recorded in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The earliest.
    pub first: Timestamp,
    /// The latest that was counted.
    pub last: Timestamp,
    /// How many, up to [`COUNT_MOST`].
    pub count: u32,
}

/// What becomes of missed fires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Those that get a task, oldest first; the task says that it is a misfire.
    pub made_up: Vec<Timestamp>,
    /// Those that do not, if any; recorded as one skipped task.
    pub skipped: Option<Missed>,
    /// How many fires the last of `made_up` stands for, itself included.
    pub stands_for: u32,
}

/// Whether a fire is so late at `now` that the misfire strategy decides.
pub fn is_misfire(fire_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(fire_at) >= SignedDuration::from_secs(5)
}

/// Decides about the fires of `schedule` after `after` that are misfires at `now`, and returns the
/// instant from which fires count again.
pub fn plan(
    strategy: MisfireStrategy,
    schedule: &Schedule,
    anchor: Timestamp,
    after: Timestamp,
    now: Timestamp,
) -> (Plan, Timestamp) {
    let until = now - SignedDuration::from_secs(5);
    let keep = match strategy {
        MisfireStrategy::Skip => 0,
        MisfireStrategy::FireOnce => 1,
        MisfireStrategy::FireAll { max, .. } => max as usize,
    };
    let oldest = match strategy {
        MisfireStrategy::FireAll { window: Some(window), .. } => SignedDuration::try_from(window)
            .ok()
            .and_then(|window| now.checked_sub(window).ok())
            .unwrap_or(Timestamp::MIN),
        MisfireStrategy::Skip
        | MisfireStrategy::FireOnce
        | MisfireStrategy::FireAll { window: None, .. } => Timestamp::MIN,
    };
    let mut plan = Plan::default();
    let mut newest = std::collections::VecDeque::with_capacity(keep.min(64));
    let mut count = 0;
    let mut from = after;
    // A day of a job that fires every second is 86,400 fires: count some, then look at the end.
    while let Some(fire) = schedule.next_after(from, anchor).filter(|fire| *fire <= until) {
        count += 1;
        from = fire;
        if count > COUNT_MOST {
            skip_ahead(&mut from, schedule, anchor, until, keep);
            if count > 2 * COUNT_MOST {
                from = until;
            }
        }
        newest.push_back(fire);
        if newest.len() > keep {
            let left = newest.pop_front().unwrap_or(fire);
            note(&mut plan.skipped, left);
        }
    }
    while newest.front().is_some_and(|fire| *fire < oldest) {
        if let Some(left) = newest.pop_front() {
            note(&mut plan.skipped, left);
        }
    }
    plan.made_up = newest.into();
    if strategy == MisfireStrategy::FireOnce && !plan.made_up.is_empty() {
        // The one task makes up for all of them; nothing was left out.
        plan.stands_for = plan.skipped.take().map_or(0, |left| left.count) + 1;
    } else {
        plan.stands_for = u32::from(!plan.made_up.is_empty());
    }
    (plan, until.max(after))
}

/// Moves near enough to `until` that the newest `keep` fires are still met.
fn skip_ahead(
    from: &mut Timestamp,
    schedule: &Schedule,
    anchor: Timestamp,
    until: Timestamp,
    keep: usize,
) {
    let Some(next) = schedule.next_after(*from, anchor) else { return };
    let gap = next.duration_since(*from).max(SignedDuration::from_millis(1));
    let span = gap.saturating_mul(i32::try_from(keep.max(8) * 2).unwrap_or(i32::MAX));
    if let Ok(near) = until.checked_sub(span) {
        *from = (*from).max(near);
    }
}

fn note(skipped: &mut Option<Missed>, fire: Timestamp) {
    match skipped {
        Some(missed) => {
            missed.first = missed.first.min(fire);
            missed.last = missed.last.max(fire);
            missed.count = (missed.count + 1).min(COUNT_MOST);
        }
        None => *skipped = Some(Missed { first: fire, last: fire, count: 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    /// Every 10 s since 0, looked at after 0, at 62: 10, 20, 30, 40, 50 are missed, 60 is not.
    #[track_caller]
    fn check(strategy: MisfireStrategy, made_up: &[i64], skipped: Option<(i64, i64, u32)>) {
        let schedule = Schedule::FixedRate(Duration::from_secs(10));
        let (plan, from) = plan(strategy, &schedule, at(0), at(0), at(62));
        assert_eq!(plan.made_up, made_up.iter().map(|s| at(*s)).collect::<Vec<_>>());
        let skipped = skipped.map(|(a, b, count)| Missed { first: at(a), last: at(b), count });
        assert_eq!(plan.skipped, skipped);
        assert_eq!(schedule.next_after(from, at(0)), Some(at(60)));
    }

    #[test]
    fn each_strategy_makes_up_for_what_it_says() {
        check(MisfireStrategy::Skip, &[], Some((10, 50, 5)));
        check(MisfireStrategy::FireOnce, &[50], None);
        check(MisfireStrategy::FireAll { max: 10, window: None }, &[10, 20, 30, 40, 50], None);
        check(MisfireStrategy::FireAll { max: 2, window: None }, &[40, 50], Some((10, 30, 3)));
        let window = Some(Duration::from_secs(25));
        check(MisfireStrategy::FireAll { max: 10, window }, &[40, 50], Some((10, 30, 3)));
    }

    #[test]
    fn a_month_of_missed_seconds_is_decided_without_walking_all_of_them() {
        let schedule = Schedule::FixedRate(Duration::from_secs(1));
        let now = at(30 * 86_400);
        let (plan, _) =
            plan(MisfireStrategy::FireAll { max: 3, window: None }, &schedule, at(0), at(0), now);
        let newest = now - SignedDuration::from_secs(5);
        assert_eq!(plan.made_up.last(), Some(&newest));
        assert_eq!(plan.made_up.len(), 3);
        assert_eq!(plan.skipped.unwrap().count, COUNT_MOST);
    }
}
