use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Calendar, DAYS_MOST, Days, HOURS_MOST, Hours, InvalidCalendar};
use crate::schedule::Zone;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn calendar(days: &[&str], hours: &[&str], zone: &str) -> Calendar {
    let days = days.iter().map(|text| text.parse().unwrap()).collect();
    let hours = hours.iter().map(|text| text.parse().unwrap()).collect();
    Calendar::new(days, hours, zone.parse().unwrap()).unwrap()
}

#[test]
fn days_are_parsed_and_formatted_in_short_form() {
    for (text, shown) in [
        ("2026-12-25", "2026-12-25"),
        ("2026-12-24..2026-12-26", "2026-12-24..2026-12-26"),
        ("2026-12-24 .. 2026-12-26", "2026-12-24..2026-12-26"),
        ("12-25", "12-25"),
        ("02-29", "02-29"),
        ("12-24..01-02", "12-24..01-02"),
        ("sat", "sat"),
        ("Sunday", "sun"),
        ("sat..sun", "sat..sun"),
        ("FRI..mon", "fri..mon"),
        (" 12-25 ", "12-25"),
    ] {
        let days: Days = text.parse().unwrap();
        assert_eq!(days.to_string(), shown);
        assert_eq!(shown.parse::<Days>().unwrap(), days);
    }
}

#[test]
fn an_invalid_day_is_rejected_with_the_valid_forms() {
    for (text, because) in [
        ("", "is not a day; write"),
        ("christmas", "is not a day; write"),
        ("2026-2-3", "is not a day; write"),
        ("2026-02-29", "is not a day; write"),
        ("02-30", "is not a day; write"),
        ("13-01", "is not a day; write"),
        ("2026-12-25-01", "is not a day; write"),
        ("2026-12-25T08:00", "is not a day; write"),
        ("+026-12-25", "is not a day; write"),
        ("sat..", "is not a day; write"),
        ("sat..sun..mon", "is not a day; write"),
        ("2026-12-24..12-26", "joins two kinds"),
        ("12-24..sat", "joins two kinds"),
        ("2026-12-26..2026-12-24", "ends before it begins"),
        ("1969-12-31", "not between the years"),
        ("2026-01-01..2200-01-01", "not between the years"),
    ] {
        let err = text.parse::<Days>().expect_err(text).to_string();
        assert!(err.contains(because) && err.contains(&format!("`{text}`")), "{err}");
    }
    let long = "é".repeat(1000);
    assert!(long.parse::<Days>().unwrap_err().to_string().len() < 300);
}

#[test]
fn hours_are_parsed_and_formatted_in_short_form() {
    for (text, shown) in [
        ("22-6", "22-6"),
        ("22:00-06:00", "22-6"),
        ("12-13:30", "12-13:30"),
        ("12:00-13:30", "12-13:30"),
        ("18-24", "18-24"),
        ("18-0", "18-24"),
        ("0-24", "0-24"),
        ("0:05-0:06", "0:05-0:06"),
        ("9 - 10", "9-10"),
    ] {
        let hours: Hours = text.parse().unwrap();
        assert_eq!(hours.to_string(), shown);
        assert_eq!(shown.parse::<Hours>().unwrap(), hours);
    }
    for text in ["", "22", "22-25", "24-6", "12-13:60", "12-13:5", "-", "a-b", "1-2-3", "12.5-13"] {
        let err = text.parse::<Hours>().expect_err(text).to_string();
        assert!(err.contains("is not a span of hours; write"), "{err}");
    }
    let err = "6-6".parse::<Hours>().unwrap_err().to_string();
    assert!(err.contains("begins where it ends"), "{err}");
}

#[test]
fn a_calendar_that_excludes_everything_or_is_too_long_is_rejected() {
    #[track_caller]
    fn check(days: &[&str], hours: &[&str], because: InvalidCalendar) {
        let days = days.iter().map(|text| text.parse().unwrap()).collect();
        let hours = hours.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(Calendar::new(days, hours, Zone::default()), Err(because));
    }
    check(&["mon..sun"], &[], InvalidCalendar::EveryDay);
    check(&["mon..thu", "sun", "fri..sat"], &[], InvalidCalendar::EveryDay);
    check(&["01-01..12-31"], &[], InvalidCalendar::EveryDay);
    check(&["07-01..06-30"], &[], InvalidCalendar::EveryDay);
    check(&[], &["0-24"], InvalidCalendar::EveryHour);
    check(&[], &["22-6", "6-14", "13:59-22"], InvalidCalendar::EveryHour);
    check(&["12-25"; DAYS_MOST + 1], &[], InvalidCalendar::TooManyDays(DAYS_MOST + 1));
    check(&[], &["1-2"; HOURS_MOST + 1], InvalidCalendar::TooManyHours(HOURS_MOST + 1));
}

#[test]
fn the_end_of_a_span_is_found() {
    #[track_caller]
    fn check(calendar: &Calendar, from: &str, opens: &str) {
        let (from, opens) = (at(from), at(opens));
        assert_eq!(calendar.open_from(from), Some(opens));
        assert_eq!(calendar.excludes(from), from != opens);
        let since = calendar.closed_since(opens - SignedDuration::from_nanos(1));
        assert!(from == opens || since.is_some_and(|since| since <= from), "{since:?}");
    }
    let nights = calendar(&[], &["22-6"], "Europe/Berlin");
    check(&nights, "2026-06-01T21:59:59.999+02:00", "2026-06-01T21:59:59.999+02:00");
    check(&nights, "2026-06-01T22:00:00+02:00", "2026-06-02T06:00:00+02:00");
    check(&nights, "2026-06-02T05:59:59.999+02:00", "2026-06-02T06:00:00+02:00");
    check(&nights, "2026-06-02T06:00:00+02:00", "2026-06-02T06:00:00+02:00");
    // A night of seven hours and one of nine.
    check(&nights, "2026-03-28T22:00:00+01:00", "2026-03-29T06:00:00+02:00");
    check(&nights, "2026-10-24T22:00:00+02:00", "2026-10-25T06:00:00+01:00");

    // 02:30 does not exist on that day: the clock goes from 02:00 to 03:00.
    let gap = calendar(&[], &["1-2:30"], "Europe/Berlin");
    check(&gap, "2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00");
    let in_gap = calendar(&[], &["2-3"], "Europe/Berlin");
    check(&in_gap, "2026-03-29T01:59:59+01:00", "2026-03-29T01:59:59+01:00");
    check(&in_gap, "2026-03-29T03:00:00+02:00", "2026-03-29T03:00:00+02:00");
    let over_gap = calendar(&[], &["1:30-3:15"], "Europe/Berlin");
    check(&over_gap, "2026-03-29T01:30:00+01:00", "2026-03-29T03:15:00+02:00");

    // 02:00 to 03:00 occurs twice, and both are excluded.
    let fold = calendar(&[], &["1-2:30"], "Europe/Berlin");
    check(&fold, "2026-10-25T01:00:00+02:00", "2026-10-25T02:30:00+02:00");
    check(&fold, "2026-10-25T02:59:59+02:00", "2026-10-25T02:59:59+02:00");
    check(&fold, "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00");
    // The clock goes back out of a span and enters it once more.
    let back = calendar(&[], &["2:30-4"], "Europe/Berlin");
    check(&back, "2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00");
    check(&back, "2026-10-25T02:30:00+01:00", "2026-10-25T04:00:00+01:00");

    let days = calendar(&["2026-12-24..2026-12-26", "12-31..01-01", "sun"], &["0-1"], "UTC");
    check(&days, "2026-12-24T00:00:00Z", "2026-12-28T01:00:00Z");
    check(&days, "2030-12-31T05:00:00Z", "2031-01-02T01:00:00Z");
    check(&days, "2026-12-30T00:59:00Z", "2026-12-30T01:00:00Z");

    // Samoa skipped 30 December 2011.
    let apia = calendar(&["2011-12-29..2011-12-30"], &[], "Pacific/Apia");
    check(&apia, "2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00");
    // There is no midnight in Cairo on that day: it begins at 01:00.
    let cairo = calendar(&["2026-04-23"], &[], "Africa/Cairo");
    check(&cairo, "2026-04-23T12:00:00+02:00", "2026-04-24T01:00:00+03:00");
    let decades = calendar(&["2026-01-01..2199-12-31"], &[], "America/New_York");
    check(&decades, "2026-01-01T00:00:00-05:00", "2200-01-01T00:00:00-05:00");
}

/// Zones, each with an instant near a clock change.
const CHANGES: &[(&str, &str)] = &[
    ("UTC", "2026-03-01T00:00:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2151-03-14T07:00:00Z"),
    ("Australia/Lord_Howe", "2027-04-03T15:00:00Z"),
    ("Australia/Lord_Howe", "2027-10-02T15:30:00Z"),
    ("Africa/Cairo", "2027-04-29T22:00:00Z"),
    ("Africa/Cairo", "2027-10-28T21:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn parsing_never_panics_and_formatting_round_trips(
        text in prop_oneof![".{0,40}", "[-0-9:. a-u]{0,24}", "[0-9]{1,2}(:[0-9]{2})?-[0-9]{1,2}"]
    ) {
        if let Ok(days) = text.parse::<Days>() {
            prop_assert_eq!(days.to_string().parse(), Ok(days));
        }
        if let Ok(hours) = text.parse::<Hours>() {
            prop_assert_eq!(hours.to_string().parse(), Ok(hours));
        }
    }

    #[test]
    fn a_span_ends_at_the_first_minute_that_is_open_and_begins_after_the_last(
        (zone, change) in proptest::sample::select(CHANGES),
        back in 0..48 * 60_i64,
        spans in proptest::collection::vec((0..288_u16, 1..200_u16), 0..3),
        days in proptest::collection::vec((-2..3_i64, 0..2_i64), 0..2),
        weekday in proptest::option::of(proptest::sample::select(vec!["mon", "sat..sun", "thu"])),
    ) {
        let zone: Zone = zone.parse().unwrap();
        let change = at(change);
        let date = |days: i64| {
            zone.time_zone().to_datetime(change + SignedDuration::from_hours(24 * days)).date()
        };
        let clock = |at: u16| format!("{}:{:02}", at / 60, at % 60);
        // In steps of five minutes. Spans that begin in the evening end in the morning.
        let hours: Vec<(u16, u16)> =
            spans.iter().map(|(from, long)| (from * 5, (from + long) * 5 % 1440)).collect();
        let hours_read: Vec<Hours> = hours
            .iter()
            .map(|(from, until)| format!("{}-{}", clock(*from), clock(*until)).parse().unwrap())
            .collect();
        let mut days_read: Vec<Days> = days
            .iter()
            .map(|(from, long)| format!("{}..{}", date(*from), date(from + long)).parse().unwrap())
            .collect();
        days_read.extend(weekday.map(|text| text.parse::<Days>().unwrap()));
        let calendar = match Calendar::new(days_read, hours_read, zone.clone()) {
            Ok(calendar) => calendar,
            Err(err) => {
                prop_assert_eq!(err, InvalidCalendar::EveryHour);
                return Ok(());
            }
        };
        // An independent implementation, directly by the definition of the entries.
        let left_out = |at: Timestamp| {
            let wall = zone.time_zone().to_datetime(at);
            let minute = u16::try_from(i16::from(wall.hour()) * 60 + i16::from(wall.minute())).unwrap();
            hours.iter().any(|(from, until)| {
                if *until == 0 { minute >= *from }
                else if until < from { minute >= *from || minute < *until }
                else { (*from..*until).contains(&minute) }
            }) || days.iter().any(|(from, long)| {
                (date(*from)..=date(from + long)).contains(&wall.date())
            }) || match weekday {
                Some("mon") => wall.date().weekday() == jiff::civil::Weekday::Monday,
                Some("thu") => wall.date().weekday() == jiff::civil::Weekday::Thursday,
                Some(_) => wall.date().weekday().to_monday_zero_offset() >= 5,
                None => false,
            }
        };
        let from = change - SignedDuration::from_mins(back);
        let mut opens = from;
        while left_out(opens) {
            opens += SignedDuration::from_mins(1);
        }
        prop_assert_eq!(calendar.open_from(from), Some(opens));
        prop_assert_eq!(calendar.excludes(from), left_out(from));

        let minute = SignedDuration::from_mins(1);
        let mut closed = from;
        while left_out(closed) && left_out(closed - minute) {
            closed -= minute;
        }
        prop_assert_eq!(calendar.closed_since(from), left_out(from).then_some(closed));
        let until = opens + SignedDuration::from_hours(60);
        let closes = calendar.open_until(opens, until);
        prop_assert!(opens < closes && closes <= until);
        while opens < closes {
            prop_assert!(!left_out(opens), "{} before {}", opens, closes);
            opens += minute;
        }
    }
}
