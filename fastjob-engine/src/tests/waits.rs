//! Waiting attempts are on no executor, follow the current definition of their job, and survive
//! restarts.

use std::{sync::Arc, time::Duration};

use fastjob_core::{
    AttemptId, FailReason, TaskState, attempt::End, context::CHECKPOINT_MAX, wire::MESSAGE_MAX,
};
use tokio::sync::oneshot;

use super::story::Story;
use crate::{
    Command, Condition, Effects, Event, Message, SessionId,
    record::{AlarmKind, Origin},
};

fn with_job(more: &str) -> Story {
    let mut story = Story::begin();
    save(&mut story, more);
    story
}

fn save(story: &mut Story, more: &str) {
    story.save(&format!(r#"{{"name": "m", "handler": "h"{more}}}"#), Origin::Api).unwrap();
}

fn sent(story: &mut Story, session: u64) -> Vec<AttemptId> {
    story.starts(session).iter().map(|start| start.row.attempt).collect()
}

fn is_lost(story: &Story, attempt: AttemptId) -> bool {
    story.reason(attempt) == Some(FailReason::ExecutorLost)
}

/// Coordinator and executor crash together, and both restart.
fn died(story: &Story) -> Story {
    let mut next = Story::resume(story.store.clone(), story.now);
    next.connect("e", "i2", 1, &[]);
    next
}

#[test]
fn an_attempt_that_waits_for_a_place_is_not_lost_with_an_executor_it_was_never_sent_to() {
    let mut story = with_job("");
    story.connect("e", "i1", 1, &[]);
    let [a, b, c] = [(); 3].map(|()| story.start("m"));
    assert_eq!(sent(&mut story, 1), [a, b]);
    story.pass(1_001);
    let mut next = died(&story);
    assert!(is_lost(&next, a) && is_lost(&next, b));
    assert_eq!(sent(&mut next, 1), [c]);
}

#[test]
fn an_attempt_that_waits_for_its_turn_is_not_lost_with_an_executor_it_was_never_sent_to() {
    let mut story = with_job(r#", "block": {"strategy": "serial", "scope": "cluster"}"#);
    story.connect("e", "i1", 1, &[]);
    let [a, b, c] = [(); 3].map(|()| story.start("m"));
    assert_eq!(sent(&mut story, 1), [a]);
    story.pass(1_001);
    let mut next = died(&story);
    next.pass(20_000);
    assert!(is_lost(&next, a));
    assert_eq!(sent(&mut next, 1), [b]);
    next.finish(1, b, End::Succeeded);
    assert_eq!(sent(&mut next, 1), [c]);
}

#[test]
fn a_wait_of_less_than_a_second_writes_no_row() {
    let mut story = with_job("");
    story.connect("e", "i1", 1, &[]);
    let [a, _, c] = [(); 3].map(|()| story.start("m"));
    story.starts(1);
    story.pass(500);
    story.finish(1, a, End::Succeeded);
    assert_eq!(sent(&mut story, 1), [c]);
    story.pass(1_000);
    assert!(story.store.attempts[&c].new.life.is_some());
}

#[test]
fn a_shard_that_waits_for_an_executor_that_drains_runs_elsewhere() {
    let mut story = with_job(r#", "shard": "all""#);
    story.save(r#"{"name": "filler", "handler": "h"}"#, Origin::Api).unwrap();
    story.connect("a", "i1", 1, &[]);
    story.start("filler");
    story.start("filler");
    story.connect("b", "j1", 2, &[]);
    let head = story.start("m");
    let task = story.store.attempts[&head].new.row.task;
    let of_task = |story: &mut Story, session| {
        story.starts(session).iter().filter(|start| start.row.task == task).count()
    };
    assert_eq!(of_task(&mut story, 2), 1, "its own shard");
    story.leave(1, &[]);
    assert_eq!(of_task(&mut story, 2), 1, "and the one of the executor that drains");
}

#[test]
fn waiting_attempts_follow_the_current_definition_of_their_job() {
    let mut story = with_job(r#", "no_executor": "1h""#);
    save(&mut story, r#", "no_executor": "1h", "enabled": true"#);
    story.connect("e", "i1", 1, &[]);
    let json = r#"{"name": "wrong", "handler": "hh", "no_executor": "1h"}"#;
    story.save(json, Origin::Api).unwrap();
    let attempt = story.start("wrong");
    assert!(sent(&mut story, 1).is_empty());
    let json = r#"{"name": "wrong", "handler": "h", "no_executor": "1h"}"#;
    story.save(json, Origin::Api).unwrap();
    assert_eq!(sent(&mut story, 1), [attempt]);
}

#[test]
fn a_less_strict_block_strategy_admits_waiting_attempts() {
    let lane = |strategy, most| {
        format!(
            r#", "block": {{"strategy": "{strategy}", "scope": "cluster", "max_waiting": 9 {most}}}"#
        )
    };
    let mut story = with_job(&lane("serial", ""));
    story.connect_as("e", "i1", 1, &[], |connected| connected.capacity = 9);
    let [a, b, c] = [(); 3].map(|()| story.start("m"));
    assert_eq!(sent(&mut story, 1), [a]);
    save(&mut story, &lane("parallel", r#", "max_running": 2"#));
    assert_eq!(sent(&mut story, 1), [b]);
    save(&mut story, &lane("parallel", r#", "max_running": 3"#));
    assert_eq!(sent(&mut story, 1), [c]);
}

#[test]
fn an_attempt_whose_job_gets_another_handler_before_it_is_sent_runs_where_that_handler_is() {
    let mut story = with_job("");
    story.connect("e", "i1", 1, &[]);
    let [_, _, attempt] = [(); 3].map(|()| story.start("m"));
    story.pass(1_001);
    story.starts(1);
    // A place is free, and the store accepts no writes for a moment.
    story.connect_as("other", "j1", 2, &[], |connected| {
        connected.handlers = Arc::new([("h2".parse().unwrap(), String::new())].into());
    });
    let mut effects = Effects::default();
    let (noted, _wait) = oneshot::channel();
    let mut roomy = story.connected("roomy", "k1", 3, &[]);
    roomy.capacity = 1;
    story.engine.handle(story.now, Event::Connected(Box::new(roomy), noted), &mut effects);
    story.engine.flush(&mut effects);
    let waits: Vec<_> = std::mem::take(&mut effects.commits);
    assert!(waits.iter().any(|(_, commit)| commit.placed.iter().any(|p| p.attempt == attempt)));
    story.save(r#"{"name": "m", "handler": "h2"}"#, Origin::Api).unwrap();
    for (id, commit) in waits {
        story.store.apply(&commit);
        story.tell(Event::Committed(vec![id]));
    }
    let to = |story: &Story, session| {
        let mut starts = story.sent.iter().filter(|(to, _)| *to == SessionId(session));
        starts.any(|(_, message)| matches!(message, Message::Start(_)))
    };
    assert!(!to(&story, 3), "it has no such handler");
    assert!(to(&story, 2));
}

#[test]
fn retries_with_long_checkpoints_fit_into_messages() {
    let mut story = with_job(r#", "retry": {"count": 3, "delay": "1s"}, "no_executor": "1h""#);
    let point: Arc<str> = "x".repeat(CHECKPOINT_MAX).into();
    story.connect_as("e", "i1", 1, &[], |connected| connected.capacity = 1_000);
    let attempts: Vec<_> = (0..300).map(|_| story.start("m")).collect();
    for attempt in &attempts {
        let held = story.held(*attempt);
        story.tell(Event::Checkpoints(SessionId(1), vec![(held, Arc::clone(&point))]));
    }
    story.tell(Event::Disconnected(SessionId(1)));
    story.pass(20_000);
    story.pass(5_000);
    story.sent.clear();
    story.connect_as("e", "i2", 2, &[], |connected| connected.capacity = 1_000);
    story.pass(1);
    let mut all = 0;
    for (_, message) in std::mem::take(&mut story.sent) {
        if let Message::Start(starts) = &message {
            all += starts.len();
            assert!(starts.iter().all(|start| start.checkpoint.is_some()));
            let points = starts.iter().filter_map(|start| start.checkpoint.as_deref());
            let size: usize = points.map(str::len).sum();
            assert!(size <= MESSAGE_MAX / 2, "{size} bytes of checkpoints");
        }
    }
    assert_eq!(all, 300);
}

const ALARMED: &str = r#", "alarms": ["ops"],
    "alarm_when": {"starts_later": "1m", "runs_longer": "1h"}"#;

#[test]
fn a_long_run_raises_an_alarm_even_if_its_executor_reconnects() {
    let mut story = with_job(ALARMED);
    story.connect("e", "i1", 1, &[]);
    let attempt = story.start("m");
    let (held, began) = (story.held(attempt), story.now.wall);
    for session in 1..=4 {
        story.tell(Event::Started(SessionId(session), vec![(held, began)]));
        story.pass(1_000_000);
        story.tell(Event::Disconnected(SessionId(session)));
        story.connect("e", "i1", session + 1, &[attempt.0]);
    }
    let raised: Vec<_> = story.alarms.iter().map(|alarm| alarm.kind).collect();
    assert_eq!(raised, [AlarmKind::RunsLong]);
}

#[test]
fn a_late_start_raises_an_alarm_even_if_the_coordinator_restarts() {
    let mut story = with_job(ALARMED);
    story.connect("e", "i1", 1, &[]);
    let attempt = story.start("m");
    let mut next = Story::resume(story.store.clone(), story.now);
    next.connect("e", "i1", 1, &[attempt.0]);
    next.pass(61_000);
    let raised: Vec<_> = next.alarms.iter().map(|alarm| alarm.kind).collect();
    assert_eq!(raised, [AlarmKind::StartsLate]);
}

#[test]
fn a_stop_that_is_never_confirmed_times_out_even_if_the_executor_keeps_reconnecting() {
    let mut story = with_job("");
    story.connect("e", "i1", 1, &[]);
    let attempt = story.start("m");
    let (answer, _wait) = oneshot::channel();
    let task = fastjob_core::TaskId(attempt.0);
    story.tell(Event::Command(Command::Stop { task, why: None, answer }));
    for session in 1..=9 {
        story.tell(Event::Disconnected(SessionId(session)));
        story.pass(9_000);
        story.connect("e", "i1", session + 1, &[attempt.0]);
    }
    story.pass(60_000);
    assert_eq!(story.task_state(attempt), TaskState::Stopped);
}

#[test]
fn a_start_on_one_executor_keeps_its_result_over_a_restart() {
    let mut story = with_job(r#", "shard": "all""#);
    story.connect("e", "i1", 1, &[]);
    let attempt = story.start_on("m", "e");
    let mut next = Story::resume(story.store.clone(), story.now);
    next.connect("e", "i1", 1, &[attempt.0]);
    next.finish(1, attempt, End::Succeeded);
    let ended = next.store.attempts[&attempt].ended.as_ref().unwrap();
    assert_eq!((ended.task_state, &ended.task_result), (Some(TaskState::Succeeded), &None));
    let job = next.engine.catalog.job(next.store.attempts[&attempt].new.row.job).unwrap();
    assert_eq!(ended.service, Some(job.service.key()), "what has ended says of which service");
}

#[test]
fn an_attempt_that_was_returned_does_not_replace_a_newer_task() {
    let mut story = with_job(r#", "block": {"strategy": "replace_running", "scope": "cluster"}"#);
    story.connect("e", "i1", 1, &[]);
    let older = story.start("m");
    story.tell(Event::Returned(SessionId(1), vec![older]));
    let newer = story.start("m");
    story.pass(1_001);
    assert_eq!(story.task_state(older), TaskState::Stopped);
    assert_eq!(story.task_state(newer), TaskState::Queued);
    assert!(sent(&mut story, 1).contains(&newer));
}

#[test]
fn a_save_right_after_a_takeover_with_many_jobs_loses_no_fire() {
    let mut story = Story::begin();
    for n in 0..4_500 {
        let json =
            format!(r#"{{"name": "j{n}", "handler": "h", "schedule": {{"fixed_rate": "1h"}}}}"#);
        story.save(&json, Origin::Api).unwrap();
    }
    let json = r#"{"name": "m", "handler": "h", "schedule": {"fixed_rate": "1h"}}"#;
    story.save(json, Origin::Api).unwrap();
    let json = r#"{"name": "often", "handler": "h", "schedule": {"fixed_rate": "100ms"}}"#;
    story.save(json, Origin::Api).unwrap();
    story.pass(100);
    // The previous owner has planned up to a second from now.
    let reached = story.store.load().watermark.unwrap();
    let mut next = Story::resume(story.store.clone(), story.now);
    let mut effects = Effects::default();
    next.engine.handle(next.now, Event::Tick, &mut effects);
    let (answer, _wait) = oneshot::channel();
    let job =
        super::story::job(r#"{"name": "m", "handler": "h", "schedule": {"fixed_rate": "100ms"}}"#);
    let mode = crate::SaveMode::Replace;
    let save = Command::Save {
        job: Box::new(job),
        mode,
        origin: Origin::Api,
        condition: Condition::Unconditional,
        answer,
    };
    next.engine.handle(next.now, Event::Command(save), &mut effects);
    next.engine.retire(next.now, &mut effects);
    for (_, commit) in effects.commits {
        next.store.apply(&commit);
    }
    let id = next.engine.catalog.resolve(&"m".parse().unwrap()).unwrap();
    let fires = next.store.attempts.values().filter(|row| row.new.row.job == id).count();
    let wanted = reached.duration_since(next.now.wall).as_millis() / 100;
    assert!(wanted > 5 && fires >= wanted as usize, "{fires} of {wanted} fires are recorded");
}

#[test]
fn a_short_fixed_delay_continues_after_a_fire_beyond_the_limit() {
    let mut story = Story::begin();
    story.save(r#"{"name": "other", "handler": "h"}"#, Origin::Api).unwrap();
    let open = Arc::new(crate::OpenLimit::new(1, 1_000));
    story.limit(crate::Limits { open, ..crate::Limits::default() });
    let other = story.start("other");
    save(&mut story, r#", "schedule": {"fixed_delay": "500ms"}"#);
    for _ in 0..40 {
        story.pass(100);
    }
    story.connect("e", "i1", 1, &[]);
    story.finish(1, other, End::Succeeded);
    story.starts(1);
    for _ in 0..20 {
        story.pass(100);
    }
    assert_eq!(sent(&mut story, 1).len(), 1, "it fires again");
}

#[test]
fn the_wait_of_a_delayed_start_is_not_shortened_by_a_save() {
    let mut story = with_job("");
    story.connect("e", "i1", 1, &[]);
    let attempt = story.start_at("m", crate::When::After(Duration::from_secs(3_600)));
    save(&mut story, r#", "route": "first""#);
    story.pass(60_000);
    assert!(sent(&mut story, 1).is_empty());
    story.pass(3_600_000);
    assert_eq!(sent(&mut story, 1), [attempt]);
}

#[test]
fn an_attempt_that_was_returned_does_not_replace_a_newer_task_after_a_restart_either() {
    let mut story = with_job(r#", "block": {"strategy": "replace_running", "scope": "cluster"}"#);
    story.connect("e", "i1", 1, &[]);
    let older = story.start("m");
    story.tell(Event::Returned(SessionId(1), vec![older]));
    story.pass(10);
    let newer = story.start("m");
    let mut next = Story::resume(story.store.clone(), story.now);
    next.connect("e", "i1", 1, &[newer.0]);
    next.pass(1_001);
    assert_eq!(next.task_state(older), TaskState::Stopped);
    assert_eq!(next.task_state(newer), TaskState::Queued);
}

#[test]
fn a_save_moves_waiting_attempts_in_slices() {
    let mut story = with_job("");
    let json =
        |handler| format!(r#"{{"name": "many", "handler": "{handler}", "no_executor": "1h"}}"#);
    story.save(&json("h2"), Origin::Api).unwrap();
    for _ in 0..2_500 {
        story.start("many");
    }
    let (answer, _wait) = oneshot::channel();
    let (job, mode) = (Box::new(super::story::job(&json("h3"))), crate::SaveMode::Replace);
    let save = Command::Save {
        job,
        mode,
        origin: Origin::Api,
        condition: Condition::Unconditional,
        answer,
    };
    let mut effects = Effects::default();
    story.engine.handle(story.now, Event::Command(save), &mut effects);
    for left in [2_500, 1_500, 500, 0] {
        assert_eq!(story.engine.chores.len(), left);
        story.engine.handle(story.now, Event::Tick, &mut effects);
    }
    story.pass(1);
    story.pass(1);
    assert_eq!(story.engine.attempts.waiting().len(), 2_500);
}
