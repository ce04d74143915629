//! Limits of the tasks that follow from one, and of the length of a chain of jobs.

use fastjob_core::{FailReason, JobId, TaskState, attempt::End};

use super::story::Story;
use crate::{
    JobRefused, Limits,
    record::{AlarmKind, JobRow, Lineage, Origin},
};

/// Job `0` has no child; the child of every other job is the previous one.
fn link(n: usize) -> String {
    match n {
        0 => r#"{"name": "j0", "handler": "h"}"#.to_owned(),
        n => {
            format!(r#"{{"name": "j{n}", "handler": "h", "children": [{{"job": "j{}"}}]}}"#, n - 1)
        }
    }
}

#[test]
fn a_save_that_makes_a_chain_of_jobs_too_long_is_rejected() {
    let mut story = Story::begin();
    for n in 0..=100 {
        let saved = story.save(&link(n), Origin::Code);
        assert_eq!(saved.is_ok(), n < 100, "{n}: {saved:?}");
        if let Err(refused) = saved {
            let said = refused.to_string();
            assert!(said.contains("chain of 101 jobs, at most 100"), "{said}");
            assert!(said.contains("default.j100 → default.j99 → "), "{said}");
            assert!(said.ends_with("→ default.j0"), "{said}");
        }
    }
}

#[test]
fn an_existing_long_chain_does_not_overflow_the_stack() {
    let mut story = with_chain(27_000);
    // Its place in the chain does not change.
    let same = link(26_999).replace(r#""handler": "h""#, r#""handler": "other""#);
    story.save(&same, Origin::Api).unwrap();
    let refuse = |story: &mut Story, json: &str| {
        let refused = story.save(json, Origin::Api).unwrap_err();
        assert!(matches!(refused, JobRefused::Child { .. }), "{refused}");
        refused.to_string()
    };
    let above = r#"{"name": "p", "handler": "h", "children": [{"job": "j26999"}]}"#;
    let said = refuse(&mut story, above);
    assert!(said.contains("a chain of 27001 jobs"), "{said}");
    story.save(r#"{"name": "leaf", "handler": "h"}"#, Origin::Api).unwrap();
    let below = r#"{"name": "j0", "handler": "h", "children": [{"job": "leaf"}]}"#;
    assert!(refuse(&mut story, below).contains("a chain of 27001 jobs"));
    let back = r#"{"name": "j0", "handler": "h", "children": [{"job": "j26999"}]}"#;
    assert!(refuse(&mut story, back).contains("leads back to it"));
}

/// A story with a chain that an earlier release without the limit has saved.
fn with_chain(jobs: i64) -> Story {
    let mut story = Story::begin();
    story.save(&link(0), Origin::Api).unwrap();
    story.save(&link(1), Origin::Api).unwrap();
    let mut store = story.store;
    let row = store.jobs.values().find(|row| row.job.name.as_str() == "j1").unwrap().clone();
    for n in 2..jobs {
        let job = super::story::job(&link(usize::try_from(n).unwrap())).into();
        let (id, children) = (JobId(n + 1), [JobId(n)].into());
        store.jobs.insert(id, JobRow { id, job, children, ..row.clone() });
    }
    Story::resume(store, story.now)
}

/// Ends all attempts that are sent, until no more are sent. Returns their number.
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
            story.finish(session, start.row.attempt, End::Succeeded);
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
fn a_start_has_at_most_as_many_descendants_as_the_limit_allows() {
    let mut story = Story::begin();
    layers(&mut story, 20);
    story.connect("e", "i1", 1, &[]);
    let root = story.start("a0");
    let ran = run_all(&mut story, 1);
    assert!((50_000..=100_001).contains(&ran), "{ran} tasks followed from one start");
    assert_eq!(story.task_state(root), TaskState::Succeeded);
}

fn limited(story: &mut Story, descendants: u32) {
    story.limit(Limits { descendants, ..Limits::default() });
}

fn notes(story: &Story) -> Vec<&str> {
    story.store.attempts.values().filter_map(|row| row.new.note.as_deref()).collect()
}

#[test]
fn the_limit_of_descendants_survives_a_crash_and_is_noted_on_the_task_that_reached_it() {
    let mut story = Story::begin();
    limited(&mut story, 20);
    layers(&mut story, 12);
    story.connect("e", "i1", 1, &[]);
    story.start("a0");
    let sent = story.starts(1);
    story.finish(1, sent[0].row.attempt, End::Succeeded);
    // A crash in the middle, with one child running.
    let sent = story.starts(1);
    story.finish(1, sent[0].row.attempt, End::Succeeded);
    let mut story = Story::resume(story.store, story.now);
    limited(&mut story, 20);
    story.connect("e", "i1", 1, &[sent[1].row.attempt.0]);
    story.finish(1, sent[1].row.attempt, End::Succeeded);
    run_all(&mut story, 1);
    // From a budget of 20, each of the two children gets 9, each of theirs gets (9 - 2) / 2, and so
    // on, until the rest is not enough for both children of a task.
    let tasks = story.store.attempts.len();
    assert!((15..=21).contains(&tasks), "{tasks} tasks");
    let notes = notes(&story);
    assert!(!notes.is_empty());
    for note in &notes {
        let (said, left) = note.split_once(" were left for this one").unwrap();
        let (said, count) = said.rsplit_once(' ').unwrap();
        assert!(left.is_empty() && ["0", "1"].contains(&count), "{note}");
        assert_eq!(
            said,
            "2 children were not started: of the 20 tasks that may follow from one start \
             (coordinator.limits.max_descendants),"
        );
    }
}

#[test]
fn a_retry_and_the_last_shard_use_the_budget_of_their_task() {
    let mut story = Story::begin();
    limited(&mut story, 5);
    for (name, more) in [
        ("c", r#""children": []"#),
        ("b", r#""children": [{"job": "c"}], "shard": {"count": 2}"#),
        ("a", r#""children": [{"job": "b"}], "retry": {"count": 1, "delay": "1s"}"#),
        ("r", r#""children": [{"job": "a"}]"#),
    ] {
        let job = format!(r#"{{"name": "{name}", "handler": "h", {more}}}"#);
        story.save(&job, Origin::Api).unwrap();
    }
    story.connect("e", "i1", 1, &[]);
    let root = story.start("r");
    story.starts(1);
    story.finish(1, root, End::Succeeded);
    let a = story.starts(1)[0].row.attempt;
    story.finish(1, a, End::Failed(FailReason::Error));
    let mut story = Story::resume(story.store, story.now);
    limited(&mut story, 5);
    story.connect("e", "i1", 1, &[]);
    story.pass(2_000);
    run_all(&mut story, 1);
    let lineage = |job: &str| {
        let of = |id: JobId| story.store.jobs[&id].job.name.as_str() == job;
        let mut heads = story.store.attempts.values().filter(|row| of(row.new.row.job));
        heads.next().unwrap().new.lineage
    };
    let at = |depth, budget| Some(Lineage { depth, budget });
    assert_eq!(
        [lineage("r"), lineage("a"), lineage("b"), lineage("c")],
        [None, at(1, 4), at(2, 3), at(3, 2)]
    );
}

#[test]
fn a_chain_of_tasks_ends_at_the_maximum_depth() {
    let mut story = with_chain(150);
    story.connect("e", "i1", 1, &[]);
    story.start("j149");
    assert_eq!(run_all(&mut story, 1), 100);
    assert_eq!(
        notes(&story),
        [
            "1 child was not started: it is the 100th task in its chain of children, and a chain has at \
         most 100"
        ]
    );
}

#[test]
fn an_alarm_is_raised_when_children_are_not_started() {
    let mut story = Story::begin();
    limited(&mut story, 1);
    for (name, children) in [("b", ""), ("a", r#"{"job": "b"}"#)] {
        let job = format!(
            r#"{{"name": "{name}", "handler": "h", "alarms": ["ops"], "children": [{children}]}}"#
        );
        story.save(&job, Origin::Api).unwrap();
    }
    let twice = r#"{"name": "two", "handler": "h", "alarms": ["ops"],
        "children": [{"job": "a"}, {"job": "b"}]}"#;
    story.save(twice, Origin::Api).unwrap();
    story.connect("e", "i1", 1, &[]);
    let task = story.start("two");
    story.finish(1, task, End::Succeeded);
    let alarm = story.alarms.pop().unwrap();
    assert_eq!((alarm.kind, alarm.reason.as_str()), (AlarmKind::Failed, "children not started"));
    assert!(alarm.message.starts_with("2 children were not started: of the 1 tasks"), "{alarm:?}");
    assert_eq!(story.task_state(task), TaskState::Succeeded, "the task itself did");
    // Without the second child, the next task recovers the job.
    story.save(&twice.replace(r#", {"job": "b"}"#, ""), Origin::Api).unwrap();
    let task = story.start("two");
    story.finish(1, task, End::Succeeded);
    assert_eq!(story.alarms.pop().unwrap().kind, AlarmKind::Recovered);
}

#[test]
fn a_job_can_be_deleted_once_it_has_no_parents() {
    let mut story = Story::begin();
    story.save(r#"{"name": "c", "handler": "h"}"#, Origin::Api).unwrap();
    for parent in ["p", "q"] {
        let job =
            format!(r#"{{"name": "{parent}", "handler": "h", "children": [{{"job": "c"}}]}}"#);
        story.save(&job, Origin::Api).unwrap();
    }
    let mut story = Story::resume(story.store, story.now);
    let Err(JobRefused::IsChild { parents }) = story.delete("c") else { panic!("it was deleted") };
    assert_eq!(parents, ["`default.p`", "`default.q`"]);
    story.save(r#"{"name": "p", "handler": "h"}"#, Origin::Api).unwrap();
    story.delete("q").unwrap();
    story.delete("c").unwrap();
}

#[test]
fn code_declares_children_of_its_own_service_only() {
    let mut story = Story::begin();
    story.save(r#"{"name": "cmd", "handler": "commandJobHandler"}"#, Origin::Api).unwrap();
    story.save(r#"{"service": "evil", "name": "own", "handler": "h"}"#, Origin::Code).unwrap();
    let parent = |child: &str| {
        format!(
            r#"{{"service": "evil", "name": "p", "handler": "h", "children": [{{"job": "{child}"}}]}}"#
        )
    };
    for child in ["default.cmd", "cmd"] {
        let refused = story.save(&parent(child), Origin::Code).unwrap_err().to_string();
        assert!(refused.contains("is not a job of service `evil`"), "{refused}");
        assert!(refused.contains("fastjob job apply"), "{refused}");
    }
    story.save(&parent("own"), Origin::Code).unwrap();
    story.save(&parent("default.cmd"), Origin::Api).expect("a user may");
    let (done, row) = story.save(&parent("own"), Origin::Code).unwrap();
    assert_eq!(done, crate::SaveDone::Unchanged, "code does not change it from then on");
    assert_eq!(row.job.children[0].job.as_str(), "default.cmd");
}

#[test]
fn the_full_name_of_a_job_is_preferred_to_the_same_text_as_a_name_in_another_service() {
    let mut story = Story::begin();
    story.save(r#"{"name": "cmd", "handler": "h"}"#, Origin::Api).unwrap();
    let alike = r#"{"service": "evil", "name": "default.cmd", "handler": "h"}"#;
    story.save(alike, Origin::Code).unwrap();
    let parent = r#"{"service": "mail", "name": "p", "handler": "h",
        "children": [{"job": "default.cmd"}]}"#;
    let (_, row) = story.save(parent, Origin::Api).unwrap();
    let meant = story.save(r#"{"name": "cmd", "handler": "h"}"#, Origin::Api).unwrap().1.id;
    assert_eq!(*row.children, [meant]);
}
