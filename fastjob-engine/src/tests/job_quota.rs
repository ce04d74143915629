//! Limits of the number of jobs and of the size of their definitions.

use std::sync::Arc;

use super::story::{Story, job};
use crate::{
    Command, Condition, ConnectAnswer, Declared, JobQuota, JobRefused, SaveAnswer, record::Origin,
};

fn story(quota: JobQuota) -> Story {
    let mut story = Story::begin();
    story.engine.catalog.set_quota(quota);
    story
}

fn save(story: &mut Story, name: &str, param: usize) -> SaveAnswer {
    let param = "x".repeat(param);
    story.save(&format!(r#"{{"name": "{name}", "handler": "h", "param": "{param}"}}"#), Origin::Api)
}

#[track_caller]
fn refused(answer: SaveAnswer, setting: &str) {
    let Err(JobRefused::TooMany(why)) = answer else { panic!("{answer:?}") };
    assert!(why.contains(setting), "{why}");
}

#[test]
fn jobs_are_bounded_in_number_and_deleted_ones_count_until_they_are_removed() {
    let mut story = story(JobQuota { jobs: 2, ..JobQuota::default() });
    save(&mut story, "a", 0).unwrap();
    save(&mut story, "b", 0).unwrap();
    refused(save(&mut story, "c", 0), "max_jobs");
    save(&mut story, "a", 10).expect("an existing job can be changed");
    let (answer, mut wait) = tokio::sync::oneshot::channel();
    let path = "a".parse().unwrap();
    story.tell(crate::Event::Command(Command::Delete {
        job: path,
        only: None,
        condition: Condition::Unconditional,
        answer,
    }));
    let (_, row) = wait.try_recv().unwrap().unwrap();
    refused(save(&mut story, "c", 0), "deleted ones");
    story.pass(1_000);
    let before = story.now.wall;
    story.tell(crate::Event::JobsRemoved { jobs: vec![row.id], before });
    save(&mut story, "c", 0).unwrap();
}

#[test]
fn jobs_are_bounded_in_bytes() {
    let mut story = story(JobQuota { bytes: 100_000, ..JobQuota::default() });
    save(&mut story, "a", 60_000).unwrap();
    refused(save(&mut story, "b", 60_000), "max_job_definitions");
    save(&mut story, "b", 20_000).unwrap();
    refused(save(&mut story, "b", 60_000), "max_job_definitions");
    save(&mut story, "a", 10_000).expect("a smaller definition is always accepted");
    save(&mut story, "b", 60_000).unwrap();
    refused(save(&mut story, "c", 60_000), "max_job_definitions");
}

#[test]
fn an_executor_that_declares_too_many_jobs_is_accepted_without_them() {
    let mut story = story(JobQuota { jobs: 1, ..JobQuota::default() });
    let jobs = ["a", "b"].map(|name| job(&format!(r#"{{"name": "{name}", "handler": "h"}}"#)));
    let answer = story.connect_with("e", "i1", 1, &[], jobs.map(Arc::new).into());
    let ConnectAnswer::Welcome(Declared { refused, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(refused.len(), 1);
    assert!(refused[0].starts_with("b: ") && refused[0].contains("max_jobs"), "{refused:?}");
    let task = story.start("a");
    assert_eq!(story.starts(1)[0].row.attempt, task);
}
