use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Limits, NoBackfill, Timetable};
use crate::{
    id::JobId,
    schedule::{Calendar, Schedule},
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn without(days: &[&str], hours: &[&str], zone: &str) -> Limits {
    let days = days.iter().map(|text| text.parse().unwrap()).collect();
    let hours = hours.iter().map(|text| text.parse().unwrap()).collect();
    let calendar = Calendar::new(days, hours, zone.parse().unwrap()).unwrap();
    Limits { exclude: Some(calendar), ..Limits::default() }
}

fn within(start: &str, end: &str) -> Limits {
    let limit = |text: &str| (!text.is_empty()).then(|| at(text));
    Limits { start_at: limit(start), end_at: limit(end), ..Limits::default() }
}

fn cron(text: &str, zone: &str) -> Schedule {
    Schedule::Cron(text.parse().unwrap(), zone.parse().unwrap())
}

fn rate(secs: u64) -> Schedule {
    Schedule::FixedRate(Duration::from_secs(secs))
}

fn delay(secs: u64) -> Schedule {
    Schedule::FixedDelay(Duration::from_secs(secs))
}

const ANCHOR: &str = "2026-01-01T00:00:07Z";

/// The fires after `after`, one after the other; `-` means none.
#[track_caller]
fn check(schedule: &Schedule, limits: Limits, after: &str, fires: &[&str]) {
    let timetable = Timetable::new(schedule.clone(), limits);
    let mut after = at(after);
    for expected in fires {
        let fire = timetable.next_after(after, at(ANCHOR));
        assert_eq!(fire, (*expected != "-").then(|| at(expected)), "after {after}");
        after = fire.unwrap_or(after);
    }
}

#[test]
fn nothing_fires_before_the_start_or_after_the_end() {
    let limits = || within("2026-03-01T12:00:00Z", "2026-03-03T12:00:00Z");
    let fires = ["2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z", "2026-03-03T12:00:00Z", "-"];
    check(&cron("0 0 12 * * ?", "UTC"), limits(), ANCHOR, &fires);
    check(&rate(86_400), limits(), ANCHOR, &fires);
    check(&delay(30), limits(), ANCHOR, &["2026-03-01T12:00:00Z", "-"]);
    let until = || within("", "2026-01-01T00:01:00Z");
    let fires = ["2026-01-01T00:00:27Z", "2026-01-01T00:00:47Z", "-"];
    check(&rate(20), until(), ANCHOR, &fires);
    check(&delay(53), until(), ANCHOR, &["2026-01-01T00:01:00Z", "-"]);
    check(&delay(54), until(), ANCHOR, &["-"]);
}

#[test]
fn a_fixed_rate_counts_from_its_start_also_after_it() {
    let limits = || within("2025-12-31T23:59:55Z", "");
    let fires = ["2026-01-01T00:00:15Z", "2026-01-01T00:00:25Z"];
    check(&rate(10), limits(), ANCHOR, &fires);
    check(&rate(10), limits(), "2020-01-01T00:00:00Z", &fires);
    // The anchor itself is on the grid, but is not a fire.
    check(&rate(4), limits(), ANCHOR, &["2026-01-01T00:00:11Z"]);
}

#[test]
fn a_fixed_delay_waits_for_its_start_and_for_the_end_of_a_span() {
    check(&delay(30), within("2026-01-01T00:00:20Z", ""), ANCHOR, &["2026-01-01T00:00:37Z", "-"]);
    let nights = || without(&[], &["22-6"], "UTC");
    check(&delay(30), nights(), ANCHOR, &["2026-01-01T06:00:00Z", "-"]);
    let limits = Limits { end_at: Some(at("2026-01-01T05:59:59Z")), ..nights() };
    check(&delay(30), limits, ANCHOR, &["-"]);
    let limits = Limits { start_at: Some(at("2026-01-01T23:00:00Z")), ..nights() };
    check(&delay(30), limits, ANCHOR, &["2026-01-02T06:00:00Z", "-"]);
}

#[test]
fn fires_in_an_excluded_span_are_skipped() {
    let each_second = cron("* * * * * ?", "Europe/Berlin");
    check(
        &each_second,
        without(&[], &["20-8"], "Europe/Berlin"),
        "2026-03-28T18:59:58Z",
        &["2026-03-28T18:59:59Z", "2026-03-29T06:00:00Z", "2026-03-29T06:00:01Z"],
    );
    // The grid is the same as without the calendar.
    check(
        &rate(3600),
        without(&["2026-01-01"], &["0-1"], "UTC"),
        ANCHOR,
        &["2026-01-02T01:00:07Z", "2026-01-02T02:00:07Z"],
    );
    check(
        &cron("0 30 2 * * ?", "Europe/Berlin"),
        without(&["sat..sun"], &[], "Europe/Berlin"),
        "2026-03-27T12:00:00Z",
        &["2026-03-30T00:30:00Z"],
    );
    // On the day when a clock change skips the excluded hour, the fire is after the gap.
    check(
        &cron("0 30 2 * * ?", "Europe/Berlin"),
        without(&[], &["2-3"], "Europe/Berlin"),
        "2026-03-01T12:00:00Z",
        &["2026-03-29T01:00:00Z", "2027-03-28T01:00:00Z"],
    );
    check(
        &Schedule::Once(at("2026-12-25T08:00:00Z")),
        without(&["12-25"], &[], "UTC"),
        ANCHOR,
        &["-"],
    );
}

#[test]
fn a_search_without_a_result_ends() {
    check(&cron("0 0 3 * * ?", "UTC"), without(&[], &["2-4"], "UTC"), ANCHOR, &["-"]);
    check(&cron("* * 3 * * ?", "UTC"), without(&[], &["2-4"], "UTC"), ANCHOR, &["-"]);
    check(&cron("0 0 0 25 12 ?", "UTC"), without(&["12-25"], &[], "UTC"), ANCHOR, &["-"]);
    check(&rate(86_400), without(&[], &["0-0:01"], "UTC"), ANCHOR, &["-"]);
    let limits = without(&["mon..sat", "03-01..02-28"], &[], "UTC");
    check(&cron("0 0 0 * * ?", "UTC"), limits, ANCHOR, &["2032-02-29T00:00:00Z"]);
}

#[test]
fn jitter_is_deterministic_and_has_its_documented_values() {
    let limits = Limits { jitter: Duration::from_secs(60), ..Limits::default() };
    let timetable = Timetable::new(rate(10), limits);
    let fire = Timestamp::from_second(1_800_000_000).unwrap();
    let offset = |job, fire| timetable.due_at(JobId(job), fire).duration_since(fire).as_millis();
    // These values must not change, because planned fires would then be due at another instant.
    assert_eq!(
        [offset(1, fire), offset(2, fire), offset(1, fire + SignedDuration::from_millis(1))],
        PINNED
    );
    let plain = Timetable::from(rate(10));
    assert_eq!(plain.due_at(JobId(1), fire), fire);
}

/// Computed by another implementation of the same description.
const PINNED: [i128; 3] = [15_239, 939, 56_729];

#[test]
fn the_fires_of_many_jobs_are_spread_evenly() {
    let limits = Limits { jitter: Duration::from_secs(10), ..Limits::default() };
    let timetable = Timetable::new(rate(10), limits);
    let fire = at(ANCHOR);
    let mut tenths = [0_u32; 10];
    for job in 1..=10_000 {
        let offset = timetable.due_at(JobId(job), fire).duration_since(fire).as_millis();
        tenths[usize::try_from(offset / 1000).unwrap()] += 1;
    }
    assert!(tenths.iter().all(|jobs| (900..1100).contains(jobs)), "{tenths:?}");
}

#[test]
fn a_backfill_has_the_fires_of_a_past_range() {
    #[track_caller]
    fn check(timetable: &Timetable, from: &str, until: &str, fires: &[&str], more: bool) {
        let found = timetable.fires_between(at(from), at(until), at(ANCHOR), 3).unwrap();
        assert_eq!(found.fires, fires.iter().map(|text| at(text)).collect::<Vec<_>>());
        assert_eq!(found.more, more);
    }
    let noon = cron("0 0 12 * * ?", "UTC");
    let fires = ["2025-05-01T12:00:00Z", "2025-05-02T12:00:00Z", "2025-05-03T12:00:00Z"];
    let days = Timetable::from(noon.clone());
    check(&days, fires[0], "2025-05-04T12:00:00Z", &fires, false);
    check(&days, fires[0], "2025-05-04T12:00:01Z", &fires, true);
    check(&days, fires[0], fires[2], &fires[..2], false);
    check(&days, fires[0], fires[0], &[], false);
    check(&days, fires[2], fires[0], &[], false);
    let weekdays = Timetable::new(noon.clone(), without(&["2025-05-02"], &[], "UTC"));
    check(&weekdays, fires[0], "2025-05-04T00:00:00Z", &[fires[0], fires[2]], false);
    let later = Timetable::new(noon, within(fires[1], fires[1]));
    check(&later, fires[0], "2025-05-04T00:00:00Z", &fires[1..2], false);

    let hourly = Timetable::from(rate(3600));
    let grid = ["2025-12-31T22:00:07Z", "2025-12-31T23:00:07Z", ANCHOR];
    check(&hourly, grid[0], "2026-01-01T01:00:00Z", &grid, false);
    check(&hourly, "2025-12-31T21:00:07.001Z", "2026-01-01T02:00:00Z", &grid, true);
    check(&hourly, ANCHOR, "2026-01-01T01:00:07Z", &grid[2..], false);
    let started = Timetable::new(rate(3600), within("2025-12-31T23:30:00Z", ""));
    check(&started, grid[0], "2026-01-01T00:30:00Z", &["2025-12-31T23:30:00Z"], false);

    for schedule in [Schedule::None, delay(5), Schedule::Once(at(ANCHOR))] {
        let refused: Result<_, NoBackfill> =
            Timetable::from(schedule).fires_between(at(grid[0]), at(ANCHOR), at(ANCHOR), 3);
        assert!(refused.unwrap_err().to_string().contains("cron or fixed_rate"));
    }
}

#[test]
fn empty_limits_are_none() {
    let timetable = Timetable::new(rate(1), Limits::default());
    assert_eq!(timetable, Timetable::from(rate(1)));
    assert!(timetable.limits().is_none());
}
