//! Deleted jobs, while code declares them and after that.

use std::sync::Arc;

use fastjob_core::JobId;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::story::{Story, job};
use crate::{
    Command, Condition, Event, SaveDone,
    record::{JobRow, LifeId, Origin},
};

const DAY: i64 = 24 * 3600 * 1000;
const JOB: &str = r#"{"name": "j", "handler": "h"}"#;

/// A job that code declared, and that was then deleted.
fn deleted() -> Story {
    let mut story = Story::begin();
    story.connect_with("e", "i1", 1, &[], vec![Arc::new(job(JOB))]);
    let (answer, mut wait) = oneshot::channel();
    let path = "j".parse().unwrap();
    story.tell(Event::Command(Command::Delete {
        job: path,
        only: None,
        condition: Condition::Unconditional,
        answer,
    }));
    let (done, _) = wait.try_recv().unwrap().unwrap();
    assert_eq!(done, SaveDone::Deleted);
    story
}

fn declare(story: &mut Story, session: u64) {
    story.tell(Event::Disconnected(crate::SessionId(session - 1)));
    story.connect_with("e", &format!("i{session}"), session, &[], vec![Arc::new(job(JOB))]);
}

fn row(story: &Story) -> JobRow {
    story.store.jobs[&JobId(1)].clone()
}

/// Removes the job from the store, as the sweep does.
fn remove(story: &mut Story, before: Timestamp) {
    story.store.jobs.remove(&JobId(1));
    story.tell(Event::JobsRemoved { jobs: vec![JobId(1)], before });
}

#[test]
fn a_deleted_job_that_code_declares_is_dated_once_a_day() {
    let mut story = deleted();
    let since = row(&story).updated_at;
    declare(&mut story, 2);
    assert_eq!(row(&story).updated_at, since, "it was deleted today");
    story.pass(DAY);
    declare(&mut story, 3);
    assert_eq!(row(&story).updated_at, story.now.wall);
    assert!(row(&story).deleted_at.is_some(), "code does not create it again");
    let dated = row(&story).updated_at;
    story.pass(DAY / 2);
    declare(&mut story, 4);
    assert_eq!(row(&story).updated_at, dated);
}

#[test]
fn a_job_that_code_declares_after_it_was_forgotten_is_a_new_one() {
    let mut story = deleted();
    story.pass(DAY);
    let before = story.now.wall;
    remove(&mut story, before);
    declare(&mut story, 2);
    let jobs: Vec<_> = story.store.jobs.values().map(|row| (row.id, row.deleted_at)).collect();
    assert_eq!(jobs, [(JobId(2), None)]);
}

#[test]
fn a_deleted_job_that_was_declared_while_it_was_removed_is_not_forgotten() {
    let mut story = deleted();
    story.pass(DAY);
    let before = story.now.wall;
    declare(&mut story, 2);
    story.tell(Event::JobsRemoved { jobs: vec![JobId(1)], before });
    story.pass(DAY);
    declare(&mut story, 3);
    assert!(row(&story).deleted_at.is_some());
    assert_eq!(story.store.jobs.len(), 1, "code did not create it again");
}

#[test]
fn a_living_job_is_never_forgotten() {
    let mut story = Story::begin();
    story.save(JOB, Origin::Api).unwrap();
    let later = story.now.wall + jiff::SignedDuration::from_hours(1);
    story.tell(Event::JobsRemoved { jobs: vec![JobId(1)], before: later });
    let (done, _) = story.save(JOB, Origin::Api).unwrap();
    assert_eq!(done, SaveDone::Unchanged);
}

#[test]
fn the_life_of_a_connected_executor_is_kept_even_if_it_has_run_nothing() {
    let mut story = Story::begin();
    story.connect("e", "i1", 1, &[]);
    story.pass(40 * DAY);
    let (answer, mut wait) = oneshot::channel();
    story.tell(Event::Command(Command::Lives { answer }));
    assert_eq!(wait.try_recv().unwrap(), [LifeId(1)]);
}
