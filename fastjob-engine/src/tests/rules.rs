//! Tests of single rules of the engine, each as a short story.

use fastjob_core::{AttemptId, FailReason, TaskState, attempt::End};
use tokio::sync::oneshot;

use super::story::Story;
use crate::{
    Beat, Command, Condition, ConnectAnswer, Event, Message, SaveDone, SessionId, Switch,
    record::Origin,
};

const MANUAL: &str = r#"{"name": "m", "handler": "h", "no_executor": "60s"}"#;

#[test]
fn a_task_that_no_executor_can_take_fails_after_the_time_that_its_job_allows() {
    let mut story = Story::begin();
    story.save(MANUAL, Origin::Api).unwrap();
    let attempt = story.start("m");
    story.pass(59_000);
    assert_eq!(story.task_state(attempt), TaskState::Queued);
    story.pass(1_000);
    assert_eq!(story.task_state(attempt), TaskState::Failed);
    assert_eq!(story.reason(attempt), Some(FailReason::NoExecutor));
}

#[test]
fn a_task_waits_for_an_executor_and_is_sent_when_one_connects() {
    let mut story = Story::begin();
    story.save(MANUAL, Origin::Api).unwrap();
    let attempt = story.start("m");
    story.pass(30_000);
    story.connect("e", "i1", 1, &[]);
    assert_eq!(story.starts(1)[0].row.attempt, attempt);
    story.finish(1, attempt, End::Succeeded);
    assert_eq!(story.task_state(attempt), TaskState::Succeeded);
}

#[test]
fn an_executor_is_never_sent_more_than_its_capacity() {
    let mut story = Story::begin();
    story.save(MANUAL, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let attempts: Vec<_> = (0..5).map(|_| story.start("m")).collect();
    assert_eq!(story.starts(1).len(), 2);
    story.finish(1, attempts[0], End::Succeeded);
    let next = story.starts(1);
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].row.attempt, attempts[2]);
}

#[test]
fn an_executor_that_other_engines_have_filled_is_picked_only_if_all_are_full() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h", "route": "first"}"#, Origin::Api).unwrap();
    story.connect("a", "i1", 1, &[]);
    let full = |session| {
        let beat = Beat { running: 1, waiting: 1, ..Beat::default() };
        Event::Beat(SessionId(session), beat)
    };
    story.tell(full(1));
    story.start("m");
    assert_eq!(story.starts(1).len(), 1, "there is no other");
    story.connect("b", "j1", 2, &[]);
    story.start("m");
    assert_eq!(story.starts(2).len(), 1);
    story.tell(full(2));
    story.start("m");
    assert_eq!(story.starts(1).len(), 1, "the first of those that are full");
}

#[test]
fn an_attempt_that_its_executor_never_received_is_sent_again() {
    let mut story = Story::begin();
    story.save(MANUAL, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let (lost, held) = (story.start("m"), story.start("m"));
    story.tell(Event::Disconnected(SessionId(1)));
    story.connect("e", "i1", 2, &[held.0]);
    let again: Vec<_> = story.starts(2).iter().map(|start| start.row.attempt).collect();
    assert_eq!(again, [lost]);
}

#[test]
fn the_attempts_of_an_executor_that_does_not_reconnect_are_lost_and_retried_elsewhere() {
    let mut story = Story::begin();
    story
        .save(r#"{"name": "m", "handler": "h", "retry": {"count": 1, "delay": "1s"}}"#, Origin::Api)
        .unwrap();
    story.connect("a", "i1", 1, &[]);
    let attempt = story.start("m");
    story.connect("b", "j1", 2, &[]);
    story.tell(Event::Disconnected(SessionId(1)));
    story.pass(9_000);
    assert_eq!(story.reason(attempt), None);
    story.pass(1_000);
    assert_eq!(story.reason(attempt), Some(FailReason::ExecutorLost));
    story.pass(1_000);
    let retry = story.starts(2).remove(0);
    assert_eq!((retry.row.number, retry.row.task), (2, fastjob_core::TaskId(attempt.0)));
    // The executor reconnects and still holds the lost attempt, whose late outcome changes nothing.
    story.connect("a", "i1", 3, &[attempt.0]);
    story.finish(3, attempt, End::Succeeded);
    assert_eq!(story.task_state(attempt), TaskState::Running);
    story.finish(2, retry.row.attempt, End::Succeeded);
    assert_eq!(story.task_state(attempt), TaskState::Succeeded);
}

#[test]
fn a_restarted_executor_has_lost_the_attempts_of_its_previous_life() {
    let mut story = Story::begin();
    story.save(MANUAL, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let attempt = story.start("m");
    story.tell(Event::Disconnected(SessionId(1)));
    story.connect("e", "i2", 2, &[]);
    assert_eq!(story.reason(attempt), Some(FailReason::ExecutorLost));
}

#[test]
fn a_second_process_of_the_same_name_is_rejected_while_the_first_is_connected() {
    let mut story = Story::begin();
    story.connect("e", "i1", 1, &[]);
    assert!(matches!(story.connect("e", "i2", 2, &[]), ConnectAnswer::Taken { .. }));
    story.tell(Event::Disconnected(SessionId(1)));
    assert!(matches!(story.connect("e", "i2", 3, &[]), ConnectAnswer::Welcome(_)));
}

#[test]
fn an_outcome_that_was_recorded_before_a_crash_is_acknowledged_after_it() {
    let mut story = Story::begin();
    story.save(MANUAL, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let attempt = story.start("m");
    story.finish(1, attempt, End::Succeeded);
    let mut story = Story::resume(story.store, story.now);
    story.connect("e", "i1", 1, &[attempt.0]);
    story.sent.clear();
    story.finish(1, attempt, End::Succeeded);
    let acknowledged = story.sent.iter().any(
        |(_, message)| matches!(message, Message::Recorded(held) if held[0].attempt == attempt),
    );
    assert!(acknowledged, "{:?}", story.sent);
}

#[test]
fn an_executor_that_stops_returns_the_attempts_that_it_never_entered() {
    let mut story = Story::begin();
    story.save(MANUAL, Origin::Api).unwrap();
    story.connect("a", "i1", 1, &[]);
    let attempt = story.start("m");
    story.connect("b", "j1", 2, &[]);
    let (answer, mut noted) = oneshot::channel();
    story.tell(Event::Leaving(SessionId(1), vec![attempt], answer));
    assert!(noted.try_recv().is_ok());
    assert_eq!(story.starts(2)[0].row.attempt, attempt);
}

#[test]
fn a_stop_ends_a_waiting_task_at_once_and_is_sent_to_the_executor_of_a_running_one() {
    let mut story = Story::begin();
    story.save(MANUAL, Origin::Api).unwrap();
    let waiting = story.start("m");
    let stop = |story: &mut Story, attempt: AttemptId| {
        let (answer, mut wait) = oneshot::channel();
        let task = fastjob_core::TaskId(attempt.0);
        story.tell(Event::Command(Command::Stop { task, why: None, answer }));
        wait.try_recv().unwrap()
    };
    assert_eq!(stop(&mut story, waiting), Some(TaskState::Stopped));
    story.connect("e", "i1", 1, &[]);
    let running = story.start("m");
    assert_eq!(stop(&mut story, running), Some(TaskState::Stopping));
    let asked =
        story.sent.iter().any(|(_, m)| matches!(m, Message::Stop(a) if a[0].attempt == running));
    assert!(asked);
    story.finish(1, running, End::Failed(FailReason::Error));
    assert_eq!(story.task_state(running), TaskState::Stopped);
    assert_eq!(stop(&mut story, running), None);
}

#[test]
fn a_fixed_delay_counts_from_the_end_of_the_last_task_also_after_a_restart() {
    let mut story = Story::begin();
    story
        .save(r#"{"name": "d", "handler": "h", "schedule": {"fixed_delay": "5s"}}"#, Origin::Api)
        .unwrap();
    story.connect("e", "i1", 1, &[]);
    story.pass(5_000);
    let first = story.starts(1).remove(0).row.attempt;
    story.pass(7_000);
    assert!(story.starts(1).is_empty(), "it fired while the last task ran");
    story.finish(1, first, End::Succeeded);
    let mut story = Story::resume(story.store, story.now);
    story.connect("e", "i1", 2, &[]);
    story.pass(4_900);
    assert!(story.starts(2).is_empty());
    story.pass(100);
    assert_eq!(story.starts(2).len(), 1);
}

#[test]
fn nothing_fires_after_a_disable_and_an_enable_restarts_the_interval() {
    let mut story = Story::begin();
    story
        .save(r#"{"name": "r", "handler": "h", "schedule": {"fixed_rate": "1s"}}"#, Origin::Api)
        .unwrap();
    story.connect("e", "i1", 1, &[]);
    story.pass(500);
    let mut switch = |to| {
        let (answer, mut wait) = oneshot::channel();
        let job = "r".parse().unwrap();
        story.tell(Event::Command(Command::Switch {
            job,
            to,
            condition: Condition::Unconditional,
            answer,
        }));
        wait.try_recv().unwrap().unwrap();
        story.pass(3_000);
        story.starts(1).len()
    };
    assert_eq!(switch(Switch::Off), 0);
    // There are three fires, and the executor has two places.
    assert_eq!(switch(Switch::On), 2);
}

#[test]
fn a_declared_job_follows_the_code_until_a_user_changes_it_and_stays_deleted() {
    let mut story = Story::begin();
    let (a, b) =
        (r#"{"name": "c", "handler": "h"}"#, r#"{"name": "c", "handler": "h", "timeout": "5s"}"#);
    assert_eq!(story.save(a, Origin::Code).unwrap().0, SaveDone::Created);
    assert_eq!(story.save(a, Origin::Code).unwrap().0, SaveDone::Unchanged);
    assert_eq!(story.save(b, Origin::Code).unwrap().0, SaveDone::Updated);
    assert_eq!(story.save(a, Origin::Api).unwrap().0, SaveDone::Updated);
    assert_eq!(story.save(b, Origin::Code).unwrap().0, SaveDone::Unchanged);
    let (answer, mut wait) = oneshot::channel();
    story.tell(Event::Command(Command::Delete {
        job: "c".parse().unwrap(),
        only: None,
        condition: Condition::Unconditional,
        answer,
    }));
    wait.try_recv().unwrap().unwrap();
    let (done, row) = story.save(b, Origin::Code).unwrap();
    assert!(done == SaveDone::Unchanged && row.deleted_at.is_some());
    let mut story = Story::resume(story.store, story.now);
    assert_eq!(story.save(b, Origin::Code).unwrap().0, SaveDone::Unchanged);
    assert_eq!(story.save(b, Origin::Api).unwrap().0, SaveDone::Created);
}

#[test]
fn a_retry_waits_for_an_executor_as_long_as_its_job_allows() {
    let mut story = Story::begin();
    let job = r#"{"name": "m", "handler": "h", "no_executor": "60s",
        "retry": {"count": 1, "delay": "1s"}}"#;
    story.save(job, Origin::Api).unwrap();
    let attempt = story.start("m");
    story.pass(50_000);
    story.connect("e", "i1", 1, &[]);
    assert_eq!(story.starts(1).len(), 1);
    story.tell(Event::Disconnected(SessionId(1)));
    story.pass(10_000);
    assert_eq!(story.reason(attempt), Some(FailReason::ExecutorLost));
    story.pass(30_000);
    assert_eq!(story.task_state(attempt), TaskState::Running);
    story.connect("e", "i2", 2, &[]);
    assert_eq!(story.starts(2).len(), 1);
}

#[test]
fn a_failed_task_whose_retry_is_skipped_ends_as_failed() {
    let mut story = Story::begin();
    let job = r#"{"name": "m", "handler": "h", "block": {"strategy": "skip_new", "scope": "cluster"},
        "retry": {"count": 1, "delay": "5s"}}"#;
    story.save(job, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let failing = story.start("m");
    story.finish(1, failing, End::Failed(FailReason::Error));
    assert_eq!(story.task_state(failing), TaskState::Running, "it will be retried");
    story.starts(1);
    story.start("m");
    assert_eq!(story.starts(1).len(), 1);
    story.pass(10_000);
    assert_eq!(story.task_state(failing), TaskState::Failed);
}

#[test]
fn a_task_that_waits_for_figures_is_sent_when_a_heartbeat_reports_them() {
    let mut story = Story::begin();
    let job = r#"{"name": "m", "handler": "h", "shard": {"dynamic": "memory_free > 2GiB"}}"#;
    story.save(job, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    story.start("m");
    assert!(story.starts(1).is_empty(), "it has not reported figures yet");
    let beat = Beat { memory_free: 4 << 30, memory_total: 8 << 30, ..Beat::default() };
    story.tell(Event::Beat(SessionId(1), beat));
    story.pass(0);
    assert_eq!(story.starts(1).len(), 1);
}
