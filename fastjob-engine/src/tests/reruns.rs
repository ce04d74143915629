//! Tasks that run again.

use std::{sync::Arc, time::Duration};

use fastjob_core::{
    AttemptId, Cause, ExecutorName, FailReason, JobId, Shard, TaskId, TaskState, attempt::End,
};
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::story::Story;
use crate::{
    Command, Event, JobRefused, Limits, OpenLimit, Part, Rerun, StartAnswer, StartKey, StartedTask,
    record::{Origin, RerunOf},
    rerun_key,
};

const FAILED: End = End::Failed(FailReason::Error);

fn story(rest: &str) -> Story {
    let mut story = Story::begin();
    story.save(&format!(r#"{{"name": "m", "handler": "h"{rest}}}"#), Origin::Api).unwrap();
    story
}

/// What reruns the task of this head without any change.
fn whole(story: &Story, head: AttemptId) -> Rerun {
    let row = story.store.attempts[&head].new.row;
    Rerun {
        task: row.task,
        job: row.job,
        cause: Cause::Manual,
        fire_at: row.fire_at,
        param: story.store.attempts[&head].new.param.clone(),
        executor: None,
        part: None,
        key: None,
        trace: None,
    }
}

fn part(total: u32, shards: &[(u32, &str)]) -> Option<Part> {
    let shard = |(index, on): &(u32, &str)| -> (u32, Option<ExecutorName>) {
        (*index, Some(on.parse().unwrap()))
    };
    Some(Part::new(total, shards.iter().map(shard).collect()).unwrap())
}

fn ask(story: &mut Story, ask: Rerun) -> StartAnswer {
    let (answer, mut wait) = oneshot::channel();
    story.tell(Event::Command(Command::Rerun { ask, answer }));
    wait.try_recv().unwrap()
}

fn rerun(story: &mut Story, how: Rerun) -> AttemptId {
    let started = ask(story, how).unwrap();
    assert!(started.is_new);
    started.task.first_attempt()
}

/// The shards that were sent to a session, with their attempts.
fn shards(story: &mut Story, session: u64) -> Vec<(Shard, AttemptId)> {
    story.starts(session).iter().map(|start| (start.row.shard, start.row.attempt)).collect()
}

#[test]
fn a_rerun_is_a_new_task_with_the_param_and_the_fire_of_the_old_one() {
    let mut story = story("");
    story.connect("e", "i1", 1, &[]);
    let old = story.start_with("m", Some("p"), crate::When::Now).unwrap().task.first_attempt();
    story.finish(1, old, FAILED);
    story.starts(1);
    let fire_at = Timestamp::from_second(1_799_000_000).unwrap();
    let how = whole(&story, old);
    let new = rerun(&mut story, Rerun { fire_at: Some(fire_at), ..how });
    let sent = story.starts(1);
    assert_eq!((sent[0].row.attempt, sent[0].param.as_deref()), (new, Some("p")));
    assert_eq!((sent[0].row.fire_at, sent[0].row.cause), (Some(fire_at), Cause::Manual));
    let of = RerunOf { task: TaskId(old.0), shards: Box::default() };
    assert_eq!(story.store.attempts[&new].new.rerun, Some(Arc::new(of)));
    story.finish(1, new, End::Succeeded);
    assert_eq!(story.task_state(new), TaskState::Succeeded);
    assert_eq!(story.task_state(old), TaskState::Failed, "the old one is what it was");
}

#[test]
fn failed_shards_run_again_alone_with_their_places_in_the_whole() {
    let mut story = story(r#", "shard": {"count": 4}"#);
    story.connect_as("e", "i1", 1, &[], |connected| connected.capacity = 9);
    let old = story.start("m");
    for (shard, attempt) in shards(&mut story, 1) {
        story.finish(1, attempt, if shard.index % 2 == 1 { FAILED } else { End::Succeeded });
    }
    assert_eq!(story.task_state(old), TaskState::Failed);
    let part = part(4, &[(1, "e"), (3, "e")]);
    let how = whole(&story, old);
    let new = rerun(&mut story, Rerun { part, ..how });
    let sent = shards(&mut story, 1);
    let places: Vec<_> = sent.iter().map(|(shard, _)| (shard.index, shard.total)).collect();
    assert_eq!(places, [(1, 4), (3, 4)]);
    assert_eq!(sent[0].1, new, "the first of them is the head");
    story.finish(1, sent[0].1, End::Succeeded);
    assert!(!story.task_state(new).is_final(), "the other shard is open");

    // A new engine knows from the store which shards the task has.
    let mut story = Story::resume(story.store, story.now);
    let holds = |connected: &mut crate::Connected| connected.capacity = 9;
    story.connect_as("e", "i1", 1, &[sent[1].1.0], holds);
    story.finish(1, sent[1].1, End::Succeeded);
    assert_eq!(story.task_state(new), TaskState::Succeeded, "shards 0 and 2 do not count");
}

#[test]
fn a_part_of_which_a_shard_fails_again_is_failed() {
    let mut story = story(r#", "shard": {"count": 3}"#);
    story.connect_as("e", "i1", 1, &[], |connected| connected.capacity = 9);
    let old = story.start("m");
    for (_, attempt) in shards(&mut story, 1) {
        story.finish(1, attempt, FAILED);
    }
    let part = part(3, &[(0, "e"), (2, "e")]);
    let how = whole(&story, old);
    let new = rerun(&mut story, Rerun { part, ..how });
    let sent = shards(&mut story, 1);
    story.finish(1, sent[0].1, FAILED);
    story.finish(1, sent[1].1, End::Succeeded);
    assert_eq!(story.task_state(new), TaskState::Failed);
    assert_eq!(story.engine.attempts.len(), 0);
}

#[test]
fn a_shard_of_every_executor_runs_again_where_it_was_while_that_is_connected() {
    let mut story = story(r#", "shard": "all", "route": "first""#);
    story.connect("a", "i1", 1, &[]);
    story.connect("b", "j1", 2, &[]);
    let old = story.start("m");
    let sent = std::mem::take(&mut story.sent);
    assert_eq!(sent.len(), 2);
    let rows: Vec<_> = story.store.attempts.keys().copied().collect();
    story.finish(1, rows[0], End::Succeeded);
    story.finish(2, rows[1], FAILED);
    let part = part(2, &[(1, "b")]);
    let how = whole(&story, old);
    let new = rerun(&mut story, Rerun { part: part.clone(), ..how.clone() });
    assert_eq!(shards(&mut story, 2), [(Shard { index: 1, total: 2 }, new)]);
    story.finish(2, new, FAILED);
    story.tell(Event::Disconnected(crate::SessionId(2)));
    let elsewhere = rerun(&mut story, Rerun { part, ..how });
    assert_eq!(shards(&mut story, 1), [(Shard { index: 1, total: 2 }, elsewhere)]);
}

#[test]
fn shards_that_run_again_wait_for_an_executor() {
    let mut story = story(r#", "shard": {"count": 2}"#);
    story.connect("e", "i1", 1, &[]);
    let old = story.start("m");
    for (_, attempt) in shards(&mut story, 1) {
        story.finish(1, attempt, FAILED);
    }
    story.tell(Event::Disconnected(crate::SessionId(1)));
    let part = part(2, &[(1, "e")]);
    let how = whole(&story, old);
    let new = rerun(&mut story, Rerun { part, ..how });
    story.connect("f", "j1", 2, &[]);
    assert_eq!(shards(&mut story, 2), [(Shard { index: 1, total: 2 }, new)]);
}

#[test]
fn a_task_of_a_deleted_job_does_not_run_again_even_if_its_name_is_used_again() {
    let mut story = story("");
    story.connect("e", "i1", 1, &[]);
    let old = story.start("m");
    story.finish(1, old, FAILED);
    story.delete("m").unwrap();
    let how = whole(&story, old);
    let refused = Err(JobRefused::JobOfTaskDeleted(TaskId(old.0)));
    assert_eq!(ask(&mut story, how.clone()), refused);
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    assert_eq!(ask(&mut story, how.clone()), refused);
    let unknown = Rerun { job: JobId(999), ..how };
    assert_eq!(ask(&mut story, unknown), refused);
}

#[test]
fn a_rerun_with_a_key_starts_one_task() {
    let mut story = story("");
    story.connect("e", "i1", 1, &[]);
    let old = story.start("m");
    story.finish(1, old, FAILED);
    story.pass(1_000);
    let key = StartKey { text: rerun_key(TaskId(old.0)), looked_at: story.now.uptime };
    let how = whole(&story, old);
    let once = Rerun { key: Some(key), ..how };
    let first = ask(&mut story, once.clone()).unwrap();
    assert!(first.is_new);
    assert_eq!(ask(&mut story, once.clone()).unwrap(), StartedTask { is_new: false, ..first });
    story.pass(61_000);
    assert_eq!(ask(&mut story, once), Err(JobRefused::LookAgain), "it may be in the store");
}

#[test]
fn a_rerun_counts_towards_the_limits_with_all_its_shards() {
    let mut story = story(r#", "shard": {"count": 3}"#);
    story.connect_as("e", "i1", 1, &[], |connected| connected.capacity = 9);
    let old = story.start("m");
    for (_, attempt) in shards(&mut story, 1) {
        story.finish(1, attempt, FAILED);
    }
    story.limit(Limits { open: Arc::new(OpenLimit::new(2, 1_000)), ..Limits::default() });
    let how = whole(&story, old);
    let all = Rerun { part: part(3, &[(0, "e"), (1, "e"), (2, "e")]), ..how.clone() };
    assert!(matches!(ask(&mut story, all), Err(JobRefused::OverQuota(_))));
    let two = Rerun { part: part(3, &[(0, "e"), (2, "e")]), ..how };
    ask(&mut story, two).unwrap();
}

#[test]
fn a_rerun_obeys_the_block_strategy_and_the_retries_that_the_job_has_now() {
    let mut story = story("");
    story.connect("e", "i1", 1, &[]);
    let old = story.start("m");
    story.finish(1, old, FAILED);
    let serial = r#"{"name": "m", "handler": "h", "retry": {"count": 1, "delay": "1s"},
        "block": {"strategy": "serial", "scope": "cluster"}}"#;
    story.save(serial, Origin::Api).unwrap();
    story.starts(1);
    let running = story.start("m");
    let how = whole(&story, old);
    let new = rerun(&mut story, how);
    let sent: Vec<_> = story.starts(1).iter().map(|start| start.row.attempt).collect();
    assert_eq!(sent, [running]);
    story.finish(1, running, End::Succeeded);
    assert_eq!(story.starts(1)[0].row.attempt, new);
    story.finish(1, new, FAILED);
    story.now.uptime += Duration::from_secs(1);
    story.pass(1_000);
    let retried = story.starts(1);
    assert_eq!((retried[0].row.task, retried[0].row.number), (TaskId(new.0), 2));
}
