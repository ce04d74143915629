//! The traces of tasks: what is passed on, and what is reported.

use fastjob_core::{
    AttemptId, Cause, FailReason, TaskState, Trace, TraceContext, attempt::End, trace::Sampler,
};

use super::story::Story;
use crate::{AttemptSpan, Limits, OpenLimit, Span, TaskSpan, record::Origin};

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 a=1";

fn caller() -> Trace {
    CALLER.parse().unwrap()
}

fn unsampled() -> Trace {
    let trace = caller();
    trace.at(TraceContext { is_sampled: false, ..trace.context })
}

/// An engine that records this share of new traces.
fn recording(share: f64) -> Story {
    let story = Story::begin();
    Story::resume_with(story.store, story.now, Sampler::new(share).ok())
}

/// The same store, with an engine that records all traces.
fn resumed(story: Story) -> Story {
    Story::resume_with(story.store, story.now, Sampler::new(1.0).ok())
}

fn save(story: &mut Story, rest: &str) {
    story.save(&format!(r#"{{"name": "m", "handler": "h"{rest}}}"#), Origin::Api).unwrap();
}

fn attempts(story: &Story) -> Vec<&AttemptSpan> {
    let spans = story.spans.iter();
    spans.filter_map(|span| if let Span::Attempt(it) = span { Some(&**it) } else { None }).collect()
}

fn tasks(story: &Story) -> Vec<&TaskSpan> {
    let spans = story.spans.iter();
    spans.filter_map(|span| if let Span::Task(it) = span { Some(&**it) } else { None }).collect()
}

#[test]
fn a_task_and_its_attempts_are_spans_of_the_trace_of_the_caller() {
    let mut story = recording(0.0);
    save(&mut story, r#", "retry": {"count": 1, "delay": "0s"}"#);
    story.connect("e", "i1", 1, &[]);
    let first = story.start_in("m", caller());
    let [sent] = &story.starts(1)[..] else { panic!("one is sent") };
    let context = caller().context;
    assert_eq!(sent.trace, Some(caller().at(context.of_attempt(first))));
    story.pass(500);
    story.finish(1, first, End::Failed(FailReason::Error));
    let [again] = &story.starts(1)[..] else { panic!("its retry is sent") };
    let second = again.row.attempt;
    assert_eq!(again.trace, Some(caller().at(context.of_attempt(second))));
    story.pass(500);
    story.finish(1, second, End::Succeeded);

    let ended: Vec<_> = attempts(&story).iter().map(|it| (it.row.attempt, it.end)).collect();
    assert_eq!(ended, [(first, End::Failed(FailReason::Error)), (second, End::Succeeded)]);
    for span in attempts(&story) {
        let task = context.of_task(span.row.task);
        assert_eq!(span.contexts(), (context.of_attempt(span.row.attempt), task));
        assert_eq!(span.executor.as_ref().unwrap().as_str(), "e");
        assert_eq!(span.ended_at.duration_since(span.sent_at.unwrap()).as_millis(), 500);
    }
    let [task] = tasks(&story)[..] else { panic!("{:?}", story.spans) };
    assert_eq!(task.contexts(), (context.of_task(task.task), Some(context)));
    assert_eq!(task.ended_at.duration_since(task.trace.since).as_millis(), 1_000);
    assert_eq!((task.state, task.cause), (TaskState::Succeeded, Cause::Api));
}

#[test]
fn spans_have_the_same_ids_after_a_restart_and_tell_when_the_task_began() {
    let mut story = recording(1.0);
    save(&mut story, r#", "retry": {"count": 1, "delay": "0s"}"#);
    story.connect("e", "i1", 1, &[]);
    let first = story.start_in("m", caller());
    story.starts(1);
    let since = story.now.wall;
    story.pass(500);
    story.finish(1, first, End::Failed(FailReason::Error));
    let second = story.starts(1)[0].row.attempt;
    let mut story = resumed(story);
    story.connect("e", "i1", 2, &[second.0]);
    story.finish(2, second, End::Succeeded);
    let [attempt] = attempts(&story)[..] else { panic!("{:?}", story.spans) };
    assert_eq!(attempt.contexts().0, caller().context.of_attempt(second));
    assert_eq!(attempt.sent_at, None, "another engine has sent it");
    let [task] = tasks(&story)[..] else { panic!("{:?}", story.spans) };
    assert_eq!(task.contexts().1, Some(caller().context));
    assert_eq!(task.trace.since, since);
}

#[test]
fn nothing_is_reported_of_traces_that_are_not_recorded() {
    let mut story = recording(1.0);
    save(&mut story, "");
    story.connect("e", "i1", 1, &[]);
    for trace in [None, Some(unsampled())] {
        let attempt = match &trace {
            Some(trace) => story.start_in("m", trace.clone()),
            None => story.start("m"),
        };
        // It is passed on as it came: a span that is not recorded is not a parent.
        assert_eq!(story.starts(1)[0].trace, trace);
        story.finish(1, attempt, End::Succeeded);
    }
    assert_eq!(story.spans, []);
    // A node without a collector.
    let mut story = Story::resume(story.store, story.now);
    story.connect("e", "i2", 1, &[]);
    let attempt = story.start_in("m", caller());
    assert_eq!(story.starts(1)[0].trace, Some(caller()));
    story.finish(1, attempt, End::Succeeded);
    assert_eq!(story.spans, []);
}

#[test]
fn children_come_under_the_attempt_whose_end_started_them() {
    let mut story = recording(1.0);
    story.save(r#"{"name": "c", "handler": "h"}"#, Origin::Api).unwrap();
    save(&mut story, r#", "children": [{"job": "c"}]"#);
    story.connect("e", "i1", 1, &[]);
    let parent = story.start_in("m", caller());
    story.starts(1);
    story.finish(1, parent, End::Succeeded);
    let child = story.starts(1)[0].row;
    story.finish(1, child.attempt, End::Succeeded);
    let last = tasks(&story)[1];
    let context = caller().context;
    assert_eq!(last.contexts(), (context.of_task(child.task), Some(context.of_attempt(parent))));
    // That of a task without a trace has none, although all new traces are recorded.
    story.spans.clear();
    let parent = story.start("m");
    story.starts(1);
    story.finish(1, parent, End::Succeeded);
    let child = story.starts(1)[0].clone();
    assert_eq!(child.trace, None);
    story.finish(1, child.row.attempt, End::Succeeded);
    assert_eq!(story.spans, []);
}

#[test]
fn the_trace_of_a_fire_begins_with_its_task_if_it_is_recorded() {
    let run = |share| {
        let mut story = recording(share);
        story.connect("e", "i1", 1, &[]);
        save(&mut story, r#", "schedule": {"fixed_rate": "1s"}"#);
        for _ in 0..40 {
            story.pass(100);
            for start in story.starts(1) {
                story.finish(1, start.row.attempt, End::Succeeded);
            }
        }
        story
    };
    assert_eq!(run(0.0).spans, []);
    let story = run(1.0);
    let all = tasks(&story);
    assert!(all.len() >= 3, "{:?}", story.spans);
    let mut traces = std::collections::HashSet::new();
    for task in all {
        let (own, parent) = task.contexts();
        assert_eq!(parent, None);
        assert!(own.is_sampled && task.fire_at.is_some());
        assert!(traces.insert(own.trace), "each is a trace of its own");
        let attempt: AttemptId = task.task.first_attempt();
        let attempt = attempts(&story).into_iter().find(|it| it.row.attempt == attempt).unwrap();
        assert_eq!(attempt.contexts(), (own.of_attempt(attempt.row.attempt), own));
    }
}

#[test]
fn each_shard_is_a_span_of_the_task() {
    let mut story = recording(1.0);
    save(&mut story, r#", "shard": {"count": 2}"#);
    story.connect("e", "i1", 1, &[]);
    story.start_in("m", caller());
    for start in story.starts(1) {
        story.finish(1, start.row.attempt, End::Succeeded);
    }
    let [one, other] = attempts(&story)[..] else { panic!("{:?}", story.spans) };
    assert_eq!((one.row.shard.index, other.row.shard.index), (0, 1));
    assert_ne!(one.contexts().0, other.contexts().0);
    assert_eq!(one.contexts().1, other.contexts().1);
    assert_eq!(tasks(&story).len(), 1);
}

#[test]
fn a_child_that_exceeds_a_limit_is_reported_as_skipped() {
    let mut story = recording(1.0);
    story.save(r#"{"name": "c", "handler": "h"}"#, Origin::Api).unwrap();
    save(&mut story, r#", "children": [{"job": "c"}]"#);
    story.connect("e", "i1", 1, &[]);
    let parent = story.start_in("m", caller());
    story.starts(1);
    let open = OpenLimit::new(0, u64::MAX).into();
    story.limit(Limits { open, ..Limits::default() });
    story.finish(1, parent, End::Succeeded);
    let states: Vec<_> = tasks(&story).iter().map(|task| task.state).collect();
    assert!(states.contains(&TaskState::Skipped), "{:?}", story.spans);
    let skipped = tasks(&story).into_iter().find(|task| task.state == TaskState::Skipped).unwrap();
    assert_eq!(skipped.contexts().1, Some(caller().context.of_attempt(parent)));
    assert!(skipped.message.as_deref().unwrap().contains("not started"), "{skipped:?}");
}
