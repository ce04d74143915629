//! Limits of the number of open tasks and of the bytes of their params.

use std::{sync::Arc, time::Duration};

use fastjob_core::{Cause, FailReason, JobId, TaskId, TaskState, attempt::End};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::story::Story;
use crate::{
    Backfill, BackfillAnswer, Backfilled, Command, Event, JobRefused, Limits, Looked, OpenLimit,
    Start, StartAnswer, StartKey, StartedTask, Target, When,
    record::{ChildStart, Origin, Partition},
};

fn limited(story: &mut Story, tasks: u32, bytes: u64) -> Arc<OpenLimit> {
    let open = Arc::new(OpenLimit::new(tasks, bytes));
    story.limit(Limits { open: Arc::clone(&open), ..Limits::default() });
    open
}

fn with_job(more: &str) -> Story {
    let mut story = Story::begin();
    story.save(&format!(r#"{{"name": "m", "handler": "h"{more}}}"#), Origin::Api).unwrap();
    story
}

fn refusal(answer: StartAnswer) -> String {
    let Err(JobRefused::OverQuota(over)) = answer else { panic!("{answer:?}") };
    over.to_string()
}

#[test]
fn a_start_beyond_the_number_of_open_tasks_is_rejected_until_one_has_ended() {
    let mut story = with_job("");
    let open = limited(&mut story, 2, 1_000);
    story.connect("e", "i1", 1, &[]);
    let first = story.start("m");
    story.start("m");
    let said = refusal(story.start_with("m", None, When::Now));
    assert!(
        said.contains(
            "limit of 2 open tasks on this coordinator (coordinator.limits.max_open_tasks)"
        ),
        "{said}"
    );
    story.finish(1, first, End::Succeeded);
    let third = story.start("m");
    story.finish(1, third, End::Succeeded);
    assert_eq!(open.taken(), (1, 0));
}

#[test]
fn delayed_starts_with_long_params_are_bounded_in_bytes_also_after_a_restart() {
    let mut story = with_job("");
    let later = When::After(Duration::from_secs(3_600));
    let long = "x".repeat(400);
    limited(&mut story, 10, 1_000);
    for _ in 0..2 {
        story.start_with("m", Some(&long), later).unwrap();
    }
    let said = refusal(story.start_with("m", Some(&long), later));
    assert!(
        said.contains("limit of 1000 bytes")
            && said.contains("(coordinator.limits.max_open_bytes)"),
        "{said}"
    );
    story.start_with("m", None, later).unwrap();
    // A lower limit does not prevent a load.
    let mut story = Story::resume(story.store, story.now);
    let open = limited(&mut story, 10, 500);
    assert_eq!(open.taken(), (3, 800));
    refusal(story.start_with("m", Some("x"), later));
    story.delete("m").unwrap();
    assert_eq!(open.taken(), (0, 0));
}

#[test]
fn a_backfill_beyond_the_limit_starts_nothing() {
    let mut story = with_job(r#", "schedule": {"cron": "0 * * * * ?"}"#);
    let open = limited(&mut story, 4, 1_000);
    let mut ask = |most| -> BackfillAnswer {
        let (answer, mut wait) = oneshot::channel();
        let (from, until) = (story.now.wall - SignedDuration::from_hours(1), story.now.wall);
        let job = "m".parse().unwrap();
        let ask = Backfill { job, from, until, most, key: None, looked: None, trace: None };
        story.tell(Event::Command(Command::Backfill { ask, answer }));
        wait.try_recv().unwrap()
    };
    assert!(matches!(ask(5), Err(JobRefused::OverQuota(_))));
    assert_eq!(open.taken(), (0, 0));
    assert_eq!(ask(4).unwrap().tasks.len(), 4);
    assert_eq!(open.taken(), (4, 0));
}

#[test]
fn a_fire_beyond_the_limit_is_recorded_as_skipped_and_says_why() {
    let mut story = with_job("");
    let open = limited(&mut story, 1, 1_000);
    let rate = r#"{"name": "r", "handler": "h", "schedule": {"fixed_rate": "10s"}}"#;
    let delay = r#"{"name": "d", "handler": "h", "schedule": {"fixed_delay": "10s"}}"#;
    story.save(rate, Origin::Api).unwrap();
    story.save(delay, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let taken = story.start("m");
    story.pass(10_000);
    story.pass(10_000);
    let skipped: Vec<_> =
        story.store.attempts.values().filter(|row| row.task_state == TaskState::Skipped).collect();
    assert_eq!(skipped.len(), 4, "two of each");
    for row in skipped {
        let note = row.new.note.as_deref();
        let limit = "the limit of 1 open tasks is reached (coordinator.limits.max_open_tasks)";
        assert_eq!(note, Some(format!("not started: {limit}").as_str()));
        assert!(row.new.row.fire_at.is_some());
        let job = story.engine.catalog.job(row.new.row.job).unwrap();
        assert_eq!(row.new.service, Some(job.service.key()), "nothing else will say its service");
    }
    story.finish(1, taken, End::Succeeded);
    story.pass(10_000);
    assert_eq!(open.taken(), (1, 0), "the next fire starts");
}

#[test]
fn a_child_beyond_the_limit_is_recorded_as_skipped_and_a_retry_is_not() {
    let mut story = Story::begin();
    story.save(r#"{"name": "c", "handler": "h"}"#, Origin::Api).unwrap();
    let parent = r#"{"name": "m", "handler": "h", "retry": {"count": 1, "delay": "1s"},
        "children": [{"job": "c", "on": "always"}]}"#;
    story.save(parent, Origin::Api).unwrap();
    limited(&mut story, 2, 1_000);
    story.connect("e", "i1", 1, &[]);
    let (first, second) = (story.start("m"), story.start("m"));
    let open = limited(&mut story, 1, 1_000);
    story.finish(1, first, End::Failed(FailReason::Error));
    story.starts(1);
    story.pass(1_000);
    let again = story.starts(1)[0].row.attempt;
    assert_eq!(open.taken(), (2, 0));
    story.finish(1, again, End::Succeeded);
    let child = |story: &Story, parent: TaskId| {
        let mut rows = story.store.attempts.values();
        let row = rows.find(|row| row.new.parent == Some(parent)).unwrap();
        (row.task_state, row.new.note.clone(), row.new.lineage.is_some())
    };
    let limit = "the limit of 1 open tasks is reached (coordinator.limits.max_open_tasks)";
    let note = Some(format!("not started: {limit}"));
    assert_eq!(child(&story, TaskId(first.0)), (TaskState::Skipped, note, true));
    story.finish(1, second, End::Failed(FailReason::Fatal));
    assert_eq!(child(&story, TaskId(second.0)).0, TaskState::Queued, "there is room now");
    assert_eq!(open.taken(), (1, 0));
}

#[test]
fn a_task_counts_once_per_shard() {
    let mut story = with_job(r#", "shard": {"count": 3}"#);
    let open = limited(&mut story, 100, 1_000);
    story.start_with("m", Some("1234"), When::Now).unwrap();
    assert_eq!(open.taken(), (1, 4), "it waits for an executor");
    story.connect("e", "i1", 1, &[]);
    assert_eq!(open.taken(), (3, 12));
    super::lineage::run_all(&mut story, 1);
    assert_eq!(open.taken(), (0, 0));
}

fn keyed(story: &mut Story, looked_at: Duration) -> StartAnswer {
    let (answer, mut wait) = oneshot::channel();
    let job = Target::Path("m".parse().unwrap());
    let key = StartKey { text: "k".into(), looked_at };
    let (cause, at) = (Cause::Api, When::Now);
    let ask = Start { job, cause, param: None, at, executor: None, key: Some(key), trace: None };
    story.tell(Event::Command(Command::Start { ask, answer }));
    wait.try_recv().unwrap()
}

#[test]
fn a_caller_whose_lookup_of_a_key_was_too_early_never_starts_a_second_task() {
    let mut story = with_job("");
    story.pass(1_000);
    let now = story.now.uptime;
    let first = keyed(&mut story, now).unwrap();
    assert!(first.is_new);
    assert_eq!(keyed(&mut story, now).unwrap(), StartedTask { is_new: false, ..first });
    story.pass(61_000);
    assert_eq!(keyed(&mut story, now), Err(JobRefused::LookAgain));
    let mut story = Story::resume(story.store, story.now);
    let before = story.now.uptime;
    assert_eq!(keyed(&mut story, before), Err(JobRefused::LookAgain), "the engine is new");
}

#[test]
fn a_backfill_that_is_repeated_starts_nothing_twice_whatever_its_caller_has_seen() {
    let mut story = with_job(r#", "schedule": {"cron": "0 * * * * ?"}"#);
    story.pass(1_000);
    let (from, until) = (story.now.wall - SignedDuration::from_mins(3), story.now.wall);
    let ask_with = |story: &mut Story, key: Option<&str>, at, found: &[Option<TaskId>]| {
        let (answer, mut wait) = oneshot::channel::<BackfillAnswer>();
        let fires = (0..3).map(|n| Timestamp::from_second(1_800_000_000 - 120 + 60 * n).unwrap());
        let found = fires.zip(found.iter().copied()).collect();
        let (job, looked) = ("m".parse().unwrap(), Some(Looked { at, found }));
        let key = key.map(Into::into);
        let ask = Backfill { job, from, until, most: 10, key, looked, trace: None };
        story.tell(Event::Command(Command::Backfill { ask, answer }));
        wait.try_recv().unwrap()
    };
    let ask = |story: &mut Story, at, found: &[Option<TaskId>]| ask_with(story, None, at, found);
    let at = story.now.uptime;
    // A fire that was not looked up: the schedule may have been changed since.
    assert_eq!(ask(&mut story, at, &[None, None]), Err(JobRefused::LookAgain));
    let first = ask(&mut story, at, &[None, None, None]).unwrap();
    assert_eq!((first.tasks.len(), first.existing.len(), first.more), (3, 0, false));
    let again = Backfilled { existing: first.tasks.clone(), ..Backfilled::default() };
    // Its caller did not see them, because they were not durable.
    assert_eq!(ask(&mut story, at, &[None, None, None]), Ok(again.clone()));
    story.pass(61_000);
    assert_eq!(ask(&mut story, at, &[None, None, None]), Err(JobRefused::LookAgain));
    let found: Vec<_> = first.tasks.iter().copied().map(Some).collect();
    let later = story.now.uptime;
    assert_eq!(ask(&mut story, later, &found), Ok(again));
    // With a key, it is another backfill, which starts nothing twice either.
    let keyed = ask_with(&mut story, Some("k"), later, &[None, None, None]).unwrap();
    assert_eq!((keyed.tasks.len(), keyed.existing.len()), (3, 0));
    let repeated = ask_with(&mut story, Some("k"), later, &[None, None, None]).unwrap();
    assert_eq!((repeated.tasks.len(), repeated.existing), (0, keyed.tasks));
    let causes = story.store.attempts.values().map(|row| row.new.row.cause);
    assert_eq!(causes.filter(|cause| *cause == Cause::Backfill).count(), 6);
}

#[test]
fn a_child_that_was_read_before_the_engine_started_is_not_started_twice() {
    let mut story = with_job("");
    let job = *story.store.jobs.keys().next().unwrap();
    assert_eq!(job, JobId(1));
    let (partition, parent) = (Partition(0), TaskId(900));
    let child =
        ChildStart { id: 901, partition, job, parent, param: None, lineage: None, trace: None };
    story.pass(1_000);
    let read_at = story.now.uptime;
    // Two reads; the second one arrives after another engine has taken over.
    story.tell(Event::ChildStarts(vec![child.clone()], read_at));
    let started = |story: &Story| {
        story.store.attempts.values().filter(|row| row.new.parent == Some(parent)).count()
    };
    assert_eq!(started(&story), 1);
    story.pass(10);
    let mut story = Story::resume(story.store, story.now);
    story.tell(Event::ChildStarts(vec![child], read_at));
    assert_eq!(started(&story), 1);
}

#[test]
fn a_child_whose_key_is_forgotten_during_a_second_read_is_not_started_again() {
    let mut story = with_job("");
    let job = *story.store.jobs.keys().next().unwrap();
    let (partition, parent) = (Partition(0), TaskId(900));
    let child =
        ChildStart { id: 901, partition, job, parent, param: None, lineage: None, trace: None };
    story.pass(1_000);
    let read_at = story.now.uptime;
    story.tell(Event::ChildStarts(vec![child.clone()], read_at));
    // A second, older read arrives at the moment when the engine forgets the key.
    story.now.uptime += Duration::from_secs(60);
    story.now.wall += SignedDuration::from_secs(60);
    story.tell(Event::ChildStarts(vec![child], read_at));
    let started = story.store.attempts.values().filter(|row| row.new.parent == Some(parent));
    assert_eq!(started.count(), 1);
}
