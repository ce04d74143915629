//! Compares with the `cron` crate, in UTC and for the expressions that it supports.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use fastjob_core::schedule::cron::Cron;
use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

fn field(first: u16, last: u16) -> BoxedStrategy<String> {
    let value = first..=last;
    prop_oneof![
        4 => Just("*".to_owned()),
        1 => (1..=last).prop_map(|step| format!("*/{step}")),
        1 => (value.clone(), 1..=last).prop_map(|(from, step)| format!("{from}/{step}")),
        1 => (value.clone(), value.clone()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (value.clone(), value.clone(), 1..=last)
            .prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
        2 => proptest::collection::btree_set(value, 1..4)
            .prop_map(|set| set.iter().map(u16::to_string).collect::<Vec<_>>().join(",")),
    ]
    .boxed()
}

fn expression() -> impl Strategy<Value = String> {
    let times = (field(0, 59), field(0, 59), field(0, 23));
    let days = prop_oneof![
        (field(1, 31), field(1, 12)).prop_map(|(day, month)| format!("{day} {month} ?")),
        (field(1, 12), field(1, 7)).prop_map(|(month, day)| format!("? {month} {day}")),
    ];
    let years = prop_oneof![Just(""), Just(" *"), Just(" 2026-2030"), Just(" 2027/3")];
    (times, days, years).prop_map(|((s, m, h), days, years)| format!("{s} {m} {h} {days}{years}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_cron_crate_agrees(text in expression(), after in 0..2_500_000_000_i64) {
        let Ok(oracle) = cron::Schedule::from_str(&text) else {
            return Err(TestCaseError::reject("not supported by the cron crate"));
        };
        let ours = Cron::from_str(&text).unwrap();
        let mut at = Timestamp::from_second(after).unwrap();
        let start: DateTime<Utc> = DateTime::from_timestamp(after, 0).unwrap();
        for expected in oracle.after(&start).take(10) {
            if expected.timestamp() > 4_102_444_800 { break; } // 2100: its last year
            let found = ours.next_after(at, &TimeZone::UTC);
            prop_assert_eq!(found.map(Timestamp::as_second), Some(expected.timestamp()), "{}", text);
            at = found.unwrap();
        }
    }
}
