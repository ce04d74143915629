//! No collection grows beyond the number of open attempts, and each step is short.

use std::{sync::Arc, time::Duration};

use fastjob_core::attempt::End;
use jiff::SignedDuration;
use tokio::sync::oneshot;

use super::story::{Story, job};
use crate::{
    Beat, Command, Condition, Effects, Event, SaveMode, SessionId, When, record::Origin,
    state::attempts::Step,
};

#[test]
fn a_waiting_attempt_has_one_timer_however_often_its_executor_beats() {
    let mut story = Story::begin();
    let json = r#"{"name": "m", "handler": "h", "shard": {"dynamic": "zone = a"},
        "no_executor": "1h"}"#;
    story.save(json, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    for _ in 0..100 {
        story.start("m");
    }
    for _ in 0..50 {
        story.tell(Event::Beat(SessionId(1), Beat::default()));
    }
    assert_eq!((story.engine.attempts.timers(), story.engine.attempts.waiting().len()), (100, 100));
}

#[test]
fn an_attempt_that_ends_while_it_waits_leaves_its_queue() {
    let mut story = Story::begin();
    let json = r#"{"name": "m", "handler": "elsewhere", "no_executor": "1s"}"#;
    story.save(json, Origin::Api).unwrap();
    for _ in 0..100 {
        story.start("m");
    }
    assert_eq!(story.engine.attempts.waiting().len(), 100);
    story.pass(2_000);
    assert_eq!(story.engine.attempts.len(), 0);
    assert_eq!((story.engine.attempts.waiting().len(), story.engine.attempts.timers()), (0, 0));
}

#[test]
fn the_timer_of_a_time_limit_is_removed_with_its_attempt() {
    let mut story = Story::begin();
    let json = r#"{"name": "m", "handler": "h", "timeout": "1d"}"#;
    story.save(json, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    for _ in 0..100 {
        let attempt = story.start("m");
        let held = story.held(attempt);
        story.tell(Event::Started(SessionId(1), vec![(held, story.now.wall)]));
        assert_eq!(story.engine.attempts.timers(), 1);
        story.finish(1, attempt, End::Succeeded);
    }
    assert_eq!(story.engine.attempts.timers(), 0);
}

#[test]
fn a_stopped_delayed_start_leaves_no_state_behind() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    let year = Duration::from_secs(31_536_000);
    let later = story.now.wall + SignedDuration::try_from(year).unwrap();
    for when in [When::After(year), When::At(later)] {
        let attempt = story.start_at("m", when);
        let (answer, _wait) = oneshot::channel();
        let task = fastjob_core::TaskId(attempt.0);
        story.tell(Event::Command(Command::Stop { task, why: None, answer }));
    }
    let engine = &story.engine;
    assert!(engine.attempts.indexes().iter().all(|(_, size)| *size == 0));
    assert_eq!((engine.attempts.len(), engine.attempts.timers()), (0, 0));
}

#[test]
fn an_edited_job_has_one_next_fire() {
    let mut story = Story::begin();
    for seconds in 1..100 {
        let json = format!(
            r#"{{"name": "m", "handler": "h", "schedule": {{"fixed_rate": "{}h"}}}}"#,
            seconds
        );
        story.save(&json, Origin::Api).unwrap();
    }
    assert_eq!(story.engine.agenda.sizes().1, 1);
}

#[test]
fn an_unresponsive_store_costs_the_memory_of_one_checkpoint_per_shard() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let attempt = story.start("m");
    let held = story.held(attempt);
    let mut effects = Effects::default();
    for n in 0..600 {
        let value: Arc<str> = format!("{n}").into();
        let reached = Event::Checkpoints(SessionId(1), vec![(held, value)]);
        story.engine.handle(story.now, reached, &mut effects);
        story.engine.flush(&mut effects);
    }
    assert_eq!(effects.commits.len(), 1, "the others wait for the first");
    // When the store accepts writes again, the latest one follows.
    for round in 0..2 {
        for (id, commit) in std::mem::take(&mut effects.commits) {
            story.store.apply(&commit);
            story.engine.handle(story.now, Event::Committed(vec![id]), &mut effects);
        }
        story.engine.flush(&mut effects);
        assert_eq!(effects.commits.len(), 1 - round);
    }
    let loaded = story.store.load();
    assert_eq!(loaded.open[0].checkpoint.as_deref(), Some("599"));
}

/// Durable starts of a job with a delay of ten hours.
fn delayed(count: usize) -> Story {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    for _ in 0..count {
        story.start_at("m", When::After(Duration::from_secs(36_000)));
    }
    story
}

#[test]
fn the_delayed_starts_of_a_deleted_job_end_in_slices() {
    let mut story = delayed(2_500);
    let (answer, _wait) = oneshot::channel();
    let command = Command::Delete {
        job: "m".parse().unwrap(),
        only: None,
        condition: Condition::Unconditional,
        answer,
    };
    let mut effects = Effects::default();
    story.engine.handle(story.now, Event::Command(command), &mut effects);
    let mut steps = 0;
    while story.engine.attempts.len() > 0 {
        let before = story.engine.attempts.len();
        story.engine.handle(story.now, Event::Tick, &mut effects);
        assert!(before - story.engine.attempts.len() <= 1_000, "a step ended too many");
        assert!(story.engine.attempts.len() < before, "a step ended none");
        steps += 1;
    }
    assert_eq!(steps, 3);
}

#[test]
fn a_delayed_start_of_a_deleted_job_never_runs_even_if_the_coordinator_crashes_first() {
    let mut story = delayed(1);
    let row = story.store.jobs.values_mut().next().unwrap();
    row.deleted_at = Some(story.now.wall);
    let mut next = Story::resume(story.store.clone(), story.now);
    next.connect("e", "i1", 1, &[]);
    next.pass(36_001_000);
    assert!(next.starts(1).is_empty());
    assert!(next.store.attempts.values().all(|row| row.ended.is_some()));
}

/// An engine whose store has `jobs` jobs that fire every second and missed their fires for four
/// hours.
fn missed(jobs: usize, strategy: &str) -> (Story, usize) {
    let mut story = Story::begin();
    for n in 0..jobs {
        let json = format!(
            r#"{{"name": "j{n}", "handler": "h", "misfire": {strategy},
                "schedule": {{"cron": "* * * * * ?"}}}}"#
        );
        let (answer, _wait) = oneshot::channel();
        let (job, mode) = (Box::new(job(&json)), SaveMode::Replace);
        let save = Command::Save {
            job,
            mode,
            origin: Origin::Api,
            condition: Condition::Unconditional,
            answer,
        };
        story.tell(Event::Command(save));
    }
    let before = story.store.attempts.len();
    let mut now = story.now;
    now.wall += SignedDuration::from_hours(4);
    (Story::resume(story.store, now), before)
}

#[test]
fn many_jobs_catch_up_after_a_long_pause_in_slices_that_are_recorded_as_a_whole() {
    let (mut story, before) = missed(5_000, r#""fire_once""#);
    let mut effects = Effects::default();
    let mut steps = 0;
    while effects.commits.is_empty() {
        assert_eq!(story.engine.wake_in(story.now), Duration::ZERO, "there is more to do");
        let open = story.engine.attempts.len();
        story.engine.handle(story.now, Event::Tick, &mut effects);
        story.engine.flush(&mut effects);
        assert!(story.engine.attempts.len() - open <= 2_001, "a step planned too many");
        steps += 1;
        assert!(steps < 100);
    }
    assert!(steps > 5, "{steps} steps");
    let planned: usize = effects.commits.iter().map(|(_, commit)| commit.planned.len()).sum();
    assert!(planned >= 5_000, "{planned} of the {before} jobs' fires");
    assert!(effects.commits.iter().any(|(_, commit)| commit.watermark.is_some()));
}

#[test]
fn a_crash_in_the_middle_of_planning_loses_and_duplicates_no_fire() {
    let (mut story, _) = missed(3_000, r#""fire_once""#);
    let mut effects = Effects::default();
    for _ in 0..3 {
        story.engine.handle(story.now, Event::Tick, &mut effects);
    }
    story.engine.retire(story.now, &mut effects);
    for (_, commit) in effects.commits.drain(..) {
        assert!(commit.watermark.is_none(), "it was not complete");
        assert!(!commit.cursors.is_empty());
        story.store.apply(&commit);
    }
    let mut next = Story::resume(story.store.clone(), story.now);
    while next.engine.agenda.is_in_progress() {
        next.tell(Event::Tick);
    }
    let caught_up = next.store.attempts.values().filter(|row| {
        row.new.row.cause == fastjob_core::Cause::Misfire && row.new.row.created_at == next.now.wall
    });
    let mut jobs: Vec<_> = caught_up.map(|row| row.new.row.job).collect();
    let all = jobs.len();
    jobs.sort_unstable();
    jobs.dedup();
    assert_eq!((all, jobs.len()), (3_000, 3_000));
}

#[test]
fn a_crash_after_a_round_longer_than_the_horizon_duplicates_no_fire() {
    let (mut story, _) = missed(3_000, r#""fire_once""#);
    let mut effects = Effects::default();
    while effects.commits.is_empty() {
        story.now.wall += SignedDuration::from_secs(3);
        story.engine.handle(story.now, Event::Tick, &mut effects);
        story.engine.flush(&mut effects);
    }
    for (_, commit) in effects.commits.drain(..) {
        story.store.apply(&commit);
    }
    let mut next = Story::resume(story.store.clone(), story.now);
    while next.engine.agenda.is_in_progress() {
        next.tell(Event::Tick);
    }
    let fires = next
        .store
        .attempts
        .values()
        .filter_map(|row| Some((row.new.row.job, row.new.row.fire_at?)));
    let mut fires: Vec<_> = fires.collect();
    let all = fires.len();
    fires.sort_unstable();
    fires.dedup();
    assert_eq!(fires.len(), all, "some fires were planned twice");
}

#[test]
fn attempts_that_an_executor_did_not_receive_are_placed_again_in_slices() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    story.connect_as("e", "i1", 1, &[], |connected| connected.capacity = 5_000);
    for _ in 0..2_500 {
        story.start("m");
    }
    assert_eq!(story.starts(1).len(), 2_500);
    let mut next = Story::resume(story.store.clone(), story.now);
    let unsure =
        |story: &Story| story.engine.attempts.iter().filter(|o| o.step() == Step::Unsure).count();
    let (answer, _wait) = oneshot::channel();
    let connected = next.connected("e", "i1", 1, &[]);
    let mut event = Event::Connected(Box::new(connected), answer);
    for left in [1_500, 500, 0] {
        let mut effects = Effects::default();
        next.engine.handle(next.now, event, &mut effects);
        assert_eq!(unsure(&next), left);
        event = Event::Tick;
    }
}
