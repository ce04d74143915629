//! Which fires are caught up, skipped or in time, and the cost of the decision.

mod laws;
mod work;

use super::*;
use crate::schedule::{Calendar, Limits, Schedule, Zone};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// Fires every 10 s since 0, checked at 62 with `after` 0: 10, 20, 30, 40, 50 are missed, 60 is
/// not.
#[track_caller]
fn check(strategy: MisfireStrategy, caught_up: &[i64], skipped: Option<(i64, i64, u64)>) {
    let schedule = Timetable::from(Schedule::FixedRate(Duration::from_secs(10)));
    let (plan, from) = plan(strategy, JobId(1), &schedule, at(0), at(0), at(62));
    assert_eq!(plan.caught_up, caught_up.iter().map(|s| at(*s)).collect::<Vec<_>>());
    let skipped = skipped.map(|(a, b, count)| Missed {
        first: at(a),
        last: at(b),
        count: Count::exactly(count),
    });
    assert_eq!(plan.skipped, skipped);
    assert_eq!(schedule.next_after(from, at(0)), Some(at(60)));
}

#[test]
fn each_strategy_catches_up_as_documented() {
    check(MisfireStrategy::Skip, &[], Some((10, 50, 5)));
    check(MisfireStrategy::FireOnce, &[50], None);
    check(MisfireStrategy::FireAll { max: 10, window: None }, &[10, 20, 30, 40, 50], None);
    check(MisfireStrategy::FireAll { max: 2, window: None }, &[40, 50], Some((10, 30, 3)));
    let window = Some(Duration::from_secs(25));
    check(MisfireStrategy::FireAll { max: 10, window }, &[40, 50], Some((10, 30, 3)));
}

#[test]
fn a_month_of_missed_seconds_is_decided_without_visiting_all_of_them() {
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
    assert_eq!(plan.caught_up.last(), Some(&newest));
    assert_eq!(plan.caught_up.len(), 3);
    assert_eq!(plan.skipped.unwrap().count, Count::exactly(30 * 86_400 - 5 - 3));
}

#[test]
fn a_fire_whose_jitter_makes_it_due_later_is_not_a_misfire() {
    let limits = Limits { jitter: Duration::from_secs(600), ..Limits::default() };
    let timetable = Timetable::new(Schedule::FixedRate(Duration::from_secs(10)), limits);
    let (job, now) = (JobId(7), at(3_600));
    let all = MisfireStrategy::FireAll { max: 1_000, window: None };
    let (plan, from) = plan(all, job, &timetable, at(0), at(0), now);
    let fires: Vec<_> = (1..=359).map(|n| at(n * 10)).collect();
    let late = |fire: &Timestamp| is_misfire(timetable.due_at(job, *fire), now);
    let (missed, in_time): (Vec<_>, Vec<_>) = fires.into_iter().partition(late);
    assert!(missed.len() > 299 && !in_time.is_empty());
    assert_eq!((plan.caught_up, plan.in_time), (missed, in_time));
    assert_eq!(timetable.next_after(from, at(0)), Some(at(3_600)));
}

/// 1,800,000,000 is 08:00 in UTC; the months of seconds end in excluded hours.
#[test]
fn the_newest_fires_are_those_before_the_excluded_hours() {
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
        assert_eq!(plan.caught_up, newest);
        let skipped = plan.skipped.unwrap();
        assert_eq!(skipped.first, at(1));
        // Half of each day is open, so 64 steps cover 32 days.
        assert!(skipped.count.at_least && skipped.count.number > 30 * 43_200, "{}", skipped.count);
        assert_eq!(skipped.last, at(closes - i64::from(keep) - 1));
    }
}
