//! The cost of deciding about missed fires, counted in steps, because wall-clock time would depend
//! on the machine.
//!
//! A step is one visited fire, excluded day or span, year, or zone transition.

use super::*;
use crate::schedule::{Next, SPANS_MOST, steps};

const ONCE: MisfireStrategy = MisfireStrategy::FireOnce;
const ALL: MisfireStrategy = MisfireStrategy::FireAll { max: FIRE_ALL_MOST, window: None };

fn cron(text: &str, zone: &str) -> Schedule {
    Schedule::Cron(text.parse().unwrap(), zone.parse().unwrap())
}

fn rate(millis: u64) -> Schedule {
    Schedule::FixedRate(Duration::from_millis(millis))
}

fn without(days: &[&str], hours: &[&str], zone: &str) -> Limits {
    let days = days.iter().map(|text| text.parse().unwrap()).collect();
    let hours = hours.iter().map(|text| text.parse().unwrap()).collect();
    let calendar = Calendar::new(days, hours, zone.parse().unwrap()).unwrap();
    Limits { exclude: Some(calendar), ..Limits::default() }
}

/// The number of steps to decide about everything missed between two instants.
#[track_caller]
fn steps_of(strategy: MisfireStrategy, timetable: &Timetable, from: &str, now: &str) -> usize {
    let (from, now): (Timestamp, Timestamp) = (from.parse().unwrap(), now.parse().unwrap());
    let ((plan, _), steps) = steps::of(|| plan(strategy, JobId(1), timetable, from, from, now));
    assert!(!plan.caught_up.is_empty() || plan.skipped.is_some(), "nothing was missed");
    steps
}

#[test]
fn missed_hours_and_missed_years_cost_the_same_few_steps() {
    for schedule in [
        rate(100),
        rate(1000),
        rate(86_400_001),
        cron("* * * * * ?", "UTC"),
        cron("* * * * * ?", "Asia/Shanghai"),
        cron("0 30 2 * * ?", "Europe/Berlin"),
        cron("0 0 2 ? * MON-FRI", "America/New_York"),
        cron("0 0 12 LW * ?", "Europe/Berlin"),
        cron("*/5 * * * *", "Australia/Lord_Howe"),
    ] {
        let timetable = Timetable::from(schedule);
        for strategy in [MisfireStrategy::Skip, ONCE] {
            let hours =
                steps_of(strategy, &timetable, "2026-01-01T00:00:00Z", "2026-02-01T04:00:00Z");
            let years =
                steps_of(strategy, &timetable, "2026-01-01T00:00:00Z", "2031-01-01T00:00:00Z");
            assert!(hours <= 20, "{timetable:?}: {hours}");
            // Each of ten clock changes is visited for the last fire and for the count.
            assert!(years <= 80, "{timetable:?}: {years}");
        }
    }
}

#[test]
fn the_longest_gap_is_bounded_by_the_years_and_the_changes_of_the_clocks() {
    let (from, now) = ("1970-01-01T00:00:00Z", "2199-12-31T00:00:00Z");
    for schedule in [
        rate(100),
        cron("* * * * * ?", "UTC"),
        cron("0 0 0 29 2 ?", "Europe/Berlin"),
        cron("0 0 0 1 1 ? 1971", "Africa/Casablanca"),
        cron("0 30 2 ? * 1#5", "Australia/Lord_Howe"),
    ] {
        let timetable = Timetable::from(schedule);
        for strategy in [MisfireStrategy::Skip, ONCE] {
            let steps = steps_of(strategy, &timetable, from, now);
            assert!(steps <= 2_500, "{timetable:?}: {steps}");
        }
    }
}

#[test]
fn catching_up_on_each_fire_costs_a_few_steps_per_fire() {
    for schedule in [rate(100), cron("* * * * * ?", "Europe/Berlin"), cron("0 0 0 * * ?", "UTC")] {
        let timetable = Timetable::from(schedule);
        let steps = steps_of(ALL, &timetable, "2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
        assert!(steps <= 4 * FIRE_ALL_MOST as usize, "{timetable:?}: {steps}");
    }
}

#[test]
fn the_longest_jitter_costs_the_fires_of_its_time_and_no_more() {
    let hour = Duration::from_secs(3600);
    for (schedule, fires) in [(rate(100), 36_000), (cron("* * * * * ?", "UTC"), 3_600)] {
        let timetable = Timetable::new(schedule, Limits { jitter: hour, ..Limits::default() });
        let steps = steps_of(ONCE, &timetable, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
        assert!(steps <= 2 * fires + 20, "{timetable:?}: {steps}");
    }
}

/// The worst case that was found: fires that are excluded again and again.
#[test]
fn a_calendar_that_excludes_almost_everything_costs_a_step_a_day_and_a_span() {
    let hours: Vec<String> = (0..24).map(|hour| format!("{hour}-{hour}:59")).collect();
    let hours: Vec<&str> = hours.iter().map(String::as_str).collect();
    for (schedule, limits, from, now, most) in [
        // Open only on Sundays that are a 29 February: once in 28 years.
        (
            cron("0 0 0 * * ?", "UTC"),
            without(&["mon..sat", "03-01..02-28"], &[], "UTC"),
            "2031-01-01T00:00:00Z",
            "2059-01-01T00:00:00Z",
            40_000,
        ),
        // Only at the end of a gap, once a year.
        (
            cron("0 30 2 * * ?", "Europe/Berlin"),
            without(&[], &["2-3"], "Europe/Berlin"),
            "2026-01-01T00:00:00Z",
            "2031-01-01T00:00:00Z",
            5_000,
        ),
        // One minute of each hour is open. The rate drifts out of it within a month, and stays out
        // for years.
        (
            rate(3_600_100),
            without(&[], &hours, "UTC"),
            "2026-01-01T00:59:00Z",
            "2028-01-01T00:00:00Z",
            60_000,
        ),
        // No fire after the first day of fifty years.
        (
            rate(86_400_000),
            without(&["2000-01-03..2049-12-31"], &[], "Europe/Berlin"),
            "2000-01-01T00:00:00Z",
            "2049-12-31T00:00:00Z",
            1_000,
        ),
        (
            cron("* * * * * ?", "UTC"),
            without(&["sat..sun"], &["20-8"], "UTC"),
            "2000-01-01T00:00:00Z",
            "2049-12-31T00:00:00Z",
            1_000,
        ),
    ] {
        let timetable = Timetable::new(schedule, limits);
        for strategy in [MisfireStrategy::Skip, ONCE] {
            let steps = steps_of(strategy, &timetable, from, now);
            assert!(steps <= most, "{timetable:?}: {steps}");
        }
    }
}

#[test]
fn one_search_for_the_next_fire_is_bounded_and_continues_where_it_stopped() {
    let hours: Vec<String> = (0..24).map(|hour| format!("{hour}-{hour}:59")).collect();
    let hours: Vec<&str> = hours.iter().map(String::as_str).collect();
    let timetable = Timetable::new(rate(3_600_100), without(&[], &hours, "UTC"));
    let (mut after, anchor) = (at(0), at(0));
    let mut looks = 0;
    let fire = loop {
        let (next, steps) = steps::of(|| timetable.look_after(after, anchor));
        assert!(steps <= 4 * SPANS_MOST, "{steps}");
        looks += 1;
        match next {
            Next::Fire(fire) => break fire,
            Next::LookAgain(searched) => {
                assert!(searched > after && timetable.excludes(searched));
                after = searched;
            }
            Next::Never => panic!("there is a fire"),
        }
    };
    // Each fire is a tenth of a second later in its hour, until that reaches 59 minutes.
    assert_eq!(fire, at(0) + SignedDuration::from_millis(59 * 600 * 3_600_100));
    assert_eq!(looks, 36);
    // A single search stops earlier.
    assert_eq!(timetable.next_after(anchor, anchor), None);
}
