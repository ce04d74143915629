//! Partitions that another node owned before, or that were restored from a backup.

use fastjob_core::{AttemptId, TaskState, attempt::End};
use jiff::{SignedDuration, Timestamp};

use super::story::Story;
use crate::{Effects, Event, Held, Message, Now, Outcome, SessionId, Switch, record::Origin};

const SERIAL: &str = r#"{"name": "m", "handler": "h", "schedule": {"fixed_rate": "10s"},
    "block": {"strategy": "serial", "scope": "cluster"}}"#;

/// The attempts that were sent so far, with their sessions.
fn sent(story: &Story) -> Vec<(u64, AttemptId)> {
    let starts = story.sent.iter().filter_map(|(to, message)| match message {
        Message::Start(starts) => Some(starts.iter().map(|start| (to.0, start.row.attempt))),
        Message::Stop(_) | Message::Recorded(_) | Message::Close => None,
    });
    starts.flatten().collect()
}

/// The engine of a node whose clock is `millis` milliseconds behind continues.
fn behind(story: &Story, millis: i64) -> Story {
    let wall = story.now.wall - SignedDuration::from_millis(millis);
    Story::resume(story.store.clone(), Now { wall, uptime: std::time::Duration::ZERO })
}

#[test]
fn tasks_of_a_serial_job_do_not_overlap_after_a_takeover_by_a_slower_clock() {
    let mut story = Story::begin();
    story.save(SERIAL, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    story.connect("f", "j1", 2, &[]);
    story.pass(9_000);
    story.pass(1_000);
    let [(session, running)] = sent(&story)[..] else { panic!("{:?}", story.sent) };

    let mut next = behind(&story, 400);
    let held = [running.0];
    let holds = |on| if session == on { &held[..] } else { &[] };
    next.connect("e", "i1", 1, holds(1));
    next.connect("f", "j1", 2, holds(2));
    let second = next.start("m");
    assert!(sent(&next).is_empty(), "{running} still runs");
    next.finish(session, running, End::Succeeded);
    assert_eq!(sent(&next).iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>(), [second]);
}

#[test]
fn a_fire_that_was_not_sent_before_a_takeover_waits_for_its_instant_by_the_new_clock() {
    let mut story = Story::begin();
    let json = r#"{"name": "m", "handler": "h", "schedule": {"fixed_rate": "10s"}}"#;
    story.save(json, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    story.pass(9_500);
    assert!(sent(&story).is_empty(), "it is planned and not due");

    let mut next = behind(&story, 200);
    next.connect("e", "i1", 1, &[]);
    next.pass(699);
    assert!(sent(&next).is_empty(), "sent early");
    next.pass(1);
    assert_eq!(sent(&next).len(), 1);
}

#[test]
fn a_fire_of_a_disabled_job_is_cancelled_once_its_executor_reports_that_it_was_not_sent() {
    let mut story = Story::begin();
    let json = r#"{"name": "m", "handler": "h", "schedule": {"fixed_rate": "10s"}}"#;
    story.save(json, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    story.pass(9_500);
    let mut next = behind(&story, 0);
    next.switch("m", Switch::Off);
    next.connect("e", "i1", 1, &[]);
    next.pass(5_000);
    assert!(sent(&next).is_empty());
    assert!(next.store.attempts.is_empty(), "{:?}", next.store.attempts);
}

#[test]
fn a_short_fixed_delay_continues_after_a_takeover() {
    let mut story = Story::begin();
    let json = r#"{"name": "m", "handler": "h", "schedule": {"fixed_delay": "200ms"}}"#;
    story.save(json, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    story.pass(200);
    let [(_, first)] = sent(&story)[..] else { panic!("{:?}", story.sent) };
    let mut next = behind(&story, 0);
    next.connect("e", "i1", 1, &[first.0]);
    next.pass(50);
    next.finish(1, first, End::Succeeded);
    next.pass(200);
    assert_eq!(sent(&next).len(), 1, "its next fire is before what the others are planned up to");
}

#[test]
fn a_fire_that_was_planned_and_not_sent_before_an_orderly_stop_runs_elsewhere() {
    let mut story = Story::begin();
    let json = r#"{"name": "m", "handler": "h", "schedule": {"fixed_rate": "10s"}}"#;
    story.save(json, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    story.pass(9_500);
    let mut effects = Effects::default();
    story.engine.retire(story.now, &mut effects);
    effects.commits.drain(..).for_each(|(_, commit)| story.store.apply(&commit));
    // The executor is gone as well.
    let mut next = behind(&story, 0);
    next.connect("f", "j1", 1, &[]);
    next.pass(500);
    assert_eq!(sent(&next).len(), 1);
}

/// A story that continues from a backup, with an attempt that is open in the backup and has ended
/// since.
fn with_backup() -> (Story, AttemptId, Held) {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let attempt = story.start("m");
    let held = story.held(attempt);
    let backup = Story::resume(story.store.clone(), story.now);
    story.finish(1, attempt, End::Succeeded);
    (backup, attempt, held)
}

fn outcome(held: Held, at: Timestamp) -> Outcome {
    Outcome {
        attempt: held.attempt,
        created_at: held.created_at,
        end: End::Succeeded,
        result: None,
        message: None,
        started_at: Some(at),
        ended_at: at,
        log_tail: String::new(),
        log_at: 0,
        checkpoint: None,
    }
}

#[test]
fn an_attempt_that_ended_after_the_backup_ends_when_its_executor_repeats_the_outcome() {
    let (mut restored, attempt, held) = with_backup();
    restored.connect("e", "i1", 1, &[]);
    assert_eq!(restored.starts(1).len(), 1, "sent again: the executor remembers it");
    restored.tell(Event::Finished(SessionId(1), vec![outcome(held, restored.now.wall)]));
    assert_eq!(restored.task_state(attempt), TaskState::Succeeded);
}

#[test]
fn an_outcome_from_before_the_restore_does_not_end_another_attempt_with_the_same_id() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    story.pass(1_000);
    let attempt = story.start("m");
    let created_at = story.held(attempt).created_at - SignedDuration::from_secs(1);
    let foreign = Held { attempt, created_at };
    story.tell(Event::Finished(SessionId(1), vec![outcome(foreign, story.now.wall)]));
    assert_eq!(story.task_state(attempt), TaskState::Queued);
    let acknowledged = story.sent.iter().any(|(_, message)| match message {
        Message::Recorded(held) => held.contains(&foreign),
        Message::Start(_) | Message::Stop(_) | Message::Close => false,
    });
    assert!(acknowledged, "the executor forgets it");
}

#[test]
fn ids_that_were_sent_to_an_executor_after_the_backup_are_not_assigned_again() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    let seen = AttemptId(5_000_000);
    story.connect_as("e", "i1", 1, &[], |connected| connected.highest = Some(seen));
    assert!(story.start("m") > seen);
}

#[test]
fn an_implausibly_high_id_that_an_executor_reports_is_ignored() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    let seen = AttemptId(1 << 52);
    story.connect_as("e", "i1", 1, &[], |connected| connected.highest = Some(seen));
    assert!(story.start("m") < AttemptId(1_000_000));
}

#[test]
fn executors_cannot_exhaust_the_ids_by_reporting_ever_higher_ones() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    for session in 1..1_200_u64 {
        let highest = Some(AttemptId(i64::try_from(session).unwrap() * 999_000_000_000));
        story.connect_as("e", &format!("i{session}"), session, &[], |connected| {
            connected.highest = highest;
            connected.handlers = std::sync::Arc::default();
        });
        story.tell(Event::Disconnected(SessionId(session)));
        // The next report is of an id above those that were assigned since.
        story.start("m");
    }
    let started = story.start("m");
    // JSON clients read ids below 2^53 exactly: enough of them are left.
    assert!(started.0 < (1 << 50) + 1_000_000_000, "{started}");
}
