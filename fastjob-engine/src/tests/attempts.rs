//! Attempts that are retried, lost or stopped.

use std::time::Duration;

use fastjob_core::{AttemptId, AttemptState, FailReason, JobId, TaskState, attempt::End};
use tokio::sync::oneshot;

use super::story::Story;
use crate::{Beat, Command, Event, Message, SessionId, StartAttempt, record::Origin};

const TWICE: &str = r#""retry": {"count": 1, "delay": "5s"}"#;

fn stopped(story: &Story) -> usize {
    story.sent.iter().filter(|(_, message)| matches!(message, Message::Stop(_))).count()
}

#[test]
fn a_retry_does_not_replace_a_newer_task() {
    let mut story = Story::begin();
    let block = r#"{"strategy": "replace_running", "scope": "cluster"}"#;
    let job = format!(r#"{{"name": "m", "handler": "h", "block": {block}, {TWICE}}}"#);
    story.save(&job, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let older = story.start("m");
    story.finish(1, older, End::Failed(FailReason::Error));
    let newer = story.start("m");
    story.starts(1);
    story.pass(10_000);
    assert_eq!(stopped(&story), 0);
    assert_eq!(story.task_state(older), TaskState::Stopped);
    story.finish(1, newer, End::Succeeded);
    assert_eq!(story.task_state(newer), TaskState::Succeeded);
}

#[test]
fn a_retry_replaces_an_older_task() {
    let mut story = Story::begin();
    let block = r#"{"strategy": "replace_running", "scope": "cluster"}"#;
    let job = format!(r#"{{"name": "m", "handler": "h", "block": {block}, {TWICE}}}"#);
    story.save(&job, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let older = story.start("m");
    let newer = story.start("m");
    assert_eq!(stopped(&story), 1, "the older is replaced");
    story.finish(1, older, End::Stopped);
    story.finish(1, newer, End::Failed(FailReason::Error));
    story.starts(1);
    story.pass(10_000);
    let again = story.starts(1);
    assert_eq!(
        (again[0].row.task, again[0].row.number),
        (story.store.attempts[&newer].new.row.task, 2)
    );
}

#[test]
fn an_attempt_lost_with_its_executor_is_retried_on_another() {
    let mut story = Story::begin();
    let job = format!(r#"{{"name": "m", "handler": "h", "route": "first", {TWICE}}}"#);
    story.save(&job, Origin::Api).unwrap();
    story.connect("a", "i1", 1, &[]);
    story.connect("b", "j1", 2, &[]);
    story.start("m");
    assert_eq!(story.starts(1).len(), 1);
    // The first executor is restarted: the attempts of its previous life are lost.
    story.tell(Event::Disconnected(SessionId(1)));
    story.connect("a", "i2", 3, &[]);
    story.pass(10_000);
    assert_eq!(story.starts(2).len(), 1);
}

#[test]
fn a_task_stopped_between_two_attempts_of_a_shard_ends_as_stopped() {
    let mut story = Story::begin();
    let job = format!(r#"{{"name": "m", "handler": "h", "shard": {{"count": 2}}, {TWICE}}}"#);
    story.save(&job, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let first = story.start("m");
    let shards: Vec<_> = story.starts(1).iter().map(|start| start.row.attempt).collect();
    story.finish(1, shards[0], End::Failed(FailReason::Fatal));
    story.finish(1, shards[1], End::Failed(FailReason::Error));
    let (answer, mut wait) = oneshot::channel();
    let task = story.store.attempts[&first].new.row.task;
    story.tell(Event::Command(Command::Stop { task, why: None, answer }));
    assert_eq!(wait.try_recv().unwrap(), Some(TaskState::Stopped));
    assert_eq!(story.task_state(first), TaskState::Stopped);
}

#[test]
fn an_executor_that_reconnects_keeps_its_last_heartbeat() {
    let mut story = Story::begin();
    let job = r#"{"name": "m", "handler": "h", "shard": {"dynamic": "memory_free > 2GiB"}}"#;
    story.save(job, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let beat = Beat { memory_free: 4 << 30, memory_total: 8 << 30, ..Beat::default() };
    story.tell(Event::Beat(SessionId(1), beat));
    story.tell(Event::Disconnected(SessionId(1)));
    story.pass(500);
    story.connect("e", "i1", 2, &[]);
    story.start("m");
    assert_eq!(story.starts(2).len(), 1);
}

#[test]
fn a_short_fixed_delay_continues_after_a_crash_before_its_next_fire_was_recorded() {
    let mut story = Story::begin();
    let job = r#"{"name": "m", "handler": "h", "schedule": {"fixed_delay": "200ms"}}"#;
    story.save(job, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    story.pass(200);
    let attempt = story.starts(1)[0].row.attempt;
    story.finish(1, attempt, End::Succeeded);
    let mut store = story.store;
    store.attempts.retain(|_, row| row.ended.is_some() || row.new.state != AttemptState::Planned);
    let mut story = Story::resume(store, story.now);
    story.connect("e", "i1", 1, &[]);
    story.pass(500);
    assert_eq!(story.starts(1).len(), 1);
}

#[test]
fn a_shard_lost_with_its_executor_is_dispatched_elsewhere_without_a_retry() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h", "shard": "all"}"#, Origin::Api).unwrap();
    story.connect("a", "i1", 1, &[]);
    story.connect("b", "j1", 2, &[]);
    let first = story.start("m");
    let mut sent = story.sent.iter().filter(|(_, message)| matches!(message, Message::Start(_)));
    assert!(sent.next().is_some() && sent.next().is_some(), "one each");
    let mine = story.starts(2)[0].row.attempt;
    story.finish(2, mine, End::Succeeded);
    story.tell(Event::Disconnected(SessionId(1)));
    story.pass(10_000);
    let again = story.starts(2);
    assert_eq!((again.len(), again[0].row.number), (1, 2));
    assert_eq!((again[0].row.shard.index, again[0].row.shard.total), (0, 2));
    story.finish(2, again[0].row.attempt, End::Succeeded);
    assert_eq!(story.task_state(first), TaskState::Succeeded);
}

#[test]
fn a_retry_goes_to_another_executor_also_after_a_restart() {
    let mut story = Story::begin();
    let job = format!(r#"{{"name": "m", "handler": "h", "route": "first", {TWICE}}}"#);
    story.save(&job, Origin::Api).unwrap();
    story.connect("a", "i1", 1, &[]);
    let attempt = story.start("m");
    story.finish(1, attempt, End::Failed(FailReason::Error));
    let mut story = Story::resume(story.store, story.now);
    story.connect("a", "i1", 1, &[]);
    story.connect("b", "j1", 2, &[]);
    story.pass(10_000);
    assert_eq!(story.starts(2).len(), 1);
}

#[test]
fn a_retry_that_ran_by_uptime_while_the_clock_was_paused_is_not_started_again() {
    let mut story = Story::begin();
    let retry = r#""retry": {"count": 1, "delay": "500ms"}"#;
    story.save(&format!(r#"{{"name": "m", "handler": "h", {retry}}}"#), Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let first = story.start("m");
    story.finish(1, first, End::Failed(FailReason::Error));
    story.starts(1);
    // The clock was set back: the coordinator's wall time does not advance until the clock has
    // caught up.
    story.now.uptime += Duration::from_secs(5);
    story.tell(Event::Tick);
    let again = story.starts(1)[0].row.attempt;

    let mut story = Story::resume(story.store, story.now);
    story.connect("e", "i1", 2, &[again.0]);
    story.finish(2, again, End::Succeeded);
    story.pass(10_000);
    assert_eq!((stopped(&story), story.starts(2).len()), (0, 0));
    assert_eq!(story.task_state(first), TaskState::Succeeded);
}

#[test]
fn the_open_tasks_of_jobs_are_counted_once_each() {
    let mut story = Story::begin();
    story.save(r#"{"name": "one", "handler": "h"}"#, Origin::Api).unwrap();
    story.save(r#"{"name": "all", "handler": "h", "shard": {"count": 3}}"#, Origin::Api).unwrap();
    story.save(r#"{"name": "none", "handler": "h"}"#, Origin::Api).unwrap();
    let job = |story: &Story, attempt: AttemptId| story.store.attempts[&attempt].new.row.job;
    let first = story.start("one");
    let of_one = job(&story, first);
    let of_all = story.start("all");
    let of_all = job(&story, of_all);
    let count = |story: &mut Story| {
        let (answer, mut wait) = oneshot::channel();
        let jobs = vec![of_one, of_all, JobId(99)];
        story.tell(Event::Command(Command::CountOpen { jobs, answer }));
        let counts = wait.try_recv().unwrap();
        counts.into_iter().map(|it| (it.job, it.queued, it.running)).collect::<Vec<_>>()
    };
    assert_eq!(count(&mut story), [(of_one, 1, 0), (of_all, 1, 0)]);
    story.connect_as("e", "i1", 1, &[], |executor| executor.capacity = 10);
    story.start("one");
    let sent = story.starts(1);
    assert_eq!(sent.len(), 5, "two tasks, and three shards of one");
    assert_eq!(count(&mut story), [(of_one, 2, 0), (of_all, 1, 0)], "they are on their way");
    let held = |sent: &StartAttempt| (story.held(sent.row.attempt), story.now.wall);
    let started = sent.iter().map(held).collect();
    story.tell(Event::Started(SessionId(1), started));
    assert_eq!(count(&mut story), [(of_one, 0, 2), (of_all, 0, 1)]);
    story.finish(1, first, End::Succeeded);
    assert_eq!(count(&mut story), [(of_one, 0, 1), (of_all, 0, 1)]);
}

#[test]
fn a_stop_is_sent_after_its_attempt_even_if_both_are_due_at_once() {
    let mut story = Story::begin();
    story.connect("e", "i1", 1, &[]);
    let job = r#"{"name": "m", "handler": "h",
                  "block": {"strategy": "replace_running", "scope": "cluster"}}"#;
    story.save(job, Origin::Api).unwrap();
    let at = story.now.wall + jiff::SignedDuration::from_millis(500);
    let [first, second] = [(); 2].map(|()| story.start_at("m", crate::When::At(at)));
    story.pass(500);
    let sent: Vec<_> = std::mem::take(&mut story.sent)
        .into_iter()
        .flat_map(|(_, message)| match message {
            Message::Start(attempts) => {
                attempts.iter().map(|start| ("start", start.row.attempt)).collect()
            }
            Message::Stop(attempts) => {
                attempts.iter().map(|held| ("stop", held.attempt)).collect::<Vec<_>>()
            }
            Message::Recorded(_) | Message::Close => Vec::new(),
        })
        .collect();
    assert_eq!(sent, [("start", first), ("stop", first)], "{second} waits for its turn");
}
