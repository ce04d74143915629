//! What deciding about missed fires costs a job, whatever was missed.
//!
//! `cargo bench -p fastjob-core --bench misfire` prints microseconds a call.

use std::{hint::black_box, time::Duration};

use fastjob_core::{
    JobId,
    misfire::{self, MisfireStrategy},
    schedule::{Calendar, Limits, Schedule, Timetable},
};
use jiff::{SignedDuration, Timestamp};

const HOURS: i64 = 3600;
const YEARS: i64 = 366 * 24 * HOURS;

fn main() {
    let from = Timestamp::constant(1_800_000_000, 0);
    let all = MisfireStrategy::FireAll { max: misfire::FIRE_ALL_MOST, window: None };
    for (name, timetable) in timetables() {
        for (gap, seconds) in
            [("4 h", 4 * HOURS), ("5 years", 5 * YEARS), ("170 years", 170 * YEARS)]
        {
            let now = from + SignedDuration::from_secs(seconds);
            let cost = [MisfireStrategy::Skip, MisfireStrategy::FireOnce, all].map(|strategy| {
                micros(|| misfire::plan(strategy, JobId(1), &timetable, from, from, now))
            });
            let [skip, once, all] = cost;
            println!("{name}, {gap}: skip {skip:.1}, fire_once {once:.1}, fire_all {all:.1} µs");
        }
        let next = micros(|| timetable.next_after(from, from));
        let look = micros(|| timetable.look_after(from, from));
        println!("{name}: next_after {next:.1}, look_after {look:.1} µs");
    }
}

fn micros<T>(mut work: impl FnMut() -> T) -> f64 {
    const TIMES: u32 = 20;
    let began = std::time::Instant::now();
    for _ in 0..TIMES {
        black_box(work());
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
}

fn timetables() -> Vec<(&'static str, Timetable)> {
    let cron = |text: &str, zone: &str| {
        Schedule::Cron(text.parse().expect("an expression"), zone.parse().expect("a zone"))
    };
    let rate = |millis| Schedule::FixedRate(Duration::from_millis(millis));
    let minutes: Vec<String> = (0..24).map(|hour| format!("{hour}-{hour}:59")).collect();
    let minutes: Vec<&str> = minutes.iter().map(String::as_str).collect();
    let jitter = |schedule| {
        let limits = Limits { jitter: Duration::from_secs(3600), ..Limits::default() };
        Timetable::new(schedule, limits)
    };
    vec![
        ("rate 1 s", rate(1000).into()),
        ("cron 1 s UTC", cron("* * * * * ?", "UTC").into()),
        ("cron 1 s Shanghai", cron("* * * * * ?", "Asia/Shanghai").into()),
        ("cron 1 s Berlin", cron("* * * * * ?", "Europe/Berlin").into()),
        ("cron daily 02:30 New York", cron("0 30 2 * * ?", "America/New_York").into()),
        ("cron leap day Berlin", cron("0 0 0 29 2 ?", "Europe/Berlin").into()),
        ("cron last working day", cron("0 0 12 LW * ?", "Europe/Berlin").into()),
        ("rate 1 s, jitter 1 h", jitter(rate(1000))),
        ("rate 100 ms, jitter 1 h", jitter(rate(100))),
        (
            "cron 1 s but nights",
            without(
                cron("* * * * * ?", "Europe/Berlin"),
                &["sat..sun"],
                &["20-8"],
                "Europe/Berlin",
            ),
        ),
        (
            "daily on leap Sundays",
            without(cron("0 0 0 * * ?", "UTC"), &["mon..sat", "03-01..02-28"], &[], "UTC"),
        ),
        ("daily, never", without(cron("0 0 3 * * ?", "UTC"), &[], &["2-4"], "UTC")),
        ("drifts into a minute an hour", without(rate(3_600_100), &[], &minutes, "UTC")),
    ]
}

fn without(schedule: Schedule, days: &[&str], hours: &[&str], zone: &str) -> Timetable {
    let days = days.iter().map(|text| text.parse().expect("days")).collect();
    let hours = hours.iter().map(|text| text.parse().expect("hours")).collect();
    let calendar = Calendar::new(days, hours, zone.parse().expect("a zone"));
    let limits = Limits { exclude: Some(calendar.expect("a calendar")), ..Limits::default() };
    Timetable::new(schedule, limits)
}
