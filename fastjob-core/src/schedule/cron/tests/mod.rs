//! Cron tests: the table from Quartz, handwritten rows, and property tests.

mod errors;
mod laws;
mod table;

use jiff::{Timestamp, tz::TimeZone};

use super::Cron;

#[track_caller]
fn cron(text: &str) -> Cron {
    text.parse().unwrap_or_else(|err| panic!("{err}"))
}

#[track_caller]
fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// The first `count` fires after an instant, in UTC; `none` if there are no more.
fn fires(cron: &Cron, zone: &TimeZone, after: Timestamp, count: usize) -> Vec<String> {
    let mut fires = Vec::new();
    let mut at = after;
    while fires.len() < count {
        let Some(next) = cron.next_after(at, zone) else {
            fires.push("none".to_owned());
            break;
        };
        assert!(next > at, "{cron} makes no progress at {at}");
        fires.push(next.to_string());
        at = next;
    }
    fires
}
