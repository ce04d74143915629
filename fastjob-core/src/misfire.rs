//! What to do about fires that came due while nobody was looking.
//!
//! Fires less than [`GRACE`] late are no misfires: they are made up for as they are.

use std::{collections::VecDeque, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{id::JobId, schedule::Timetable};

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
    /// Those that are no misfires, for their jitter makes them due later; oldest first.
    pub in_time: Vec<Timestamp>,
}

/// Whether a fire that was due at `due_at` is so late at `now` that the misfire strategy decides.
pub fn is_misfire(due_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(due_at) >= SignedDuration::from_secs(5)
}

/// Decides about the fires of a job after `after` and up to [`GRACE`] before `now`, and returns the
/// instant from which fires count again.
///
/// A fire is a misfire by the instant it is due at, with its jitter.
pub fn plan(
    strategy: MisfireStrategy,
    job: JobId,
    timetable: &Timetable,
    anchor: Timestamp,
    after: Timestamp,
    now: Timestamp,
) -> (Plan, Timestamp) {
    let until = now - SignedDuration::from_secs(5);
    // Up to here all are misfires, however their jitter falls.
    let sure = timetable
        .limits()
        .and_then(|limits| SignedDuration::try_from(limits.jitter).ok())
        .and_then(|jitter| until.checked_sub(jitter).ok())
        .unwrap_or(until);
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
    let mut newest = VecDeque::with_capacity(keep.min(64));
    let mut take = |fire, skipped: &mut Option<Missed>| {
        newest.push_back(fire);
        if newest.len() > keep {
            let left = newest.pop_front().unwrap_or(fire);
            note(skipped, left);
        }
    };
    // A day of a job that fires every second is 86,400 fires: count some, then look at the end.
    let mut from = after;
    for fire in missed(timetable, anchor, from, sure).take(COUNT_MOST as usize) {
        from = fire;
        take(fire, &mut plan.skipped);
    }
    for fire in last_fires(timetable, anchor, from, sure, keep + 1) {
        take(fire, &mut plan.skipped);
    }
    for fire in missed(timetable, anchor, after.max(sure), until) {
        match is_misfire(timetable.due_at(job, fire), now) {
            true => take(fire, &mut plan.skipped),
            false => plan.in_time.push(fire),
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

/// The fires later than `from` and not later than `until`.
fn missed(
    timetable: &Timetable,
    anchor: Timestamp,
    from: Timestamp,
    until: Timestamp,
) -> impl Iterator<Item = Timestamp> {
    let next = move |after: &Timestamp| timetable.next_after(*after, anchor);
    std::iter::successors(next(&from), next).take_while(move |fire| *fire <= until)
}

/// The last `most` of the fires later than `from` and not later than `until`.
///
/// They may be dense here and rare there, and nothing is known of them but what follows an instant.
/// So the instant after which there are enough is searched by halving, and nowhere are many more
/// fires looked at than are wanted.
fn last_fires(
    timetable: &Timetable,
    anchor: Timestamp,
    from: Timestamp,
    until: Timestamp,
    most: usize,
) -> Vec<Timestamp> {
    let few = 2 * most;
    let look = |after| missed(timetable, anchor, after, until).take(few + 1).collect::<Vec<_>>();
    // After `low` there are at least as many as are wanted, after `high` there are fewer.
    let (mut low, mut high) = (from, until);
    let mut found = look(low);
    while found.len() > few {
        let half = high.duration_since(low).as_millis() / 2;
        let half = SignedDuration::from_millis(i64::try_from(half).unwrap_or(i64::MAX));
        let Ok(middle) = low.checked_add(half) else { break };
        if middle == low {
            break;
        }
        let after = look(middle);
        if after.len() < most {
            high = middle;
        } else {
            (low, found) = (middle, after);
        }
    }
    found.split_off(found.len().saturating_sub(most))
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
    use crate::schedule::{Calendar, Limits, Schedule, Zone};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    /// Every 10 s since 0, looked at after 0, at 62: 10, 20, 30, 40, 50 are missed, 60 is not.
    #[track_caller]
    fn check(strategy: MisfireStrategy, made_up: &[i64], skipped: Option<(i64, i64, u32)>) {
        let schedule = Timetable::from(Schedule::FixedRate(Duration::from_secs(10)));
        let (plan, from) = plan(strategy, JobId(1), &schedule, at(0), at(0), at(62));
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
        let schedule = Timetable::from(Schedule::FixedRate(Duration::from_secs(1)));
        let now = at(30 * 86_400);
        let (plan, _) = plan(
            MisfireStrategy::FireAll { max: 3, window: None },
            JobId(1),
            &schedule,
            at(0),
            at(0),
            now,
        );
        let newest = now - SignedDuration::from_secs(5);
        assert_eq!(plan.made_up.last(), Some(&newest));
        assert_eq!(plan.made_up.len(), 3);
        assert_eq!(plan.skipped.unwrap().count, COUNT_MOST);
    }

    #[test]
    fn a_fire_whose_jitter_makes_it_due_later_is_no_misfire() {
        let limits = Limits { jitter: Duration::from_secs(600), ..Limits::default() };
        let timetable = Timetable::new(Schedule::FixedRate(Duration::from_secs(10)), limits);
        let (job, now) = (JobId(7), at(3_600));
        let all = MisfireStrategy::FireAll { max: 1_000, window: None };
        let (plan, from) = plan(all, job, &timetable, at(0), at(0), now);
        let fires: Vec<_> = (1..=359).map(|n| at(n * 10)).collect();
        let late = |fire: &Timestamp| is_misfire(timetable.due_at(job, *fire), now);
        let (missed, in_time): (Vec<_>, Vec<_>) = fires.into_iter().partition(late);
        assert!(missed.len() > 299 && !in_time.is_empty());
        assert_eq!((plan.made_up, plan.in_time), (missed, in_time));
        assert_eq!(timetable.next_after(from, at(0)), Some(at(3_600)));
    }

    /// 1,800,000,000 is 08:00 in UTC; the months of seconds end in hours without fires.
    #[test]
    fn the_newest_fires_are_those_before_the_hours_without() {
        let exclude = Calendar::new(vec![], vec!["20-8".parse().unwrap()], Zone::default());
        let limits = Limits { exclude: Some(exclude.unwrap()), ..Limits::default() };
        let schedule = Schedule::FixedRate(Duration::from_secs(1));
        let timetable = Timetable::new(schedule, limits);
        let now = at(60 * 86_400 - 3600);
        let closes = 59 * 86_400 + 12 * 3600;
        for keep in [1, 3, 1000] {
            let all = MisfireStrategy::FireAll { max: keep, window: None };
            let (plan, _) = plan(all, JobId(1), &timetable, at(0), at(0), now);
            let newest: Vec<_> = (1..=i64::from(keep)).rev().map(|n| at(closes - n)).collect();
            assert_eq!(plan.made_up, newest);
            let skipped = plan.skipped.unwrap();
            assert_eq!((skipped.first, skipped.count), (at(1), COUNT_MOST));
            assert_eq!(skipped.last, at(closes - i64::from(keep) - 1));
        }
    }

    /// The same decision, found by walking from fire to fire.
    fn by_walking(
        keep: usize,
        timetable: &Timetable,
        after: Timestamp,
        now: Timestamp,
    ) -> (Vec<Timestamp>, Option<Missed>) {
        let mut fires = Vec::new();
        let mut from = after;
        while let Some(fire) = timetable.next_after(from, at(0)) {
            if !is_misfire(fire, now) {
                break;
            }
            fires.push(fire);
            from = fire;
        }
        let made_up = fires.split_off(fires.len().saturating_sub(keep));
        let missed = fires.first().zip(fires.last()).map(|(first, last)| Missed {
            first: *first,
            last: *last,
            count: (fires.len() as u32).min(COUNT_MOST),
        });
        (made_up, missed)
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            cases: 64,
            failure_persistence: None,
            ..Default::default()
        })]

        #[test]
        fn no_fire_is_forgotten_however_many_there_are(
            rate in 1000..60_000_u64,
            seconds in 0..200_000_i64,
            until in 0..24_u8,
            keep in 1..200_u32,
        ) {
            let hours = format!("{}-{until}", (until + 11) % 24).parse().unwrap();
            let exclude = Calendar::new(vec![], vec![hours], Zone::default()).unwrap();
            let limits = Limits { exclude: Some(exclude), ..Limits::default() };
            let schedule = Schedule::FixedRate(Duration::from_millis(rate));
            let timetable = Timetable::new(schedule, limits);
            let (after, now) = (at(0), at(seconds));
            let all = MisfireStrategy::FireAll { max: keep, window: None };
            let (plan, from) = plan(all, JobId(1), &timetable, at(0), after, now);
            let (made_up, skipped) = by_walking(keep as usize, &timetable, after, now);
            proptest::prop_assert_eq!(plan.made_up, made_up);
            proptest::prop_assert_eq!(plan.skipped, skipped);
            let next = timetable.next_after(from, at(0)).unwrap();
            proptest::prop_assert!(!is_misfire(next, now));
        }
    }
}
