//! A cron expression: the fires of every valid one are in order and stable, and are counted
//! correctly.
#![no_main]

use fastjob_core::schedule::cron::Cron;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use libfuzzer_sys::fuzz_target;

/// Fires that are checked per input.
const FIRES: usize = 20;

fuzz_target!(|text: &str| {
    // Line 1: the expression. Line 2: the zone. Line 3: a Unix time in seconds, up to 2106.
    let (expression, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (zone, second) = rest.split_once('\n').unwrap_or((rest, ""));
    let Ok(cron) = expression.parse::<Cron>() else { return };
    let again: Cron = cron.as_str().parse().expect("its own text parses");
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let second = second.parse::<u32>().unwrap_or(1_800_000_000);
    let after = Timestamp::from_second(i64::from(second)).expect("32 bits are in range");
    let mut fires = Vec::new();
    let mut last = after;
    while fires.len() < FIRES
        && let Some(fire) = cron.next_after(last, &zone)
    {
        assert!(fire > last, "{fire} does not follow {last}");
        assert_eq!(fire.subsec_nanosecond(), 0, "{fire} has a fraction");
        assert_eq!(again.next_after(last, &zone), Some(fire));
        fires.push(fire);
        last = fire;
    }
    let (Some(first), Some(last)) = (fires.first().copied(), fires.last().copied()) else { return };
    // Searching backwards takes a step per month, so skip inputs that span thousands of years.
    if last.duration_since(after) > SignedDuration::from_hours(24 * 4_000) {
        return;
    }
    assert_eq!(cron.last_between(after, last, &zone), Some(last), "after {after}");
    let count = cron.count_between(after, last, &zone);
    let fires = fires.len() as u64;
    assert!(count.number <= fires && (count.at_least || count.number == fires), "{count} of {fires}");
    let before = first - SignedDuration::from_secs(1);
    if before > after {
        assert_eq!(cron.last_between(after, before, &zone), None, "after {after}");
    }
});
