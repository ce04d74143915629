//! What alarms say.

use fastjob_core::{AttemptId, FailReason, TaskState, attempt::End};

use super::story::Story;
use crate::record::Origin;

const FAILED: End = End::Failed(FailReason::Fatal);

/// A job with three shards on one executor, and the attempts of its task.
fn begin() -> (Story, Vec<AttemptId>) {
    let mut story = Story::begin();
    let job = r#"{"name": "m", "handler": "h", "shard": {"count": 3}, "alarms": ["mail"]}"#;
    story.save(job, Origin::Api).unwrap();
    story.connect_as("e", "i1", 1, &[], |connected| connected.capacity = 9);
    story.start("m");
    let shards = story.starts(1).iter().map(|start| start.row.attempt).collect();
    (story, shards)
}

/// The only alarm: its reason, its message, the executor and the number of the attempt.
#[track_caller]
fn only(story: &Story) -> (&str, &str, Option<&str>, u32) {
    let [alarm] = &story.alarms[..] else { panic!("{:?}", story.alarms) };
    (&alarm.reason, &alarm.message, alarm.executor.as_deref(), alarm.attempts)
}

#[test]
fn the_alarm_of_a_task_with_shards_names_the_one_that_failed_even_if_another_ended_last() {
    let (mut story, shards) = begin();
    story.finish_saying(1, shards[1], FAILED, Some("the disk is full"));
    story.finish(1, shards[0], End::Succeeded);
    assert!(story.alarms.is_empty(), "a shard is open");
    story.finish(1, shards[2], End::Succeeded);
    assert_eq!(story.task_state(shards[0]), TaskState::Failed);
    let said = ("fatal error", "shard 1 of 3 failed: the disk is full", Some("e"), 1);
    assert_eq!(only(&story), said);
}

#[test]
fn the_alarm_of_a_task_of_which_several_shards_failed_counts_them_and_quotes_the_first() {
    let (mut story, shards) = begin();
    story.finish_saying(1, shards[2], FAILED, Some("no such file"));
    story.finish_saying(1, shards[0], FAILED, Some("something else"));
    story.finish(1, shards[1], End::Succeeded);
    let said = ("fatal error", "2 of 3 shards failed, shard 2 first: no such file", Some("e"), 1);
    assert_eq!(only(&story), said);
}

#[test]
fn an_engine_that_continues_with_a_task_still_knows_which_shard_failed() {
    let (mut story, shards) = begin();
    story.finish_saying(1, shards[1], FAILED, Some("the disk is full"));
    let mut story = Story::resume(story.store, story.now);
    story.connect_as("e", "i1", 1, &[shards[0].0, shards[2].0], |it| it.capacity = 9);
    story.finish(1, shards[0], End::Succeeded);
    story.finish(1, shards[2], End::Succeeded);
    assert_eq!(only(&story), ("a shard failed", "shard 1 of 3 failed", None, 1));

    // Others may have failed before the one that it loaded.
    let (mut story, shards) = begin();
    story.finish(1, shards[1], FAILED);
    let mut story = Story::resume(story.store, story.now);
    story.connect_as("e", "i1", 1, &[shards[0].0, shards[2].0], |it| it.capacity = 9);
    story.finish(1, shards[0], FAILED);
    story.finish(1, shards[2], End::Succeeded);
    let said = "2 of 3 shards failed, one of them shard 1";
    assert_eq!(only(&story), ("a shard failed", said, None, 1));
}

#[test]
fn a_stopped_task_with_a_failed_shard_raises_the_alarm_of_that_shard() {
    let (mut story, shards) = begin();
    story.finish_saying(1, shards[0], FAILED, None);
    story.finish(1, shards[1], End::Stopped);
    story.finish(1, shards[2], End::Stopped);
    assert_eq!(only(&story), ("fatal error", "shard 0 of 3 failed", Some("e"), 1));
}
