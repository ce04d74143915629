//! Executors that drain: everything that is sent to them runs on other executors.

use std::time::Duration;

use fastjob_core::{FailReason, TaskState, attempt::End};

use super::story::Story;
use crate::{Event, SessionId, record::Origin};

/// Two executors; the first was sent an attempt.
fn two() -> (Story, fastjob_core::AttemptId) {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    story.connect("a", "i1", 1, &[]);
    let attempt = story.start("m");
    assert_eq!(story.starts(1).len(), 1);
    story.connect("b", "j1", 2, &[]);
    (story, attempt)
}

#[test]
fn an_attempt_that_arrives_while_its_executor_drains_runs_elsewhere() {
    let (mut story, attempt) = two();
    // It started to drain before the start arrived, so it returns the attempt.
    story.leave(1, &[]);
    story.tell(Event::Returned(SessionId(1), vec![attempt]));
    assert_eq!(
        story.starts(2).iter().map(|start| start.row.attempt).collect::<Vec<_>>(),
        [attempt]
    );
    story.tell(Event::Disconnected(SessionId(1)));
    story.finish(2, attempt, End::Succeeded);
    assert_eq!(story.task_state(attempt), TaskState::Succeeded);
}

#[test]
fn a_coordinator_sends_nothing_to_an_executor_that_connects_while_it_drains() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    story.connect_as("a", "i1", 1, &[], |connected| connected.leaving = true);
    let attempt = story.start("m");
    assert!(story.starts(1).is_empty());
    story.connect("b", "j1", 2, &[]);
    assert_eq!(
        story.starts(2).iter().map(|start| start.row.attempt).collect::<Vec<_>>(),
        [attempt]
    );
}

#[test]
fn an_executor_whose_stream_breaks_while_it_drains_can_reconnect_and_report() {
    let (mut story, attempt) = two();
    story.leave(1, &[]);
    story.tell(Event::Disconnected(SessionId(1)));
    story.pass(5_000);
    assert_eq!(story.task_state(attempt), TaskState::Queued, "it still runs and may reconnect");
    story.connect_as("a", "i1", 3, &[attempt.0], |connected| connected.leaving = true);
    story.finish(3, attempt, End::Succeeded);
    assert_eq!(story.task_state(attempt), TaskState::Succeeded);
}

#[test]
fn an_executor_killed_while_it_drains_is_lost_after_the_usual_timeout() {
    let (mut story, attempt) = two();
    story.leave(1, &[]);
    story.tell(Event::Disconnected(SessionId(1)));
    story.pass(10_001);
    assert_eq!(story.reason(attempt), Some(FailReason::ExecutorLost));
}

#[test]
fn an_attempt_that_an_executor_returns_without_draining_is_not_sent_back_at_once() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    story.connect("a", "i1", 1, &[]);
    let attempt = story.start("m");
    assert_eq!(story.starts(1).len(), 1);
    story.tell(Event::Returned(SessionId(1), vec![attempt]));
    assert!(story.starts(1).is_empty());
    story.pass(i64::try_from(Duration::from_secs(1).as_millis()).unwrap());
    assert_eq!(story.starts(1).len(), 1);
}

#[test]
fn an_executor_that_drains_is_answered_when_the_attempts_it_returned_are_recorded() {
    let (mut story, attempt) = two();
    let (noted, mut wait) = tokio::sync::oneshot::channel();
    let mut effects = crate::Effects::default();
    let event = Event::Leaving(SessionId(1), vec![attempt], noted);
    story.engine.handle(story.now, event, &mut effects);
    story.engine.flush(&mut effects);
    assert!(effects.answers.is_empty() && wait.try_recv().is_err());
    for (id, commit) in effects.commits {
        assert!(commit.placed.iter().any(|placed| placed.attempt == attempt));
        story.store.apply(&commit);
        story.tell(Event::Committed(vec![id]));
    }
    wait.try_recv().expect("it is recorded");
}
