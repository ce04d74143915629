//! Property tests: nothing panics, time only advances, and no fire is missed or invented.

use std::ops::RangeInclusive;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};
use proptest::prelude::*;

use super::{cron, zone};
use crate::schedule::{Count, cron::Cron, zone::Zone};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Zones, each with an instant near a clock change.
const CHANGES: &[(&str, &str)] = &[
    ("UTC", "2026-01-01T00:00:00Z"),
    ("Asia/Shanghai", "2026-01-01T00:00:00Z"),
    ("Asia/Shanghai", "1991-09-14T15:00:00Z"),
    ("America/New_York", "2027-03-14T07:00:00Z"),
    ("America/New_York", "2027-11-07T06:00:00Z"),
    ("America/New_York", "2151-03-14T07:00:00Z"),
    ("Europe/London", "2027-03-28T01:00:00Z"),
    ("Europe/London", "2027-10-31T01:00:00Z"),
    ("Europe/Dublin", "2027-10-31T01:00:00Z"),
    ("Australia/Lord_Howe", "2027-04-03T15:00:00Z"),
    ("Australia/Lord_Howe", "2027-10-02T15:30:00Z"),
    ("Africa/Cairo", "2027-04-29T22:00:00Z"),
    ("Africa/Cairo", "2027-10-28T21:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("America/Sao_Paulo", "2018-02-18T02:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
];

/// One field: a star, a step, or a list of values and ranges.
fn field(range: RangeInclusive<u16>) -> BoxedStrategy<String> {
    let value = || range.clone();
    prop_oneof![
        4 => Just("*".to_owned()),
        1 => (1..=*range.end()).prop_map(|step| format!("*/{step}")),
        1 => (value(), 1..=*range.end()).prop_map(|(from, step)| format!("{from}/{step}")),
        1 => (value(), value()).prop_map(|(from, to)| format!("{from}-{to}")),
        1 => (value(), value(), 1..=*range.end()).prop_map(|(a, b, c)| format!("{a}-{b}/{c}")),
        2 => proptest::collection::btree_set(value(), 1..4)
            .prop_map(|set| set.iter().map(u16::to_string).collect::<Vec<_>>().join(",")),
    ]
    .boxed()
}

fn day_of_month() -> BoxedStrategy<String> {
    prop_oneof![
        4 => field(1..=31),
        1 => Just("L".to_owned()),
        1 => Just("LW".to_owned()),
        1 => (0..=30).prop_map(|back| format!("L-{back}")),
        1 => (0..=30).prop_map(|back| format!("L-{back}W")),
        1 => (1..=31).prop_map(|day| format!("{day}W")),
    ]
    .boxed()
}

fn day_of_week() -> BoxedStrategy<String> {
    prop_oneof![
        4 => field(1..=7),
        1 => (1..=7).prop_map(|day| format!("{day}L")),
        1 => (1..=7, 1..=5).prop_map(|(day, nth)| format!("{day}#{nth}")),
        1 => Just("FRI-MON".to_owned()),
    ]
    .boxed()
}

/// Seconds, minutes and hours, chosen so that both few and many fires are likely.
fn times() -> impl Strategy<Value = String> {
    let second = prop_oneof![4 => Just("0".to_owned()), 1 => field(0..=59)];
    let hour = prop_oneof![1 => field(0..=23), 1 => field(0..=3)];
    (second, field(0..=59), hour)
        .prop_map(|(second, minute, hour)| format!("{second} {minute} {hour}"))
}

fn any_quartz() -> BoxedStrategy<Cron> {
    let days = prop_oneof![
        (day_of_month(), field(1..=12)).prop_map(|(day, month)| format!("{day} {month} ?")),
        (field(1..=12), day_of_week()).prop_map(|(month, day)| format!("? {month} {day}")),
        Just("* * *".to_owned()),
    ];
    (times(), days).prop_map(|(times, days)| cron(&format!("{times} {days}"))).boxed()
}

fn any_unix() -> impl Strategy<Value = Cron> {
    (field(0..=59), field(0..=23), field(1..=31), field(1..=12), field(0..=7))
        .prop_map(|(a, b, c, d, e)| cron(&format!("{a} {b} {c} {d} {e}")))
}

fn any_cron() -> impl Strategy<Value = Cron> {
    prop_oneof![2 => any_quartz(), 1 => any_unix()]
}

/// Expressions that fire often, so that a window of hours contains some fires.
fn daily() -> impl Strategy<Value = Cron> {
    times().prop_map(|times| cron(&format!("{times} * * ?")))
}

fn near_a_change() -> impl Strategy<Value = (TimeZone, Timestamp)> {
    (proptest::sample::select(CHANGES), -30 * 3600..30 * 3600_i64, 0..1000_i64).prop_map(
        |((name, at), seconds, millis)| {
            let at: Timestamp = at.parse().unwrap();
            // Half of them are whole seconds.
            let millis = seconds * 1000 + if millis < 500 { 0 } else { millis };
            (zone(name), at + SignedDuration::from_millis(millis))
        },
    )
}

/// All fires of `hours` hours, found by checking each second.
fn by_looking(cron: &Cron, zone: &TimeZone, after: Timestamp, hours: i64) -> Vec<Timestamp> {
    let wall = |second: i64| {
        let at = Timestamp::from_second(second).unwrap();
        (at, zone.to_datetime(at))
    };
    let first = after.as_second();
    // The latest wall time so far. Times between it and the next wall time are skipped.
    let mut shown = (first - 3 * 3600..=first).map(|second| wall(second).1).max().unwrap();
    let mut found = Vec::new();
    for (at, now) in (first + 1..=first + hours * 3600).map(wall) {
        let fires = if cron.every_hour {
            cron.matches(now)
        } else {
            let mut passed = shown.checked_add(SECOND).unwrap();
            let mut fires = false;
            while passed <= now && !fires {
                fires = cron.matches(passed);
                passed = passed.checked_add(SECOND).unwrap();
            }
            fires
        };
        shown = shown.max(now);
        if fires && at > after {
            found.push(at);
        }
    }
    found
}

/// Whether a day matches a Quartz field, directly by its definition.
fn fits(date: Date, day: &str) -> bool {
    let last = date.last_of_month().day();
    let number = |text: &str| text.parse::<i8>().unwrap();
    let near = |day: i8| {
        let target = Date::new(date.year(), date.month(), day).ok()?;
        let distance = |day: &i8| {
            let day = target.with().day(*day).build().unwrap();
            let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
            if weekend { 9 } else { (day.day() - target.day()).abs() }
        };
        (1..=last).min_by_key(distance)
    };
    match day.strip_prefix('L').map(|rest| rest.trim_start_matches('-')) {
        Some("W") => near(last) == Some(date.day()),
        Some("") => date.day() == last,
        Some(back) => match back.strip_suffix('W') {
            Some(back) => near(last - number(back)) == Some(date.day()),
            None => date.day() == last - number(back),
        },
        None => near(number(day.trim_end_matches('W'))) == Some(date.day()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn parsing_never_panics(
        text in prop_oneof![".{0,40}", "[-0-9*/?,#LWlw @A-Z\t]{0,40}", "([0-9*?LW/,#-]{1,4} ){4,7}"]
    ) {
        match text.parse::<Cron>() {
            Ok(cron) => {
                prop_assert_eq!(cron.as_str(), text.trim());
                let _ = cron.next_after(Timestamp::UNIX_EPOCH, &TimeZone::UTC);
            }
            Err(err) => {
                prop_assert_eq!(err.text(), text.as_str());
                prop_assert!(text.get(err.at()).is_some());
                prop_assert_eq!(err.pointer().lines().count(), 2);
                prop_assert!(!err.to_string().contains('\n'));
            }
        }
        let _ = text.parse::<Zone>();
    }

    #[test]
    fn the_next_fire_is_later_and_matches(
        cron in any_cron(),
        (zone, after) in near_a_change(),
        later in 0..100_000_000_i64,
    ) {
        for after in [after, after + SignedDuration::from_secs(later)] {
            let mut at = after;
            for _ in 0..20 {
                let Some(next) = cron.next_after(at, &zone) else { break };
                prop_assert!(at < next);
                // From any instant before the last second of `at`, the same fire is found.
                let between = at + SignedDuration::from_nanos(1);
                prop_assert_eq!(cron.next_after(between.min(next - SECOND).max(at), &zone), Some(next));
                let wall = zone.to_datetime(next);
                let shown = zone.to_datetime(next - SECOND).checked_add(SECOND).unwrap();
                prop_assert!(cron.matches(wall) || (!cron.every_hour && wall > shown));
                at = next;
            }
        }
    }

    #[test]
    fn no_fire_is_missed_or_invented(cron in daily(), (zone, after) in near_a_change()) {
        let expected = by_looking(&cron, &zone, after, 30);
        let mut at = after;
        for fire in expected.into_iter().take(5000) {
            prop_assert_eq!(cron.next_after(at, &zone), Some(fire), "after {}", at);
            at = fire;
        }
    }

    #[test]
    fn the_last_fire_and_the_count_are_those_of_a_walk(
        cron in prop_oneof![any_cron(), daily()],
        (zone, after) in near_a_change(),
        (days, more) in prop_oneof![(0..2_i64, 0..86_400_000_i64), (0..4_000_i64, 0..1_i64)],
    ) {
        let mut until = after + SignedDuration::from_millis(days * 86_400_000 + more);
        let (mut at, mut fires) = (after, Vec::new());
        while let Some(next) = cron.next_after(at, &zone).filter(|next| *next <= until) {
            at = next;
            fires.push(at);
            if fires.len() == 3_000 {
                until = at;
            }
        }
        let last = fires.last().copied();
        prop_assert_eq!(cron.last_between(after, until, &zone), last);
        prop_assert_eq!(cron.count_between(after, until, &zone), Count::exactly(fires.len() as u64));
        // Every fire is the last one up to the next.
        for pair in fires.windows(2).take(50) {
            let before = pair[1] - SignedDuration::from_nanos(1);
            prop_assert_eq!(cron.last_between(after, before, &zone), Some(pair[0]));
            prop_assert_eq!(cron.last_between(pair[0], before, &zone), None);
            prop_assert_eq!(cron.count_between(pair[0], pair[1], &zone), Count::exactly(1));
        }
    }

    #[test]
    fn rare_days_are_neither_missed_nor_invented(
        day in prop_oneof![
            Just("L".to_owned()),
            Just("LW".to_owned()),
            (0..=30).prop_map(|back| format!("L-{back}")),
            (0..=30).prop_map(|back| format!("L-{back}W")),
            (1..=31).prop_map(|day| format!("{day}W")),
        ],
        year in 1970..=2199_i16,
    ) {
        let cron = cron(&format!("0 0 0 {day} * ? {year}"));
        let mut date = Date::new(year, 1, 1).unwrap();
        while date.year() == year {
            let midnight: DateTime = date.into();
            prop_assert_eq!(cron.matches(midnight), fits(date, &day), "{}", date);
            date = date.tomorrow().unwrap();
        }
    }

    #[test]
    fn weekdays_are_those_of_the_calendar(day in 1..=7_i8, nth in 1..=5_i8, year in 1970..=2199_i16) {
        let weekday = Weekday::from_sunday_one_offset(day).unwrap();
        let (nth_one, last) = (cron(&format!("0 0 0 ? * {day}#{nth}")), cron(&format!("0 0 0 ? * {day}L")));
        let each = cron(&format!("0 0 * * {}", day - 1));
        let mut date = Date::new(year, 1, 1).unwrap();
        while date.year() == year {
            let midnight: DateTime = date.into();
            let is = |nth| date.nth_weekday_of_month(nth, weekday).is_ok_and(|found| found == date);
            prop_assert_eq!(nth_one.matches(midnight), is(nth), "{}", date);
            prop_assert_eq!(last.matches(midnight), is(-1), "{}", date);
            prop_assert_eq!(each.matches(midnight), date.weekday() == weekday, "{}", date);
            date = date.tomorrow().unwrap();
        }
    }
}
