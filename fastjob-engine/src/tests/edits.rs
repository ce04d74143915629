//! Who owns the definition of a job, and saving many jobs together.

use std::sync::Arc;

use fastjob_core::JobId;
use tokio::sync::oneshot;

use super::story::{Story, job};
use crate::{
    Apply, ApplyAnswer, Command, Condition, Edit, Event, JobQuota, JobRefused, SaveAnswer,
    SaveDone, SaveMode, Switch, Version,
    record::{JobRow, Origin, Overrides, definition_bytes},
};

const FIRST: &str = r#"{"name": "c", "handler": "h", "schedule": {"fixed_rate": "1h"},
    "alarms": ["mail"]}"#;
const SECOND: &str = r#"{"name": "c", "handler": "h", "schedule": {"fixed_rate": "2h"},
    "alarms": ["mail"]}"#;

impl Story {
    fn switch_job(&mut self, to: Switch) -> (SaveDone, JobRow) {
        let (answer, mut wait) = oneshot::channel();
        self.tell(Event::Command(Command::Switch {
            job: "c".parse().unwrap(),
            to,
            condition: Condition::Unconditional,
            answer,
        }));
        let (done, row) = wait.try_recv().unwrap().unwrap();
        (done, *row)
    }

    fn release_job(&mut self) -> Result<(SaveDone, JobRow), JobRefused> {
        let (answer, mut wait) = oneshot::channel();
        self.tell(Event::Command(Command::Release {
            job: "c".parse().unwrap(),
            condition: Condition::Unconditional,
            answer,
        }));
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

/// A revision of the job with this id.
fn at(job: i64, revision: i64) -> Option<Version> {
    Some(Version { job: JobId(job), revision })
}

fn edit(json: &str, from: Option<Version>) -> Edit {
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
    story.apply(vec![Edit { sets, ..edit(&off, at(1, 1)) }], false).unwrap();
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
        edit(SECOND, at(2, 1)),
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

    let good = vec![first, new("old", r#"{"job": "a"}"#), edit(SECOND, at(2, 1))];
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
    let same = story.apply(vec![edit(SECOND, at(2, 2))], false).unwrap();
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
    let (done, row) = &story.apply(vec![follow(FIRST, at(1, 2))], false).unwrap()[0];
    assert_eq!((done, &row.job), (&SaveDone::Unchanged, &Arc::new(job(SECOND))));
    let off = FIRST.replacen('{', r#"{"enabled": false, "#, 1);
    let (done, row) = &story.apply(vec![follow(&off, at(1, 2))], false).unwrap()[0];
    assert_eq!((done, row.origin), (&SaveDone::Updated, Origin::Code));
    assert_eq!((row.job.enabled, &row.job.timetable), (false, &job(SECOND).timetable));

    // An edited job is given back.
    story.save(&SECOND.replace("2h", "9h"), Origin::Api).unwrap();
    let (_, row) = &story.apply(vec![follow(SECOND, at(1, 4))], false).unwrap()[0];
    assert_eq!((row.origin, &row.job), (Origin::Code, &Arc::new(job(SECOND))));

    // A job of the API that no code declared so far.
    let own = r#"{"name": "own", "handler": "h"}"#;
    story.save(own, Origin::Api).unwrap();
    let (done, row) = &story.apply(vec![follow(own, at(2, 1))], false).unwrap()[0];
    assert_eq!((done, row.origin), (&SaveDone::Updated, Origin::Code));
    let mine = Edit { owner: Some(Origin::Api), ..edit(own, at(2, 2)) };
    let (_, row) = &story.apply(vec![mine], false).unwrap()[0];
    assert_eq!((row.origin, &row.declared), (Origin::Api, &Some(Arc::new(job(own)))));
}

/// Tries each change of the job `c` under a condition. Returns what came of them: a save, a switch, a
/// release and a deletion.
fn each_change(story: &mut Story, condition: &Condition) -> [SaveAnswer; 4] {
    type Change = fn(Condition, oneshot::Sender<SaveAnswer>) -> Command;
    let changes: [Change; 4] = [
        |condition, answer| {
            let (job, mode) = (Box::new(job(SECOND)), SaveMode::Replace);
            Command::Save { job, mode, origin: Origin::Api, condition, answer }
        },
        |condition, answer| {
            let (job, to) = ("c".parse().unwrap(), Switch::Off);
            Command::Switch { job, to, condition, answer }
        },
        |condition, answer| Command::Release { job: "c".parse().unwrap(), condition, answer },
        |condition, answer| Command::Delete {
            job: "c".parse().unwrap(),
            only: None,
            condition,
            answer,
        },
    ];
    changes.map(|change| {
        let (answer, mut wait) = oneshot::channel();
        story.tell(Event::Command(change(condition.clone(), answer)));
        wait.try_recv().unwrap()
    })
}

#[test]
fn a_change_of_another_version_changes_nothing_and_says_which_version_there_is() {
    let mut story = Story::begin();
    story.declare_job(FIRST);
    story.switch_job(Switch::On);
    story.save(&FIRST.replace("1h", "9h"), Origin::Api).unwrap();
    let (jobs, commits) = (story.store.jobs.clone(), story.commits);
    let current = jobs.values().next().and_then(Version::of).unwrap();
    let earlier = Version { revision: current.revision - 1, ..current };
    let another = Version { job: JobId(99), ..current };
    for stale in [vec![], vec![earlier], vec![another, earlier]] {
        for answer in each_change(&mut story, &Condition::OneOf(stale)) {
            let refused =
                JobRefused::Stale { name: "default.c".to_owned(), current: Some(current) };
            assert!(matches!(&answer, Err(err) if same_but_name(err, &refused)), "{answer:?}");
        }
    }
    assert_eq!((&story.store.jobs, story.commits), (&jobs, commits), "nothing is written");

    let accepted = Condition::OneOf(vec![earlier, current]);
    let [saved, switched, released, deleted] = each_change(&mut story, &accepted);
    assert_eq!(saved.unwrap().1.revision, current.revision + 1);
    for late in [switched, released, deleted] {
        assert!(matches!(late, Err(JobRefused::Stale { .. })), "the save has changed it");
    }
    for done in each_change(&mut story, &Condition::Exists) {
        done.unwrap();
    }
    let [saved, switched, ..] = each_change(&mut story, &Condition::Exists);
    let gone = JobRefused::Stale { name: "default.c".to_owned(), current: None };
    assert_eq!(saved.unwrap_err(), gone, "a job that does not exist is not created");
    assert!(matches!(switched, Err(JobRefused::Unknown(_))), "{switched:?}");
}

/// Whether both name the same version.
fn same_but_name(one: &JobRefused, other: &JobRefused) -> bool {
    match (one, other) {
        (JobRefused::Stale { current: one, .. }, JobRefused::Stale { current: other, .. }) => {
            one == other
        }
        _ => false,
    }
}

#[test]
fn an_edit_of_a_job_that_was_deleted_and_created_again_is_rejected() {
    let mut story = Story::begin();
    story.save(FIRST, Origin::Api).unwrap();
    let read = story.store.jobs.values().next().and_then(Version::of);
    story.delete("c").unwrap();
    story.save(FIRST, Origin::Api).unwrap();
    let refused = story.apply(vec![edit(SECOND, read)], false).unwrap_err();
    assert!(matches!(&*refused, [(0, JobRefused::Changed(_))]), "{refused:?}");
}
