//! What users rely on when a machine's clock is wrong.

use std::sync::Arc;

use jiff::SignedDuration;

use super::*;

const HOUR: i64 = 3_600_000;
const SECOND: Duration = Duration::from_secs(1);

/// Reads the clock once a second for this many seconds, as the engines do. Returns the last time.
async fn run(clock: &Clock, seconds: u64) -> Timestamp {
    for _ in 0..seconds {
        tokio::time::advance(SECOND).await;
        clock.now();
    }
    clock.now().wall
}

fn since(start: Timestamp, clock: &Clock) -> SignedDuration {
    clock.now().wall.duration_since(start)
}

/// A heartbeat with the database's clock, which is ahead of the true time by this much.
fn beat(clock: &Clock, truth: Timestamp, ahead: i64) {
    let at = truth + SignedDuration::from_millis(ahead);
    clock.database(at, clock.elapsed(), clock.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_an_hour_that_is_corrected_within_a_minute_has_no_effect() {
    let (clock, machine) = Clock::manual();
    let start = clock.now().wall;
    machine.step(HOUR);
    run(&clock, 50).await;
    assert_eq!(since(start, &clock), SignedDuration::from_secs(50), "it advances with the uptime");
    let hour = SignedDuration::from_hours(1);
    assert_eq!(clock.trouble(), Some(Trouble::Unconfirmed(hour)));
    assert_eq!(clock.settled(), None, "nothing is removed while the clock is uncertain");
    machine.step(-HOUR);
    run(&clock, 50).await;
    assert_eq!(since(start, &clock), SignedDuration::from_secs(100));
    assert_eq!((clock.trouble(), clock.paused_until()), (None, None));
    assert_eq!(clock.settled(), Some(clock.now().wall));
}

#[tokio::test(start_paused = true)]
async fn a_jump_that_lasts_for_a_minute_is_followed() {
    let (clock, machine) = Clock::manual();
    let start = clock.now().wall;
    machine.step(HOUR);
    run(&clock, 59).await;
    assert_eq!(since(start, &clock), SignedDuration::from_secs(59));
    run(&clock, 2).await;
    assert_eq!(since(start, &clock), SignedDuration::from_secs(3_661));
    assert_eq!(clock.trouble(), None);
}

#[tokio::test(start_paused = true)]
async fn a_jump_that_becomes_another_has_to_last_again() {
    let (clock, machine) = Clock::manual();
    let start = clock.now().wall;
    machine.step(HOUR);
    run(&clock, 50).await;
    machine.step(HOUR);
    run(&clock, 50).await;
    assert_eq!(since(start, &clock), SignedDuration::from_secs(100));
    run(&clock, 11).await;
    assert_eq!(since(start, &clock), SignedDuration::from_secs(7_311));
}

#[tokio::test(start_paused = true)]
async fn a_few_seconds_and_a_clock_that_runs_a_little_fast_are_followed_at_once() {
    let (clock, machine) = Clock::manual();
    let start = clock.now().wall;
    machine.step(4_000);
    assert_eq!(since(start, &clock), SignedDuration::from_secs(4));
    for _ in 0..100 {
        machine.step(100);
        run(&clock, 1).await;
    }
    assert_eq!(since(start, &clock), SignedDuration::from_secs(114));
    assert_eq!(clock.trouble(), None);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_was_suspended_follows_its_clock_when_it_resumes() {
    let (clock, machine) = Clock::manual();
    let before = clock.now();
    machine.sleep(Duration::from_secs(3_600));
    assert_eq!(since(before.wall, &clock), SignedDuration::from_hours(1));
    assert_eq!(clock.now().uptime, before.uptime);
    assert_eq!(clock.elapsed(), Duration::from_secs(3_600), "leases went on");
}

#[tokio::test(start_paused = true)]
async fn a_jump_that_the_database_agrees_with_is_followed_at_once() {
    let (clock, machine) = Clock::manual();
    let start = clock.now().wall;
    machine.step(HOUR);
    assert_eq!(clock.now().wall, start);
    beat(&clock, start, HOUR);
    assert_eq!(since(start, &clock), SignedDuration::from_hours(1));
}

#[tokio::test(start_paused = true)]
async fn a_jump_that_the_database_contradicts_is_never_followed() {
    let (clock, machine) = Clock::manual();
    let start = clock.now().wall;
    beat(&clock, start, 0);
    machine.step(HOUR);
    for _ in 0..100 {
        let now = run(&clock, 3).await;
        beat(&clock, now, 0);
    }
    assert_eq!(since(start, &clock), SignedDuration::from_secs(300));
    // Without the database, this machine's clock is compared with its uptime.
    run(&clock, 61).await;
    assert_eq!(since(start, &clock), SignedDuration::from_secs(3_961));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_with_a_clock_ahead_of_the_database_follows_the_database() {
    let manual = Manual::start();
    let clock = Arc::new(Clock::on(Box::new(manual.clone()), Witness::Database));
    let wrong = clock.now().wall;
    assert_eq!(clock.settled(), None, "nothing is removed before the database's clock is known");
    beat(&clock, wrong, -HOUR);
    assert_eq!(since(wrong, &clock), SignedDuration::from_hours(-1));
    run(&clock, 30).await;
    assert_eq!(clock.settled(), None);
    manual.step(-HOUR);
    assert_eq!(since(wrong, &clock), SignedDuration::from_secs(30 - 3_600));
    assert_eq!(clock.trouble(), None);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_is_paused_and_reports_until_when() {
    let (clock, machine) = Clock::manual();
    assert_eq!(clock.paused_until(), None);
    let before = clock.now().wall;
    machine.step(-HOUR);
    run(&clock, 10).await;
    assert_eq!(clock.now().wall, before);
    assert_eq!(clock.paused_until(), Some(before));
    assert_eq!(clock.settled(), None);
    run(&clock, 3_600).await;
    assert_eq!(since(before, &clock), SignedDuration::from_secs(10));
    assert_eq!(clock.paused_until(), None);
}

#[test]
fn a_clock_starts_no_earlier_than_what_is_recorded() {
    let clock = Clock::start(Witness::Uptime);
    assert_eq!(clock.paused_until(), None);
    let ahead = clock.now().wall + SignedDuration::from_hours(1);
    clock.not_before(ahead);
    assert_eq!(clock.now().wall, ahead);
    assert_eq!(clock.paused_until(), Some(ahead));
}
