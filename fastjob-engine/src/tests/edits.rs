//! Who owns the definition of a job, and saving many jobs together.

use std::sync::Arc;

use fastjob_core::JobId;
use tokio::sync::oneshot;

use super::story::{Story, job};
use crate::{
    Apply, ApplyAnswer, Command, Edit, Event, JobQuota, JobRefused, SaveDone, Switch,
    record::{JobRow, Origin, Overrides, definition_bytes},
};

const FIRST: &str = r#"{"name": "c", "handler": "h", "schedule": {"fixed_rate": "1h"},
    "alarms": ["mail"]}"#;
const SECOND: &str = r#"{"name": "c", "handler": "h", "schedule": {"fixed_rate": "2h"},
    "alarms": ["mail"]}"#;

impl Story {
    fn switch_job(&mut self, to: Switch) -> (SaveDone, JobRow) {
        let (answer, mut wait) = oneshot::channel();
        self.tell(Event::Command(Command::Switch { job: "c".parse().unwrap(), to, answer }));
        let (done, row) = wait.try_recv().unwrap().unwrap();
        (done, *row)
    }

    fn release_job(&mut self) -> Result<(SaveDone, JobRow), JobRefused> {
        let (answer, mut wait) = oneshot::channel();
        self.tell(Event::Command(Command::Release { job: "c".parse().unwrap(), answer }));
        wait.try_recv().unwrap().map(|(done, row)| (done, *row))
    }

    fn declare_job(&mut self, json: &str) -> (SaveDone, JobRow) {
        let (done, row) = self.save(json, Origin::Code).unwrap();
        assert_eq!(self.store.jobs[&row.id], *row, "it is stored");
        // What is stored is what a later engine knows.
        *self = Self::resume(std::mem::take(&mut self.store), self.now);
        (done, *row)
    }

    fn apply(&mut self, edits: Vec<Edit>, is_dry: bool) -> ApplyAnswer {
        let (answer, mut wait) = oneshot::channel();
        let ask = Apply { edits, is_dry, ignores_children: false };
        self.tell(Event::Command(Command::Apply { ask, answer }));
        wait.try_recv().unwrap()
    }
}

fn edit(json: &str, from: Option<i64>) -> Edit {
    Edit { job: Arc::new(job(json)), from, owner: None, sets: Overrides::default() }
}

#[test]
fn a_job_of_code_that_was_disabled_and_enabled_follows_its_next_release() {
    let mut story = Story::begin();
    story.declare_job(FIRST);
    let (done, off) = story.switch_job(Switch::Off);
    assert_eq!((done, off.origin, off.job.enabled), (SaveDone::Updated, Origin::Code, false));
    let (done, on) = story.switch_job(Switch::On);
    assert_eq!((done, on.origin, on.declared), (SaveDone::Updated, Origin::Code, None));
    let (done, next) = story.declare_job(SECOND);
    assert_eq!((done, next.job), (SaveDone::Updated, Arc::new(job(SECOND))));
}

#[test]
fn a_job_that_a_person_disabled_stays_disabled_when_its_code_changes() {
    let mut story = Story::begin();
    story.declare_job(FIRST);
    story.switch_job(Switch::Off);
    for declared in [FIRST, SECOND, SECOND] {
        let (_, row) = story.declare_job(declared);
        assert_eq!((row.origin, row.job.enabled), (Origin::Code, false));
        assert_eq!(row.code().map(|code| code.timetable.clone()), {
            Some(job(declared).timetable.clone())
        });
        assert_eq!(row.job.timetable, job(declared).timetable);
    }
    let (_, row) = story.switch_job(Switch::On);
    assert_eq!((row.declared, row.job), (None, Arc::new(job(SECOND))));
}

#[test]
fn a_job_that_a_person_disabled_stays_disabled_while_releases_run_side_by_side() {
    let off = SECOND.replacen('{', r#"{"enabled": false, "#, 1);
    let mut story = Story::begin();
    story.declare_job(FIRST);
    story.switch_job(Switch::Off);
    for declared in [&off, FIRST, SECOND] {
        let (_, row) = story.declare_job(declared);
        assert!(!row.job.enabled, "{declared}");
    }
    // Also if the code disabled it already.
    let mut story = Story::begin();
    story.declare_job(&off);
    assert_eq!(story.switch_job(Switch::Off).0, SaveDone::Updated, "it is recorded");
    assert!(!story.declare_job(FIRST).1.job.enabled);
    assert_eq!(story.switch_job(Switch::On).1.overrides, Overrides::default());
}

#[test]
fn a_job_that_a_person_disabled_is_not_enabled_by_giving_it_back() {
    let off = SECOND.replacen('{', r#"{"enabled": false, "#, 1);
    let mut story = Story::begin();
    story.declare_job(FIRST);
    story.switch_job(Switch::Off);
    story.declare_job(&off);
    let edited = off.replace("2h", "9h");
    assert_eq!(story.save(&edited, Origin::Api).unwrap().1.origin, Origin::Api);
    story.release_job().unwrap();
    assert!(!story.declare_job(FIRST).1.job.enabled);

    // Said once more, by an edit that changes nothing else.
    let mut story = Story::begin();
    story.declare_job(&off);
    let sets = Overrides { enabled: true, alarms: false };
    story.apply(vec![Edit { sets, ..edit(&off, Some(1)) }], false).unwrap();
    assert!(!story.declare_job(FIRST).1.job.enabled);

    // Moved to a coordinator that does not know the code yet.
    let mut story = Story::begin();
    let moved = Edit { owner: Some(Origin::Code), ..edit(&off, None) };
    story.apply(vec![moved], false).unwrap();
    assert!(!story.declare_job(FIRST).1.job.enabled);
}

#[test]
fn a_job_is_disabled_although_there_is_no_room_for_definitions() {
    let mut story = Story::begin();
    story.declare_job(FIRST);
    let bytes = definition_bytes(&job(FIRST)) as u64;
    story.engine.catalog.set_quota(JobQuota { bytes, ..JobQuota::default() });
    let (done, row) = story.switch_job(Switch::Off);
    assert_eq!((done, row.job.enabled), (SaveDone::Updated, false));
}

#[test]
fn alarm_channels_that_a_person_set_stay_until_a_person_removes_them() {
    let mut story = Story::begin();
    story.declare_job(FIRST);
    let mine = FIRST.replace("mail", "hook");
    let (_, row) = story.save(&mine, Origin::Api).unwrap();
    assert_eq!((row.origin, row.declared), (Origin::Code, Some(Arc::new(job(FIRST)))));
    for declared in [SECOND, &SECOND.replace("mail", "hook"), SECOND] {
        let (_, row) = story.declare_job(declared);
        assert_eq!(row.job.alarms, job(&mine).alarms);
    }
    let (_, row) = story.save(SECOND, Origin::Api).unwrap();
    assert_eq!((row.declared, row.overrides), (None, Overrides::default()));
}

#[test]
fn a_definition_that_a_person_edited_stays_until_it_is_released_to_the_code() {
    let mut story = Story::begin();
    story.declare_job(FIRST);
    let mine = FIRST.replace("1h", "9h");
    let (done, row) = story.save(&mine, Origin::Api).unwrap();
    assert_eq!((done, row.origin), (SaveDone::Updated, Origin::Api));
    assert_eq!(story.declare_job(FIRST).0, SaveDone::Unchanged, "it declares the same again");
    let (done, row) = story.declare_job(SECOND);
    assert_eq!((done, row.job), (SaveDone::Noted, Arc::new(job(&mine))));
    assert_eq!(story.declare_job(SECOND).0, SaveDone::Unchanged, "it is noted once");
    story.switch_job(Switch::Off);

    let (done, row) = story.release_job().unwrap();
    assert_eq!((done, row.origin), (SaveDone::Updated, Origin::Code));
    assert_eq!(row.job.timetable, job(SECOND).timetable);
    assert!(!row.job.enabled, "a release does not let it fire");
    assert_eq!(story.release_job().unwrap().0, SaveDone::Unchanged);
}

#[test]
fn a_job_that_no_code_declares_cannot_be_released() {
    let mut story = Story::begin();
    story.save(FIRST, Origin::Api).unwrap();
    assert!(matches!(story.release_job(), Err(JobRefused::NoCode(_))));
    story.declare_job(SECOND);
    assert_eq!(story.release_job().unwrap().1.job, Arc::new(job(SECOND)));
}

#[test]
fn a_job_of_code_that_was_deleted_and_created_again_can_be_released() {
    let mut story = Story::begin();
    story.declare_job(FIRST);
    story.delete("c").unwrap();
    assert_eq!(story.declare_job(FIRST).0, SaveDone::Unchanged);
    story.save(SECOND, Origin::Api).unwrap();
    assert_eq!(story.release_job().unwrap().1.job, Arc::new(job(FIRST)));
}

#[test]
fn jobs_are_saved_together_or_not_at_all() {
    let mut story = Story::begin();
    story.save(r#"{"name": "old", "handler": "h"}"#, Origin::Api).unwrap();
    story.delete("old").unwrap();
    story.save(FIRST, Origin::Api).unwrap();
    let (jobs, known) = (story.store.jobs.clone(), story.engine.sizes().jobs);
    let new = |name: &str, child: &str| {
        let json = format!(r#"{{"name": "{name}", "handler": "h", "children": [{child}]}}"#);
        edit(&json, None)
    };
    let first = new("a", "");
    let edits = vec![
        first.clone(),
        new("old", r#"{"job": "a"}"#),
        new("parent", r#"{"job": "old"}, {"job": "nothing"}"#),
        new("above", r#"{"job": "parent"}"#),
        edit(SECOND, Some(1)),
        edit(
            r#"{"name": "late", "handler": "h", "schedule": {"once": "2020-01-01T00:00:00Z"}}"#,
            None,
        ),
    ];
    for is_dry in [true, false] {
        let refused = story.apply(edits.clone(), is_dry).unwrap_err();
        let [(2, JobRefused::NoChild(child)), (5, JobRefused::TooLate(_))] = &*refused else {
            panic!("{refused:?}")
        };
        assert_eq!(child, "nothing");
        assert_eq!((&story.store.jobs, story.engine.sizes().jobs), (&jobs, known));
    }

    let good = vec![first, new("old", r#"{"job": "a"}"#), edit(SECOND, Some(1))];
    let tried = story.apply(good.clone(), true).unwrap();
    assert_eq!((&story.store.jobs, story.engine.sizes().jobs), (&jobs, known), "it was only tried");
    let commits = story.commits;
    let saved = story.apply(good.clone(), false).unwrap();
    assert_eq!(story.commits, commits + 1, "in one commit");
    let done = |answer: &[(SaveDone, Box<JobRow>)]| answer.iter().map(|(done, _)| *done).collect();
    let expected = vec![SaveDone::Created, SaveDone::Created, SaveDone::Updated];
    assert_eq!((done(&tried), done(&saved)), (expected.clone(), expected));
    for (_, row) in &saved {
        assert_eq!(story.store.jobs[&row.id], **row);
    }
    assert_eq!(*saved[1].1.children, [saved[0].1.id]);
    assert_eq!(saved.iter().map(|(_, row)| row.id).collect::<Vec<_>>(), [3, 4, 2].map(JobId));

    let stale = story.apply(good, false).unwrap_err();
    assert_eq!(stale.len(), 3, "{stale:?}");
    assert!(stale.iter().all(|(_, why)| matches!(why, JobRefused::Changed(_))));
    let same = story.apply(vec![edit(SECOND, Some(2))], false).unwrap();
    assert_eq!(done(&same), [SaveDone::Unchanged]);
}

#[test]
fn a_deleted_job_is_still_known_by_its_name_after_a_try_to_create_it_again() {
    let mut story = Story::begin();
    story.declare_job(FIRST);
    story.delete("c").unwrap();
    story.apply(vec![edit(SECOND, None)], true).unwrap();
    let (done, row) = story.declare_job(FIRST);
    assert!(done == SaveDone::Unchanged && row.deleted_at.is_some(), "{row:?}");
}

#[test]
fn of_a_job_that_is_said_to_follow_its_code_only_the_overrides_are_applied() {
    let mut story = Story::begin();
    let follow = |json: &str, from| Edit { owner: Some(Origin::Code), ..edit(json, from) };
    let created = story.apply(vec![follow(FIRST, None)], false).unwrap();
    assert_eq!(created[0].1.origin, Origin::Code);
    assert_eq!(story.declare_job(SECOND).0, SaveDone::Updated);
    let (done, row) = &story.apply(vec![follow(FIRST, Some(2))], false).unwrap()[0];
    assert_eq!((done, &row.job), (&SaveDone::Unchanged, &Arc::new(job(SECOND))));
    let off = FIRST.replacen('{', r#"{"enabled": false, "#, 1);
    let (done, row) = &story.apply(vec![follow(&off, Some(2))], false).unwrap()[0];
    assert_eq!((done, row.origin), (&SaveDone::Updated, Origin::Code));
    assert_eq!((row.job.enabled, &row.job.timetable), (false, &job(SECOND).timetable));

    // An edited job is given back.
    story.save(&SECOND.replace("2h", "9h"), Origin::Api).unwrap();
    let (_, row) = &story.apply(vec![follow(SECOND, Some(4))], false).unwrap()[0];
    assert_eq!((row.origin, &row.job), (Origin::Code, &Arc::new(job(SECOND))));

    // A job of the API that no code declared so far.
    let own = r#"{"name": "own", "handler": "h"}"#;
    story.save(own, Origin::Api).unwrap();
    let (done, row) = &story.apply(vec![follow(own, Some(1))], false).unwrap()[0];
    assert_eq!((done, row.origin), (&SaveDone::Updated, Origin::Code));
    let mine = Edit { owner: Some(Origin::Api), ..edit(own, Some(2)) };
    let (_, row) = &story.apply(vec![mine], false).unwrap()[0];
    assert_eq!((row.origin, &row.declared), (Origin::Api, &Some(Arc::new(job(own)))));
}
