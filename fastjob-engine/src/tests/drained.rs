//! Executors that users drain: they keep what they hold, and get nothing new.

use std::sync::Arc;

use fastjob_core::{AttemptId, FailReason, TaskState, attempt::End};

use super::story::Story;
use crate::{Connected, DrainedSet, Event, GoneWhy, Notice, SessionId, When, record::Origin};

impl Story {
    /// Exactly these executors are drained from now on.
    fn drain(&mut self, executors: &[&str]) {
        let service = Connected::with(SessionId(0)).service;
        let drained = executors.iter().map(|name| (service.clone(), name.parse().unwrap()));
        self.tell(Event::Drained(Arc::new(drained.collect::<DrainedSet>())));
    }

    fn sent_to(&mut self, session: u64) -> Vec<AttemptId> {
        self.starts(session).iter().map(|start| start.row.attempt).collect()
    }
}

fn begin(job: &str) -> Story {
    let mut story = Story::begin();
    story.save(job, Origin::Api).unwrap();
    story
}

const JOB: &str = r#"{"name": "m", "handler": "h"}"#;

#[test]
fn a_drained_executor_keeps_what_it_holds_and_the_others_get_the_rest() {
    let mut story = begin(JOB);
    story.connect("a", "i1", 1, &[]);
    let held = story.start("m");
    assert_eq!(story.sent_to(1), [held]);
    story.drain(&["a"]);
    let waits = story.start("m");
    assert!(story.sent_to(1).is_empty());
    story.connect("b", "j1", 2, &[]);
    assert_eq!(story.sent_to(2), [waits]);
    story.finish(1, held, End::Succeeded);
    assert_eq!(story.task_state(held), TaskState::Succeeded);
    let next = story.start("m");
    assert_eq!(story.sent_to(2), [next], "it has a free place, and gets nothing");
}

#[test]
fn what_waits_is_sent_when_its_executor_is_resumed() {
    let mut story = begin(JOB);
    story.drain(&["a"]);
    story.connect("a", "i1", 1, &[]);
    let attempt = story.start("m");
    assert!(story.sent_to(1).is_empty(), "it connected after it was drained");
    story.drain(&[]);
    assert_eq!(story.sent_to(1), [attempt]);
}

#[test]
fn an_attempt_for_one_executor_waits_for_it() {
    let mut story = begin(r#"{"name": "m", "handler": "h", "no_executor": "5s"}"#);
    story.connect("a", "i1", 1, &[]);
    story.connect("b", "j1", 2, &[]);
    story.drain(&["a"]);
    let waits = story.start_on("m", "a");
    let fails = story.start_on("m", "a");
    assert_eq!((story.sent_to(1), story.sent_to(2)), (vec![], vec![]));
    story.drain(&[]);
    assert_eq!(story.sent_to(1), [waits, fails]);
    story.drain(&["a"]);
    let fails = story.start_on("m", "a");
    story.pass(5_001);
    assert_eq!(story.reason(fails), Some(FailReason::NoExecutor));
    let message = story.store.attempts[&fails].ended.as_ref().and_then(|end| end.message.clone());
    assert!(message.unwrap().starts_with("executor `a` is drained"));
}

#[test]
fn a_drained_executor_stays_drained_over_reconnects_and_restarts() {
    let mut story = begin(JOB);
    story.connect("a", "i1", 1, &[]);
    story.drain(&["a"]);
    story.tell(Event::Disconnected(SessionId(1)));
    story.connect("a", "i1", 2, &[]);
    let attempt = story.start("m");
    assert!(story.sent_to(2).is_empty());
    story.tell(Event::Disconnected(SessionId(2)));
    story.connect("a", "i2", 3, &[]);
    assert!(story.sent_to(3).is_empty());
    assert_eq!(story.task_state(attempt), TaskState::Queued);
}

#[test]
fn a_fire_that_was_planned_for_an_executor_runs_elsewhere_if_that_is_drained_before_it_is_due() {
    let mut story = begin(JOB);
    story.connect("a", "i1", 1, &[]);
    let attempt = story.start_at("m", When::At(story.now.wall + std::time::Duration::from_secs(1)));
    story.connect("b", "j1", 2, &[]);
    story.drain(&["a"]);
    story.pass(1_000);
    assert_eq!(story.sent_to(2), [attempt]);
}

#[test]
fn shards_go_to_the_executors_that_are_not_drained() {
    let mut story = begin(r#"{"name": "m", "handler": "h", "shard": "all"}"#);
    story.connect("a", "i1", 1, &[]);
    story.connect("b", "j1", 2, &[]);
    story.drain(&["a"]);
    story.start("m");
    let sent = std::mem::take(&mut story.sent);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].0, SessionId(2));
}

#[test]
fn a_lost_executor_is_reported_with_what_it_held_and_with_what_failed() {
    let mut story = begin(JOB);
    let retried = r#"{"name": "r", "handler": "h", "retry": {"count": 1}}"#;
    story.save(retried, Origin::Api).unwrap();
    story.connect("a", "i1", 1, &[]);
    let (fails, retries) = (story.start("m"), story.start("r"));
    story.tell(Event::Disconnected(SessionId(1)));
    story.pass(9_999);
    assert_eq!(story.notices, [], "it may reconnect");
    story.pass(2);
    let [
        Notice::Gone { gone, held: 2, first },
        Notice::Ended { failed: 1, retried: 1, first: failed, .. },
    ] = &story.notices[..]
    else {
        panic!("{:?}", story.notices)
    };
    assert_eq!((gone.executor.as_str(), gone.why), ("a", GoneWhy::Disconnected));
    let tasks: Vec<_> = first.iter().map(|(task, job)| (task.0, job.as_str())).collect();
    assert_eq!(tasks, [(fails.0, "default.m"), (retries.0, "default.r")]);
    assert_eq!(failed[0].0.0, fails.0);
}

#[test]
fn an_executor_that_says_goodbye_holds_nothing() {
    let mut story = begin(JOB);
    story.connect("a", "i1", 1, &[]);
    story.leave(1, &[]);
    story.tell(Event::Disconnected(SessionId(1)));
    let [Notice::Gone { gone, held: 0, .. }] = &story.notices[..] else {
        panic!("{:?}", story.notices)
    };
    assert_eq!(gone.why, GoneWhy::Stopped);
}

#[test]
fn a_restarted_executor_is_not_reported_as_lost_while_an_exclusive_attempt_may_run() {
    let mut story = begin(
        r#"{"name": "m", "handler": "h", "block": {"strategy": "serial", "scope": "cluster"}}"#,
    );
    story.connect("a", "i1", 1, &[]);
    story.start("m");
    story.tell(Event::Disconnected(SessionId(1)));
    story.connect("a", "i2", 2, &[]);
    story.pass(10_001);
    let mut held = Vec::new();
    for notice in &story.notices {
        if let Notice::Gone { gone, held: many, .. } = notice {
            assert_eq!((gone.incarnation.as_str(), gone.why), ("i1", GoneWhy::Restarted));
            held.push(*many);
        }
    }
    assert_eq!(held, [0, 1], "when it was replaced, and when it must have stopped");
}
