//! Which fires are planned, and when the search for them continues.

use std::{collections::BTreeMap, time::Duration};

use fastjob_core::{AttemptId, FailReason, attempt::End};
use jiff::SignedDuration;

use super::story::Story;
use crate::{Event, Switch, record::Origin};

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
