//! How many tasks may follow from one, and how long a chain of jobs may be.

use fastjob_core::{TaskState, attempt::End};

use super::story::Story;
use crate::{engine::JobRefused, record::Origin};

/// `0` has no child, every other job has the one before it.
fn link(n: usize) -> String {
    match n {
        0 => r#"{"name": "j0", "handler": "h"}"#.to_owned(),
        n => {
            format!(r#"{{"name": "j{n}", "handler": "h", "children": [{{"job": "j{}"}}]}}"#, n - 1)
        }
    }
}

#[test]
fn a_chain_of_jobs_is_refused_where_it_becomes_too_long() {
    let mut story = Story::begin();
    for n in 0..27_000 {
        let saved = story.save(&link(n), Origin::Code);
        assert_eq!(saved.is_ok(), n < 100, "{n}: {saved:?}");
        if n == 100 {
            let Err(refused) = saved else { unreachable!() };
            let said = refused.to_string();
            assert!(said.contains("chain of 101 jobs, at most 100"), "{said}");
            assert!(said.contains("default.j100 → default.j99 → "), "{said}");
            assert!(said.ends_with("→ default.j0"), "{said}");
            break;
        }
    }
}

#[test]
fn a_long_chain_that_is_there_already_does_not_overflow_the_stack() {
    let mut story = Story::begin();
    story.save(&link(0), Origin::Code).unwrap();
    story.save(&link(1), Origin::Code).unwrap();
    // As an earlier release left it, which knew no limit.
    let mut store = story.store;
    let row = store.jobs.values().find(|row| &*row.job.name.to_string() == "j1").unwrap().clone();
    for n in 2..27_000_i64 {
        let job = super::story::job(&link(usize::try_from(n).unwrap())).into();
        let id = fastjob_core::JobId(n + 1);
        let children = [fastjob_core::JobId(n)].into();
        store.jobs.insert(id, crate::record::JobRow { id, job, children, ..row.clone() });
    }
    let mut story = Story::carry_on(store, story.now);
    let parent = r#"{"name": "p", "handler": "h", "children": [{"job": "j26999"}]}"#;
    assert!(matches!(story.save(parent, Origin::Api), Err(JobRefused::Child { .. })));
    let same = link(26_999).replace(r#""handler": "h""#, r#""handler": "other""#);
    story.save(&same, Origin::Api).unwrap();
}

/// Ends everything that is sent until nothing is, and counts it.
pub(super) fn run_all(story: &mut Story, session: u64) -> usize {
    let mut ran = 0;
    loop {
        let sent = story.starts(session);
        if sent.is_empty() {
            return ran;
        }
        for start in sent {
            ran += 1;
            let mut carried = std::mem::take(&mut story.sent);
            story.finish(session, start.attempt, End::Succeeded);
            carried.append(&mut story.sent);
            story.sent = carried;
        }
    }
}

/// Layers of two jobs, each of which starts both of the next layer.
pub(super) fn layers(story: &mut Story, many: usize) {
    for layer in (0..many).rev() {
        for side in ["a", "b"] {
            let children = match layer + 1 < many {
                true => {
                    let next = layer + 1;
                    format!(r#"{{"job": "a{next}"}}, {{"job": "b{next}"}}"#)
                }
                false => String::new(),
            };
            let job =
                format!(r#"{{"name": "{side}{layer}", "handler": "h", "children": [{children}]}}"#);
            story.save(&job, Origin::Api).unwrap();
        }
    }
}

#[test]
fn a_task_starts_no_more_than_its_root_may_have_descendants() {
    let mut story = Story::begin();
    layers(&mut story, 20);
    story.connect("e", "i1", 1, &[]);
    let root = story.start("a0");
    let ran = run_all(&mut story, 1);
    assert!(ran <= 100_001, "{ran} tasks followed from one start");
    assert_eq!(story.task_state(root), TaskState::Succeeded);
}
