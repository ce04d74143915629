//! What an engine counts, and what it says of tasks that are held up.

use fastjob_core::{FailReason, TaskId, attempt::End};
use jiff::SignedDuration;
use tokio::sync::oneshot;

use super::story::Story;
use crate::{Backfill, Command, Event, SessionId, Survey, Switch, record::Origin};

fn survey(story: &mut Story) -> Survey {
    let (answer, mut wait) = oneshot::channel();
    story.tell(Event::Command(Command::Survey { answer }));
    wait.try_recv().unwrap()
}

fn enter(story: &mut Story, attempt: fastjob_core::AttemptId) {
    let started = vec![(story.held(attempt), story.now.wall)];
    story.tell(Event::Started(SessionId(1), started));
}

/// The open tasks that wait and that run, and those that ended and that failed.
fn counted(story: &mut Story) -> [u64; 4] {
    let gauges = story.engine.gauges();
    let ended = story.engine.tally().tasks;
    [gauges.tasks_queued, gauges.tasks_running, ended.iter().sum(), ended[1]]
}

#[test]
fn open_tasks_are_counted_by_their_state_and_ended_ones_by_their_end() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h"}"#, Origin::Api).unwrap();
    story.save(r#"{"name": "s", "handler": "h", "shard": {"count": 2}}"#, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let (a, b) = (story.start("m"), story.start("m"));
    assert_eq!(counted(&mut story), [2, 0, 0, 0]);
    enter(&mut story, a);
    assert_eq!(counted(&mut story), [1, 1, 0, 0]);
    story.finish(1, a, End::Succeeded);
    story.finish(1, b, End::Failed(FailReason::Fatal));
    assert_eq!(counted(&mut story), [0, 0, 2, 1]);
    let _spread = story.start("s");
    assert_eq!(counted(&mut story), [1, 0, 2, 1], "its shards do not count");
    assert!(story.engine.sizes().miscounted.is_none());
    let mut resumed = Story::resume(std::mem::take(&mut story.store), story.now);
    assert_eq!(counted(&mut resumed), [1, 0, 0, 0]);
    assert!(resumed.engine.sizes().miscounted.is_none());
}

#[test]
fn jobs_and_open_tasks_are_counted_by_service() {
    let mut story = Story::begin();
    for (name, service) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let json = format!(r#"{{"name": "{name}", "service": "{service}", "handler": "h"}}"#);
        story.save(&json, Origin::Api).unwrap();
    }
    story.switch("b", Switch::Off);
    story.delete("c").unwrap();
    story.start("a");
    story.start("b");
    let survey = survey(&mut story);
    let x = survey.services.iter().find(|of| of.service.as_str() == "x").unwrap();
    assert_eq!((x.jobs, x.enabled, x.queued, x.running), (2, 1, 2, 0));
    assert!(survey.services.len() == 1, "{survey:?}");
}

#[test]
fn the_open_tasks_of_a_service_are_counted_however_many_there_are() {
    let mut story = Story::begin();
    let job =
        r#"{"name": "m", "service": "x", "handler": "h", "schedule": {"cron": "0 * * * * ?"}}"#;
    story.save(job, Origin::Api).unwrap();
    let (answer, mut wait) = oneshot::channel();
    let from = story.now.wall - SignedDuration::from_hours(36 * 24);
    let (until, most) = (story.now.wall, 50_001);
    let (job, key, looked, trace) = ("m".parse().unwrap(), None, None, None);
    let ask = Backfill { job, from, until, most, key, looked, trace };
    story.tell(Event::Command(Command::Backfill { ask, answer }));
    assert_eq!(wait.try_recv().unwrap().unwrap().tasks.len(), 50_001);
    let survey = survey(&mut story);
    assert_eq!(survey.services.len(), 1);
    assert_eq!(survey.services[0].queued, story.engine.gauges().tasks_queued);
    assert!(survey.services[0].queued >= 50_001);
}

#[test]
fn tasks_that_wait_for_a_missing_executor_are_one_group_per_service() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h", "no_executor": "1h"}"#, Origin::Api).unwrap();
    let first = story.start("m");
    story.pass(1_000);
    story.start("m");
    let held = survey(&mut story).waits;
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!((held[0].count, held[0].task), (2, TaskId(first.0)));
    assert!(held[0].why.contains("no executor of `default`"), "{held:?}");
}

#[test]
fn tasks_that_wait_for_a_full_executor_are_named_after_a_minute_and_so_are_long_runs() {
    let mut story = Story::begin();
    story.save(r#"{"name": "m", "handler": "h", "no_executor": "1h"}"#, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let running = story.start("m");
    enter(&mut story, running);
    let (_, _, waits) = (story.start("m"), story.start("m"), story.start("m"));
    let seen = survey(&mut story);
    assert!(seen.waits.is_empty() && seen.long.is_empty() && seen.late.is_empty(), "{seen:?}");
    story.pass(60_000);
    let seen = survey(&mut story);
    assert!(seen.waits.iter().any(|held| held.task == TaskId(waits.0) || held.count > 0));
    assert_eq!(seen.long.len(), 1, "{seen:?}");
    assert_eq!(seen.long[0].task, TaskId(running.0));
    assert_eq!(seen.long[0].executor.as_ref().map(|name| name.as_str()), Some("e"));
    // The other one that the executor holds has not started.
    assert_eq!(seen.late.len(), 1, "{seen:?}");
}
