//! Jobs that follow the end of a task.

use fastjob_core::{TaskState, attempt::End};

use super::story::Story;
use crate::{JobRefused, record::Origin};

fn child_of(story: &Story, parent: i64) -> Vec<String> {
    let mut children: Vec<_> = story
        .store
        .attempts
        .values()
        .filter(|row| row.new.parent.is_some_and(|task| task.0 == parent))
        .map(|row| &story.store.jobs[&row.new.row.job].job)
        .map(|job| format!("{}.{}", job.service, job.name))
        .collect();
    children.sort();
    children
}

#[test]
fn the_name_of_a_child_is_resolved_when_its_parent_is_saved() {
    let mut story = Story::begin();
    story.save(r#"{"name": "mail", "service": "post", "handler": "h"}"#, Origin::Api).unwrap();
    let parent = r#"{"name": "p", "handler": "h", "children": [{"job": "mail"}]}"#;
    story.save(parent, Origin::Api).unwrap();
    // Now the name could mean two jobs, one of them in the parent's service.
    for service in ["default", "other"] {
        let other = format!(r#"{{"name": "mail", "service": "{service}", "handler": "h"}}"#);
        story.save(&other, Origin::Api).unwrap();
    }
    story.connect("e", "i1", 1, &[]);
    let attempt = story.start("p");
    story.finish(1, attempt, End::Succeeded);
    assert_eq!(story.task_state(attempt), TaskState::Succeeded);
    assert_eq!(child_of(&story, attempt.0), ["post.mail"]);
    // Also after a restart.
    let mut story = Story::resume(story.store, story.now);
    story.connect("e", "i1", 1, &[]);
    let attempt = story.start("p");
    story.finish(1, attempt, End::Succeeded);
    assert_eq!(child_of(&story, attempt.0), ["post.mail"]);
}

#[test]
fn a_job_that_is_saved_later_cannot_close_a_cycle() {
    let mut story = Story::begin();
    story.save(r#"{"name": "b", "service": "far", "handler": "h"}"#, Origin::Api).unwrap();
    story
        .save(r#"{"name": "a", "handler": "h", "children": [{"job": "b"}]}"#, Origin::Api)
        .unwrap();
    // A job in the parent's service, which the child's name would mean now.
    let other = r#"{"name": "b", "handler": "h", "children": [{"job": "a"}]}"#;
    story.save(other, Origin::Api).unwrap();
    // The next save of the parent would resolve its name to this job.
    let again = r#"{"name": "a", "handler": "x", "children": [{"job": "b"}]}"#;
    assert!(matches!(story.save(again, Origin::Api), Err(JobRefused::Child { .. })));
}
