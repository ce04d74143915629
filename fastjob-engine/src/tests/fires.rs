//! Which fires are planned, and when the search for them continues.

use std::{collections::BTreeMap, time::Duration};

use fastjob_core::{AttemptId, FailReason, attempt::End};
use jiff::SignedDuration;

use super::story::Story;
use crate::{Event, JobRefused, Switch, record::Origin};

/// With each fire, the rate drifts by a tenth of a second, out of the one minute of an hour in
/// which it may fire. It returns to that minute after four years.
#[test]
fn a_job_whose_fires_are_excluded_for_years_fires_when_they_are_allowed_again() {
    let hours: Vec<String> = (0..24).map(|hour| format!(r#""{hour}:01-{}""#, hour + 1)).collect();
    let mut story = Story::begin();
    let begun = story.now.wall;
    let job = format!(
        r#"{{"name": "m", "handler": "h", "schedule": {{"fixed_rate": "3600100ms"}},
             "exclude": {{"hours": [{}]}}}}"#,
        hours.join(",")
    );
    story.save(&job, Origin::Api).unwrap();
    let fire = |nth: i64| begun + SignedDuration::from_millis(nth * 3_600_100);
    let next = fire(60 * 600);
    while story.now.wall < next {
        let left = next.duration_since(story.now.wall).as_millis();
        story.pass(i64::try_from(left).unwrap().min(40 * 86_400_000));
    }
    let fires: Vec<_> =
        story.store.attempts.values().filter_map(|row| row.new.row.fire_at).collect();
    assert_eq!(fires.last(), Some(&next), "{fires:?}");
    assert!(
        fires.iter().all(|fire| *fire <= begun + SignedDuration::from_hours(601) || *fire == next)
    );
}

#[test]
fn a_fixed_delay_that_is_shortened_right_after_a_takeover_continues() {
    let delay = |delay| {
        format!(r#"{{"name": "m", "handler": "h", "schedule": {{"fixed_delay": "{delay}"}}}}"#)
    };
    let mut story = Story::begin();
    story.connect("e", "i1", 1, &[]);
    story.save(&delay("700ms"), Origin::Api).unwrap();
    let mut next = Story::resume(story.store.clone(), story.now);
    next.tell(Event::Tick);
    next.save(&delay("200ms"), Origin::Api).unwrap();
    next.connect("e", "i1", 1, &[]);
    next.pass(1_000);
    assert_eq!(next.starts(1).len(), 1);
}

/// The first fire of a job was sent by an engine that crashed before it could record that its clock
/// had reached the fire. The clock of the next engine has not. Returns it with the attempt.
fn sent_before_its_instant() -> (Story, AttemptId) {
    let mut story = Story::begin();
    story.connect("e", "i1", 1, &[]);
    let job = r#"{"name": "m", "handler": "h", "schedule": {"fixed_rate": "500ms"}}"#;
    story.save(job, Origin::Api).unwrap();
    let next = Story::resume(story.store.clone(), story.now);
    story.pass(500);
    let sent = story.starts(1)[0].row.attempt;
    (next, sent)
}

#[track_caller]
fn switch_and_check(story: &mut Story) {
    story.switch("m", Switch::Off);
    story.switch("m", Switch::On);
    let mut fires = BTreeMap::new();
    for row in story.store.attempts.values() {
        let other = fires.insert(row.new.row.fire_at, row.new.row.attempt);
        assert_eq!(other, None, "fired twice for {:?}", row.new.row.fire_at);
    }
}

#[test]
fn a_fire_that_ran_before_its_instant_is_not_planned_again_by_a_change() {
    let (mut story, sent) = sent_before_its_instant();
    story.connect("e", "i1", 1, &[sent.0]);
    story.finish(1, sent, End::Succeeded);
    switch_and_check(&mut story);
}

#[test]
fn a_fire_that_was_lost_before_its_instant_is_not_planned_again_by_the_next_engine() {
    let (mut story, sent) = sent_before_its_instant();
    story.now.uptime += Duration::from_secs(11);
    story.tell(Event::Tick);
    assert_eq!(story.reason(sent), Some(FailReason::ExecutorLost));
    let mut next = Story::resume(story.store.clone(), story.now);
    switch_and_check(&mut next);
}

#[test]
fn a_schedule_that_follows_a_fire_before_its_instant_continues_after_it() {
    for schedule in [r#"{"fixed_delay": "100ms"}"#, r#"{"fixed_rate": "100ms"}"#] {
        let (mut story, sent) = sent_before_its_instant();
        story.connect("e", "i1", 1, &[sent.0]);
        story.finish(1, sent, End::Succeeded);
        let job = format!(r#"{{"name": "m", "handler": "h", "schedule": {schedule}}}"#);
        story.save(&job, Origin::Api).unwrap();
        story.pass(1_000);
        assert!(!story.starts(1).is_empty(), "{schedule}");
    }
}

#[test]
fn once_is_rejected_up_to_a_fire_that_ran_before_its_instant() {
    let (mut story, sent) = sent_before_its_instant();
    story.connect("e", "i1", 1, &[sent.0]);
    story.finish(1, sent, End::Succeeded);
    let once = |millis| {
        let at = story.now.wall + SignedDuration::from_millis(millis);
        format!(r#"{{"name": "m", "handler": "h", "schedule": {{"once": "{at}"}}}}"#)
    };
    let (early, later) = (once(200), once(800));
    assert!(matches!(story.save(&early, Origin::Api), Err(JobRefused::TooLate(_))));
    story.save(&later, Origin::Api).unwrap();
    story.pass(1_000);
    assert_eq!(story.starts(1).len(), 1);
}

/// The clock was a year ahead and is repaired: `fastjob repair clock` moves the recorded clock back,
/// and when open attempts are due, but a fire keeps the instant it stands for.
#[test]
fn a_fire_of_a_wrong_clock_does_not_stop_the_schedule_once_the_clock_is_repaired() {
    let (mut story, sent) = sent_before_its_instant();
    let year = SignedDuration::from_hours(24 * 365);
    let row = story.store.attempts.get_mut(&sent).unwrap();
    row.new.row.fire_at = row.new.row.fire_at.map(|at| at + year);
    let mut next = Story::resume(story.store.clone(), story.now);
    next.connect("e", "i1", 1, &[sent.0]);
    next.finish(1, sent, End::Succeeded);
    next.switch("m", Switch::Off);
    next.switch("m", Switch::On);
    next.pass(2_000);
    assert!(!next.starts(1).is_empty(), "it fires before the next year");
}
