//! Starts by a path with a service, which the engine of one partition can decide alone.

use fastjob_core::{Cause, JobId};
use tokio::sync::oneshot;

use super::story::Story;
use crate::{
    Command, Event, JobRefused, Start, StartAnswer, StartKey, StartedTask, Target, When,
    record::Origin,
};

fn save(story: &mut Story, service: &str, name: &str) -> JobId {
    let job = format!(r#"{{"service": "{service}", "name": "{name}", "handler": "h"}}"#);
    story.save(&job, Origin::Api).unwrap().1.id
}

fn start(story: &mut Story, job: Target, key: Option<&str>) -> StartAnswer {
    let (answer, mut wait) = oneshot::channel();
    let key = key.map(|text| StartKey { text: text.into(), looked_at: story.now.uptime });
    let (cause, at) = (Cause::Api, When::Now);
    let ask = Start { job, cause, param: None, at, executor: None, key, trace: None };
    story.tell(Event::Command(Command::Start { ask, answer }));
    wait.try_recv().unwrap()
}

fn with_service(path: &str) -> Target {
    Target::WithService(path.parse().unwrap())
}

fn by_path(path: &str) -> Target {
    Target::Path(path.parse().unwrap())
}

/// The job of a task that was started.
fn job_of(story: &Story, started: StartAnswer) -> JobId {
    let task = started.unwrap().task;
    story.store.attempts[&task.first_attempt()].new.row.job
}

#[test]
fn a_start_with_a_service_never_starts_a_job_whose_whole_name_the_path_is() {
    let mut story = Story::begin();
    let whole = save(&mut story, "other", "a.b");
    let unknown = || -> StartAnswer { Err(JobRefused::Unknown("a.b".to_owned())) };
    assert_eq!(start(&mut story, with_service("a.b"), None), unknown());
    assert_eq!(start(&mut story, with_service("a.b"), Some("k")), unknown());
    assert!(story.store.attempts.is_empty(), "nothing was started");
    let started = start(&mut story, by_path("a.b"), None);
    assert_eq!(job_of(&story, started), whole);

    let own = save(&mut story, "a", "b");
    for target in [with_service("a.b"), by_path("a.b")] {
        let started = start(&mut story, target, None);
        assert_eq!(job_of(&story, started), own);
    }
    story.delete("a.b").unwrap();
    assert_eq!(start(&mut story, with_service("a.b"), None), unknown());
    let started = start(&mut story, by_path("a.b"), None);
    assert_eq!(job_of(&story, started), whole);
}

#[test]
fn a_path_with_several_readings_starts_a_job_only_if_one_of_them_is_living() {
    let mut story = Story::begin();
    let first = save(&mut story, "a", "b.c");
    let started = start(&mut story, with_service("a.b.c"), None);
    assert_eq!(job_of(&story, started), first);
    let second = save(&mut story, "a.b", "c");
    assert_ne!(first, second);
    let refused = start(&mut story, with_service("a.b.c"), None);
    assert!(matches!(refused, Err(JobRefused::Ambiguous { .. })), "{refused:?}");
    // A bare name has no service.
    save(&mut story, "x", "m");
    let refused = start(&mut story, with_service("m"), None);
    assert_eq!(refused, Err(JobRefused::Unknown("m".to_owned())));
}

#[test]
fn a_key_starts_one_task_however_the_job_is_named() {
    let mut story = Story::begin();
    save(&mut story, "a", "b");
    // The engine is older than the lookups of the key.
    story.pass(1_000);
    let first = start(&mut story, with_service("a.b"), Some("k")).unwrap();
    assert!(first.is_new);
    let again = StartedTask { is_new: false, ..first };
    for target in [with_service("a.b"), by_path("a.b"), by_path("b")] {
        assert_eq!(start(&mut story, target, Some("k")), Ok(again));
    }
    assert_eq!(story.store.attempts.len(), 1);
}
