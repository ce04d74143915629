//! Rows: an expression, a zone, an instant, and the fires that follow.

use jiff::Timestamp;

use super::{cron, fires, zone};
use crate::schedule::cron::Cron;

const QUARTZ: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/quartz-next-fire.tsv"));

#[track_caller]
fn check(text: &str, name: &str, after: &str, expected: &str) {
    let after: Timestamp = after.parse().unwrap();
    let count = expected.split(' ').count();
    assert_eq!(fires(&cron(text), &zone(name), after, count).join(" "), expected, "{text}");
}

#[test]
fn every_row_from_quartz_has_the_same_result() {
    let mut rows = 0;
    for row in QUARTZ.lines().filter(|row| !row.starts_with('#')) {
        match row.split('\t').collect::<Vec<_>>().as_slice() {
            [text, "INVALID"] => assert!(text.parse::<Cron>().is_err(), "{row}"),
            [text, name, after, expected] => check(text, name, after, expected),
            _ => panic!("not a row: {row}"),
        }
        rows += 1;
    }
    assert_eq!(rows, 952);
}

/// Checks the days on which an expression fires at midnight UTC, from 2026 on.
#[track_caller]
fn days(text: &str, expected: &str) {
    let count = expected.split(' ').count();
    let after = "2025-12-31T23:59:59Z".parse().unwrap();
    let found = fires(&cron(text), &zone("UTC"), after, count);
    let found: Vec<_> = found.iter().map(|fire| fire.trim_end_matches("T00:00:00Z")).collect();
    assert_eq!(found.join(" "), expected, "{text}");
}

#[test]
fn days_of_quartz() {
    days("0 0 0 * * *", "2026-01-01 2026-01-02 2026-01-03");
    days("0 0 0 L,15 * ?", "2026-01-15 2026-01-31 2026-02-15 2026-02-28");
    days("0 0 0 L-0 * ?", "2026-01-31 2026-02-28");
    days("0 0 0 L-30 * ?", "2026-01-01 2026-03-01");
    days("0 0 0 lw * ?", "2026-01-30 2026-02-27 2026-03-31");
    days("0 0 0 L-3W * ?", "2026-01-28 2026-02-25 2026-03-27");
    days("0 0 0 31W * ?", "2026-01-30 2026-03-31 2026-05-29");
    days("0 0 0 1W,15W * ?", "2026-01-01 2026-01-15 2026-02-02 2026-02-16");
    days("0 0 0 ? * L", "2026-01-03 2026-01-10");
    days("0 0 0 * * MON", "2026-01-05 2026-01-12");
    days(
        "0 0 0 ? * MON#1,FRIL,3",
        "2026-01-05 2026-01-06 2026-01-13 2026-01-20 2026-01-27 2026-01-30",
    );
    days("0 0 0 ? * 2#5", "2026-03-30 2026-06-29");
    days("0 0 0 ? * 6-2", "2026-01-02 2026-01-03 2026-01-04 2026-01-05 2026-01-09");
    days("0 0 0 ? * FRI-MON/2", "2026-01-02 2026-01-04 2026-01-09");
    days("0 0 0 28-2 2 ?", "2026-02-01 2026-02-02 2026-02-28 2027-02-01");
    days("0 0 0 1/10 1 ?", "2026-01-01 2026-01-11 2026-01-21 2026-01-31 2027-01-01");
    days("0 0 0 /10 1 ?", "2026-01-01 2026-01-11 2026-01-21 2026-01-31 2027-01-01");
    days("0 0 0 1 nov-feb/3 ?", "2026-02-01 2026-11-01 2027-02-01");
    days("0 0 0 1 1 ? 2030/50,2027", "2027-01-01 2030-01-01 2080-01-01 2130-01-01 2180-01-01 none");
    days("0 0 0 29 2 ? 2097-2103", "none");
    days("0 0 0 31 4,6 ?", "none");
    days("0 0 0 L-29 2 ?", "none");
}

#[test]
fn days_of_unix_cron() {
    days("0 0 * * 0", "2026-01-04 2026-01-11");
    days("0 0 * * 7", "2026-01-04 2026-01-11");
    days("0 0 * * 5-7", "2026-01-02 2026-01-03 2026-01-04 2026-01-09");
    days("0 0 * * fri-mon", "2026-01-02 2026-01-03 2026-01-04 2026-01-05 2026-01-09");
    days("0 0 * * 7-1", "2026-01-04 2026-01-05 2026-01-11");
    days("0 0 * * 0-7", "2026-01-01 2026-01-02");
    days("0 0 * * 1/2", "2026-01-02 2026-01-05 2026-01-07");
    days("0 0 * * */7", "2026-01-04 2026-01-11");
    days("0 0 13 * 5", "2026-01-02 2026-01-09 2026-01-13 2026-01-16");
    days("0 0 13 * *", "2026-01-13 2026-02-13");
    // A star at the start, even with a step, requires both fields to match.
    days("0 0 */10 * 1", "2026-05-11 2026-06-01 2026-08-31");
    days("0 0 1-7 * *,1", "2026-01-01 2026-01-02 2026-01-03");
    days("0 0 1 * 0-7", "2026-01-01 2026-01-02");
    days("0 0 30 2 *", "none");
    days("@daily", "2026-01-01 2026-01-02");
    days("@midnight", "2026-01-01 2026-01-02");
    days("@weekly", "2026-01-04 2026-01-11");
    days(" @Monthly ", "2026-01-01 2026-02-01");
    days("@yearly", "2026-01-01 2027-01-01");
    days("@annually", "2026-01-01 2027-01-01");
    check("@hourly", "UTC", "2026-01-01T00:59:59.5Z", "2026-01-01T01:00:00Z 2026-01-01T02:00:00Z");
    check(
        "*/20 9-10 * * *",
        "UTC",
        "2026-01-01T09:50:00Z",
        "2026-01-01T10:00:00Z 2026-01-01T10:20:00Z",
    );
}

#[test]
fn times_in_a_gap_fire_once_at_its_end() {
    let gap = "2027-03-14T05:00:00Z"; // midnight; New York goes from 02:00 to 03:00 at 07:00Z
    check("0 30 2 * * ?", "America/New_York", gap, "2027-03-14T07:00:00Z 2027-03-15T06:30:00Z");
    check("0 0/10 2 * * ?", "America/New_York", gap, "2027-03-14T07:00:00Z 2027-03-15T06:00:00Z");
    check(
        "0 30 1,2,3 * * ?",
        "America/New_York",
        gap,
        "2027-03-14T06:30:00Z 2027-03-14T07:00:00Z 2027-03-14T07:30:00Z 2027-03-15T05:30:00Z",
    );
    // Together with a regular fire at the same instant, it is one fire.
    check(
        "0 0,30 2,3 * * ?",
        "America/New_York",
        gap,
        "2027-03-14T07:00:00Z 2027-03-14T07:30:00Z 2027-03-15T06:00:00Z",
    );
    check(
        "0 0 0 * * ?",
        "Africa/Cairo",
        "2027-04-29T00:00:00Z",
        "2027-04-29T22:00:00Z 2027-04-30T21:00:00Z",
    );
    check("30 2 * * *", "Europe/London", "2027-03-28T00:00:00Z", "2027-03-28T01:30:00Z");
    check("30 1 * * *", "Europe/London", "2027-03-28T00:00:00Z", "2027-03-28T01:00:00Z");
    check(
        "0 15 2 * * ?",
        "Australia/Lord_Howe",
        "2027-10-02T12:00:00Z",
        "2027-10-02T15:30:00Z 2027-10-03T15:15:00Z",
    );
    // Samoa skipped 30 December 2011.
    check(
        "0 0 9 * * ?",
        "Pacific/Apia",
        "2011-12-29T00:00:00Z",
        "2011-12-29T19:00:00Z 2011-12-30T10:00:00Z 2011-12-30T19:00:00Z",
    );
}

#[test]
fn intervals_follow_real_time_across_a_gap() {
    let gap = "2027-03-14T06:00:00Z"; // 01:00 in New York
    check(
        "0 0/30 * * * ?",
        "America/New_York",
        gap,
        "2027-03-14T06:30:00Z 2027-03-14T07:00:00Z 2027-03-14T07:30:00Z",
    );
    check("0 15 * * * ?", "America/New_York", gap, "2027-03-14T06:15:00Z 2027-03-14T07:15:00Z");
    check("0 15 */2 * * ?", "America/New_York", gap, "2027-03-14T08:15:00Z 2027-03-14T10:15:00Z");
    check("0 59 * 30 12 ? 2011", "Pacific/Apia", "2011-12-01T00:00:00Z", "none");
}

#[test]
fn times_that_occur_twice_fire_the_first_time() {
    let fold = "2027-11-07T04:00:00Z"; // midnight; New York goes from 02:00 to 01:00 at 06:00Z
    check("0 30 1 * * ?", "America/New_York", fold, "2027-11-07T05:30:00Z 2027-11-08T06:30:00Z");
    check("0 30 1 * * ?", "America/New_York", "2027-11-07T06:10:00Z", "2027-11-08T06:30:00Z");
    check("0 30 1-3 * * ?", "America/New_York", "2027-11-07T06:10:00Z", "2027-11-07T07:30:00Z");
    check("* * 1,2 * * ?", "America/New_York", "2027-11-07T05:59:59Z", "2027-11-07T07:00:00Z");
    check("15 0 * * *", "America/New_York", fold, "2027-11-07T04:15:00Z");
}

#[test]
fn intervals_follow_real_time_across_a_fold() {
    let fold = "2027-11-07T05:00:00Z"; // 01:00 in New York
    check(
        "0 0/30 * * * ?",
        "America/New_York",
        fold,
        "2027-11-07T05:30:00Z 2027-11-07T06:00:00Z 2027-11-07T06:30:00Z 2027-11-07T07:00:00Z",
    );
    check(
        "0 30 1/5 * * ?",
        "America/New_York",
        fold,
        "2027-11-07T05:30:00Z 2027-11-07T06:30:00Z 2027-11-07T11:30:00Z",
    );
    check(
        "30 */1 * * *",
        "America/New_York",
        "2027-11-07T05:40:00Z",
        "2027-11-07T06:30:00Z 2027-11-07T07:30:00Z",
    );
    check(
        "0 45 * * * ?",
        "Australia/Lord_Howe",
        "2027-04-03T14:00:00Z",
        "2027-04-03T14:45:00Z 2027-04-03T15:15:00Z 2027-04-03T16:15:00Z",
    );
}

#[test]
fn the_search_has_a_first_and_a_last_year() {
    check(
        "0 0 0 1 1 ?",
        "UTC",
        "1815-06-18T12:00:00.5Z",
        "1970-01-01T00:00:00Z 1971-01-01T00:00:00Z",
    );
    check("0 0 0 1 1 ?", "UTC", "2198-06-18T12:00:00Z", "2199-01-01T00:00:00Z none");
    check(
        "59 59 23 31 12 ? 2199",
        "America/New_York",
        "2026-01-01T00:00:00Z",
        "2200-01-01T04:59:59Z none",
    );
    for text in ["* * * * * ?", "0 0 1 * * ?"] {
        for name in ["UTC", "Asia/Shanghai", "America/New_York"] {
            assert_eq!(cron(text).next_after(Timestamp::MAX, &zone(name)), None);
            assert!(cron(text).next_after(Timestamp::MIN, &zone(name)).is_some());
        }
    }
}

#[test]
fn a_cron_is_small_and_formats_as_its_text() {
    assert!(size_of::<Cron>() < 150, "{}", size_of::<Cron>());
    let given = cron("  0  0 2 ? * mon-fri ");
    assert_eq!(
        (given.as_str(), given.to_string().as_str()),
        ("0  0 2 ? * mon-fri", given.as_str())
    );
    assert_eq!(given, cron(given.as_str()));
    assert!(given.matches("2026-01-02T02:00:00".parse().unwrap()));
    assert!(!given.matches("2026-01-02T02:00:00.5".parse().unwrap()));
    assert!(!given.matches("2026-01-03T02:00:00".parse().unwrap()));
    assert!(!given.matches("2226-01-03T02:00:00".parse().unwrap()));
}
