//! What an engine counts for metrics.

use fastjob_core::{Cause, FailReason, attempt::End};

use super::story::Story;
use crate::{ATTEMPT_ENDS, Durations, Event, Gauges, SessionId, TASK_ENDS, Tally, record::Origin};

/// A story that counts by job, with one executor.
fn counting() -> Story {
    let mut story = Story::begin();
    story.engine.count_by_job();
    story.connect("e", "i1", 1, &[]);
    story
}

fn save(story: &mut Story, json: &str) {
    story.save(json, Origin::Api).unwrap();
}

fn attempts(tally: &Tally, outcome: &str) -> u64 {
    let at = ATTEMPT_ENDS.iter().position(|end| *end == outcome).unwrap();
    tally.attempts[at]
}

fn tasks(counts: &[u64; 4], state: &str) -> u64 {
    let at = TASK_ENDS.iter().position(|end| end.as_str() == state).unwrap();
    counts[at]
}

fn count(durations: &Durations) -> u64 {
    durations.buckets.iter().sum()
}

fn gauges(story: &Story) -> [u64; 5] {
    let Gauges { not_due, waiting_turn, waiting_executor, dispatched, running, .. } =
        story.engine.gauges();
    [not_due, waiting_turn, waiting_executor, dispatched, running]
}

#[test]
fn a_retried_task_counts_each_attempt_once_and_itself_at_its_end() {
    let mut story = counting();
    save(&mut story, r#"{"name": "m", "handler": "h", "retry": {"count": 1, "delay": "1s"}}"#);
    let first = story.start("m");
    story.finish(1, first, End::Failed(FailReason::Error));
    let tally = story.engine.tally();
    assert_eq!((attempts(tally, "error"), tally.retried, tally.dispatched), (1, 1, 1));
    assert_eq!(tally.tasks, [0; 4], "it has not ended");
    story.pass(1_001);
    let retry = story.starts(1).last().unwrap().row.attempt;
    story.finish(1, retry, End::Succeeded);
    let tally = story.engine.tally();
    assert_eq!((attempts(tally, "succeeded"), tally.dispatched), (1, 2));
    assert_eq!(tasks(&tally.tasks, "succeeded"), 1);
    assert_eq!((count(&tally.run_time), count(&tally.wait)), (2, 2));
    assert_eq!(count(&tally.lateness), 0, "no schedule started it");
    assert_eq!(tally.created.iter().sum::<u64>(), 1);
    let jobs: Vec<_> = tally.jobs().collect();
    let [job] = jobs.as_slice() else { panic!("{jobs:?}") };
    assert_eq!((job.job.name.as_str(), tasks(&job.tasks, "succeeded")), ("m", 1));
    assert!(job.succeeded_at.is_some());

    assert!(tally.is_changed());
    tally.clear();
    assert!(!tally.is_changed() && tally.jobs().next().is_none());
    assert_eq!((tally.dispatched, count(&tally.run_time)), (0, 0));
}

#[test]
fn a_start_that_is_reported_again_counts_once() {
    let mut story = counting();
    save(&mut story, r#"{"name": "m", "handler": "h"}"#);
    let attempt = story.start("m");
    story.starts(1);
    let (held, at) = (story.held(attempt), story.now.wall);
    for _ in 0..2 {
        story.tell(Event::Started(SessionId(1), vec![(held, at)]));
    }
    assert_eq!(story.engine.tally().started, 1);
}

#[test]
fn fires_count_with_the_lateness_of_their_first_attempts() {
    let mut story = counting();
    save(&mut story, r#"{"name": "m", "handler": "h", "schedule": {"fixed_rate": "1s"}}"#);
    (0..20).for_each(|_| story.pass(100));
    let starts = story.starts(1);
    assert!(!starts.is_empty());
    for start in &starts {
        story.finish(1, start.row.attempt, End::Succeeded);
    }
    let ended = starts.len() as u64;
    let tally = story.engine.tally();
    assert_eq!(count(&tally.lateness), ended);
    assert!(tally.fires_planned >= ended);
    let scheduled = Cause::ALL.iter().position(|cause| *cause == Cause::Schedule).unwrap();
    assert_eq!(tally.created[scheduled], tally.fires_planned);
    assert_eq!((tally.fires_caught_up, tally.fires_skipped), (0, 0));
}

#[test]
fn tasks_that_were_created_have_ended_are_open_or_were_cancelled() {
    let mut story = counting();
    save(&mut story, r#"{"name": "m", "handler": "h", "schedule": {"fixed_rate": "200ms"}}"#);
    (0..20).for_each(|_| story.pass(100));
    save(&mut story, r#"{"name": "m", "handler": "h", "schedule": {"fixed_rate": "7s"}}"#);
    (0..20).for_each(|_| story.pass(100));
    let open: u64 = gauges(&story).iter().sum();
    let tally = story.engine.tally();
    assert!(tally.fires_cancelled > 0, "{tally:?}");
    let (created, ended) = (tally.created.iter().sum::<u64>(), tally.tasks.iter().sum::<u64>());
    assert_eq!(created, ended + open + tally.fires_cancelled);
}

#[test]
fn missed_fires_count_as_skipped_or_caught_up() {
    for (misfire, skips) in [("skip", true), ("fire_once", false)] {
        let mut story = counting();
        let json = format!(
            r#"{{"name": "m", "handler": "h", "schedule": {{"fixed_rate": "1s"}}, "misfire": "{misfire}"}}"#
        );
        save(&mut story, &json);
        story.pass(600_000);
        let tally = story.engine.tally();
        let (skipped, caught_up) = (tally.fires_skipped > 0, tally.fires_caught_up > 0);
        assert_eq!((skipped, caught_up), (skips, !skips), "{misfire}: {tally:?}");
        assert_eq!(tasks(&tally.tasks, "skipped"), u64::from(skips), "one task for all of them");
    }
}

#[test]
fn what_an_engine_holds_is_counted_by_what_it_waits_for() {
    let mut story = Story::begin();
    save(&mut story, r#"{"name": "a", "handler": "h"}"#);
    story.start("a");
    assert_eq!(gauges(&story), [0, 0, 1, 0, 0], "no executor");
    story.connect("e", "i1", 1, &[]);
    assert_eq!(gauges(&story), [0, 0, 0, 1, 0], "sent");
    let attempt = story.starts(1)[0].row.attempt;
    let held = story.held(attempt);
    story.tell(Event::Started(SessionId(1), vec![(held, story.now.wall)]));
    assert_eq!(gauges(&story), [0, 0, 0, 0, 1], "running");
    // Executors may report a start again.
    story.tell(Event::Started(SessionId(1), vec![(held, story.now.wall)]));
    assert_eq!(gauges(&story), [0, 0, 0, 0, 1]);
    assert_eq!(story.engine.tally().started, 1);
    story.finish(1, attempt, End::Succeeded);
    assert_eq!(gauges(&story), [0; 5]);
}

#[test]
fn without_counts_by_job_there_are_none() {
    let mut story = Story::begin();
    story.connect("e", "i1", 1, &[]);
    save(&mut story, r#"{"name": "m", "handler": "h"}"#);
    let attempt = story.start("m");
    story.finish(1, attempt, End::Succeeded);
    assert_eq!(tasks(&story.engine.tally().tasks, "succeeded"), 1);
    assert_eq!(story.engine.tally().jobs().count(), 0);
}
