//! What a queued task waits for is said in words.

use std::sync::Arc;

use fastjob_core::{AttemptId, FailReason, TaskId, attempt::End};
use tokio::sync::oneshot;

use super::story::Story;
use crate::{Command, Event, When, record::Origin};

fn reason(story: &mut Story, attempt: AttemptId) -> Option<String> {
    let (answer, mut wait) = oneshot::channel();
    let tasks = vec![TaskId(attempt.0)];
    story.tell(Event::Command(Command::Live { tasks, answer }));
    let live = wait.try_recv().unwrap();
    live[0].attempts.iter().find(|at| at.attempt == attempt)?.waits_for.clone()
}

fn says(story: &mut Story, attempt: AttemptId, expected: &str) {
    assert_eq!(reason(story, attempt).as_deref(), Some(expected));
}

#[test]
fn a_task_says_which_executor_it_waits_for() {
    let mut story = Story::begin();
    let json = r#"{"name": "m", "handler": "h", "no_executor": "5m"}"#;
    story.save(json, Origin::Api).unwrap();
    let a = story.start("m");
    let says_none = "no executor of `default` with handler `h` is connected; it fails in 5m";
    says(&mut story, a, says_none);
    story.connect_as("other", "j1", 9, &[], |connected| {
        connected.handlers = Arc::new([("h2".parse().unwrap(), String::new())].into());
    });
    says(&mut story, a, says_none);
    story.pass(60_000);
    story.connect_as("e", "i1", 1, &[], |connected| connected.capacity = 1);
    says(&mut story, a, "its turn on executor `e`, which has received it");
    let b = story.start("m");
    says(
        &mut story,
        b,
        "the only executor with handler `h` is full or not eligible; it fails in 5m",
    );
    let c = story.start_on("m", "e");
    says(&mut story, c, "executor `e`, which is full: it holds 1; it fails in 5m");
    let d = story.start_on("m", "other");
    says(&mut story, d, "executor `other`, which has no handler `h`; it fails in 5m");
    let f = story.start_on("m", "nobody");
    says(&mut story, f, "executor `nobody` of service `default`, which is unknown; it fails in 5m");
    story.leave(1, &[]);
    says(&mut story, b, "the only executor with handler `h` drains; it fails in 5m");
    story.tell(Event::Disconnected(crate::SessionId(1)));
    says(&mut story, a, "executor `e` to reconnect: it may have started the attempt");
}

#[test]
fn a_task_says_what_runs_before_its_turn_and_how_many_wait() {
    let mut story = Story::begin();
    let json = r#"{"name": "m", "handler": "h",
        "block": {"strategy": "serial", "scope": "cluster"}}"#;
    story.save(json, Origin::Api).unwrap();
    story.connect_as("e", "i1", 1, &[], |connected| connected.capacity = 9);
    let [a, b, c] = [(); 3].map(|()| story.start("m"));
    says(&mut story, b, &format!("its turn: task {} runs", a.0));
    says(&mut story, c, &format!("its turn: task {} runs, 1 waits before it", a.0));
    let held = story.held(a);
    let at = story.now.wall;
    story.tell(Event::Started(crate::SessionId(1), vec![(held, at)]));
    assert_eq!(reason(&mut story, a), None);
    story.finish(1, a, End::Succeeded);
    let json = r#"{"name": "p", "handler": "h",
        "block": {"strategy": "parallel", "scope": "cluster", "max_running": 2}}"#;
    story.save(json, Origin::Api).unwrap();
    let [.., third] = [(); 3].map(|()| story.start("p"));
    says(&mut story, third, "its turn: 2 of 2 run");
}

#[test]
fn a_delayed_task_and_a_retry_say_when_they_are_due() {
    let mut story = Story::begin();
    let json = r#"{"name": "m", "handler": "h", "retry": {"count": 1, "delay": "1m"}}"#;
    story.save(json, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let at = "2027-01-15T12:00:00Z".parse().unwrap();
    let later = story.start_at("m", When::At(at));
    says(&mut story, later, "its time: 2027-01-15T12:00:00Z");
    let first = story.start("m");
    story.finish(1, first, End::Failed(FailReason::Error));
    let (answer, mut wait) = oneshot::channel();
    story.tell(Event::Command(Command::Live { tasks: vec![TaskId(first.0)], answer }));
    let retry = wait.try_recv().unwrap()[0].attempts[0].waits_for.clone();
    assert_eq!(retry.as_deref(), Some("the delay of its retry: 2027-01-15T08:01:00Z"));
}
