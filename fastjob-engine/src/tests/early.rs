//! Fires that are sent before they are due.

use std::time::Duration;

use fastjob_core::{AttemptId, TaskState, attempt::End};
use jiff::SignedDuration;
use tokio::sync::oneshot;

use super::story::Story;
use crate::{
    Command, Condition, Event, SaveAnswer, StartAttempt, Switch, record::Origin,
    rules::early::EARLY,
};

const EACH_SECOND: &str = r#"{"name": "m", "handler": "h", "schedule": {"fixed_rate": "1s"}}"#;

fn connect(story: &mut Story, executor: &str, session: u64, holding: &[i64]) {
    story.connect_as(executor, "i1", session, holding, |connected| {
        connected.accepts_early = true;
        connected.capacity = 4;
    });
}

fn begin(job: &str) -> Story {
    let mut story = Story::begin();
    connect(&mut story, "e", 1, &[]);
    story.save(job, Origin::Api).unwrap();
    story
}

/// What is sent to session 1 while this much time passes.
fn sent_within(story: &mut Story, millis: i64) -> Vec<StartAttempt> {
    story.pass(millis);
    story.starts(1)
}

fn switch(story: &mut Story, to: Switch) -> oneshot::Receiver<SaveAnswer> {
    let (answer, wait) = oneshot::channel();
    let job = "m".parse().unwrap();
    story.tell(Event::Command(Command::Switch {
        job,
        to,
        condition: Condition::Unconditional,
        answer,
    }));
    wait
}

#[test]
fn a_fire_leaves_before_it_is_due_and_is_entered_when_it_is() {
    let mut story = begin(EACH_SECOND);
    assert!(sent_within(&mut story, 975).is_empty());
    let sent = sent_within(&mut story, 10);
    let [start] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(start.enter_at, Some(Duration::from_secs(1)));
    assert!(sent_within(&mut story, 15).is_empty(), "it is sent once");
}

#[test]
fn a_fire_that_leaves_late_is_still_entered_when_it_is_due() {
    let mut story = begin(EACH_SECOND);
    sent_within(&mut story, 700);
    assert_eq!(sent_within(&mut story, 295)[0].enter_at, Some(Duration::from_secs(1)));
}

#[test]
fn an_executor_that_does_not_accept_attempts_early_is_sent_them_when_they_are_due() {
    let mut story = Story::begin();
    story.connect("e", "i1", 1, &[]);
    story.save(EACH_SECOND, Origin::Api).unwrap();
    assert!(sent_within(&mut story, 999).is_empty());
    assert_eq!(sent_within(&mut story, 1)[0].enter_at, None);
}

#[test]
fn fires_with_a_rule_across_the_cluster_or_with_shards_leave_when_they_are_due() {
    for rule in [r#""block": {"strategy": "serial", "scope": "cluster"}"#, r#""shard": "all""#] {
        let job = format!(
            r#"{{"name": "m", "handler": "h", "schedule": {{"fixed_rate": "1s"}}, {rule}}}"#
        );
        let mut story = begin(&job);
        assert!(sent_within(&mut story, 999).is_empty(), "{rule}");
        assert_eq!(sent_within(&mut story, 1)[0].enter_at, None, "{rule}");
    }
}

#[test]
fn a_quarter_of_the_places_is_for_attempts_that_are_due() {
    let mut story = begin(EACH_SECOND);
    story.save(r#"{"name": "long", "handler": "h"}"#, Origin::Api).unwrap();
    for _ in 0..3 {
        story.start("long");
    }
    assert_eq!(story.starts(1).len(), 3);
    assert!(sent_within(&mut story, 999).is_empty());
    assert_eq!(sent_within(&mut story, 1)[0].enter_at, None);
}

#[test]
fn a_disable_is_answered_when_nothing_that_was_sent_early_can_start_after_it() {
    let mut story = begin(EACH_SECOND);
    sent_within(&mut story, 985);
    let mut off = switch(&mut story, Switch::Off);
    assert!(sent_within(&mut story, 19).is_empty());
    assert!(off.try_recv().is_err(), "its executor may consider the fire due a little later");
    story.pass(1);
    assert!(off.try_recv().unwrap().is_ok());
    assert!(sent_within(&mut story, 5_000).is_empty());
    let open = story.store.attempts.values().filter(|row| row.ended.is_none()).count();
    assert_eq!(open, 1, "only the fire that was sent");
}

#[test]
fn while_a_change_waits_no_other_fire_leaves_early_and_later_changes_follow_it() {
    let mut story = begin(r#"{"name": "m", "handler": "h", "schedule": {"fixed_rate": "100ms"}}"#);
    story.pass(1_000);
    story.starts(1);
    for attempt in story.store.attempts.keys().copied().collect::<Vec<_>>() {
        story.finish(1, attempt, End::Succeeded);
    }
    sent_within(&mut story, 85);
    let mut off = switch(&mut story, Switch::Off);
    sent_within(&mut story, 5);
    let mut on = switch(&mut story, Switch::On);
    let mut waited = 5;
    while off.try_recv().is_err() {
        assert!(on.try_recv().is_err(), "the second change overtook the first one");
        assert!(story.starts(1).iter().all(|start| start.enter_at.is_none()));
        story.pass(5);
        waited += 5;
        assert!(waited <= EARLY.as_millis(), "the change waits for longer than it has to");
    }
    assert!(on.try_recv().unwrap().is_ok());
    story.pass(1_000);
    assert!(!story.starts(1).is_empty(), "the job is enabled");
}

#[test]
fn other_jobs_change_at_once() {
    let mut story = begin(EACH_SECOND);
    story.save(r#"{"name": "other", "handler": "h"}"#, Origin::Api).unwrap();
    assert_eq!(sent_within(&mut story, 990).len(), 1);
    let (answer, mut wait) = oneshot::channel();
    story.tell(Event::Command(Command::Delete {
        job: "other".parse().unwrap(),
        only: None,
        condition: Condition::Unconditional,
        answer,
    }));
    assert!(wait.try_recv().unwrap().is_ok());
}

#[test]
fn a_change_waits_for_fires_that_an_earlier_engine_may_have_sent_early() {
    let mut story = begin(EACH_SECOND);
    let sent = sent_within(&mut story, 990)[0].row.attempt;
    // The clock of its node may be behind or ahead of the one before.
    story.now.wall += SignedDuration::from_millis(400);
    let mut next = Story::resume(story.store.clone(), story.now);
    let mut off = switch(&mut next, Switch::Off);
    connect(&mut next, "e", 1, &[sent.0]);
    next.pass(254);
    assert!(off.try_recv().is_err());
    next.pass(1);
    assert!(off.try_recv().unwrap().is_ok());
    assert!(sent_within(&mut next, 3_000).is_empty());
}

#[test]
fn a_fire_that_its_executor_returns_before_it_is_due_runs_on_another_one() {
    let mut story = begin(EACH_SECOND);
    let sent = sent_within(&mut story, 990)[0].row.attempt;
    connect(&mut story, "f", 2, &[]);
    story.leave(1, &[sent]);
    story.pass(9);
    assert!(story.starts(2).is_empty(), "it is not due yet");
    story.pass(1);
    let again: Vec<AttemptId> = story.starts(2).iter().map(|start| start.row.attempt).collect();
    assert_eq!(again, [sent]);
}

#[test]
fn a_fire_can_be_stopped_before_it_is_due() {
    let mut story = begin(EACH_SECOND);
    let sent = sent_within(&mut story, 990)[0].row;
    let (answer, mut wait) = oneshot::channel();
    story.tell(Event::Command(Command::Stop { task: sent.task, why: None, answer }));
    wait.try_recv().unwrap().unwrap();
    story.finish(1, sent.attempt, End::Stopped);
    assert_eq!(story.task_state(sent.attempt), TaskState::Stopped);
}

#[test]
fn of_many_fires_of_one_instant_each_leaves_a_little_earlier_than_the_one_before() {
    let mut story = Story::begin();
    story.connect_as("e", "i1", 1, &[], |connected| {
        connected.accepts_early = true;
        connected.capacity = 100_000;
    });
    for n in 0..2_000 {
        let job = EACH_SECOND.replace(r#""m""#, &format!(r#""m{n}""#));
        story.save(&job, Origin::Api).unwrap();
    }
    story.now.wall += SignedDuration::from_millis(900);
    story.now.uptime += Duration::from_millis(900);
    let left: Vec<_> = (0..20).map(|_| sent_within(&mut story, 5).len()).collect();
    assert_eq!(left.iter().sum::<usize>(), 2_000, "{left:?}");
    assert!(left.iter().all(|sent| *sent <= 1_100), "they leave in steps: {left:?}");
    assert_eq!(left.last(), Some(&0), "all have left before they are due: {left:?}");
}

#[test]
fn a_fire_whose_executor_is_gone_before_it_has_left_is_placed_when_it_is_due() {
    let mut story = begin(EACH_SECOND);
    story.pass(500);
    story.connect("f", "i1", 2, &[]);
    story.leave(1, &[]);
    story.tell(Event::Disconnected(crate::SessionId(1)));
    story.pass(499);
    assert!(story.starts(2).is_empty(), "it is not due yet");
    story.pass(1);
    assert_eq!(story.starts(2).len(), 1);
}

#[test]
fn a_job_that_gets_a_rule_across_the_cluster_sends_its_recorded_fires_when_they_are_due() {
    let mut story = begin(EACH_SECOND);
    story.pass(500);
    let job = r#"{"name": "m", "handler": "h", "schedule": {"fixed_rate": "1s"},
                  "block": {"strategy": "serial", "scope": "cluster"}}"#;
    story.save(job, Origin::Api).unwrap();
    assert!(sent_within(&mut story, 499).is_empty());
    assert_eq!(sent_within(&mut story, 1)[0].enter_at, None);
}
