//! Who owns the definition of a job, and what a save does to it: decisions, without carrying them out.
//!
//! A job has one owner of its definition. A job that code declared follows the code. People may
//! enable and disable it and set its alarms: that overrides the code, and other changes of
//! the code still take effect. A person who changes anything else takes the definition: from then
//! on, what code declares is only remembered, until the job is released to the code. A job that a
//! person deleted stays deleted, whatever code declares.

use std::sync::Arc;

use fastjob_core::{Job, JobPath};
use jiff::Timestamp;

use crate::{
    answer::{JobRefused, SaveDone},
    engine::Engine,
    event::{Edit, Now, SaveMode, Switch},
    record::{JobRow, Origin},
    state::catalog::JobEntry,
};

/// What a change does, and the row of the job after it. A row that changes still has the revision of
/// the row before it.
pub(super) type Decided = (SaveDone, JobRow);

type Decision = Result<Decided, JobRefused>;

impl Engine {
    /// A save of one job.
    pub(super) fn decide(&self, now: Now, job: Job, mode: SaveMode, origin: Origin) -> Decision {
        match self.known(&job) {
            None => self.decide_new(now, job, origin, None),
            Some(row) if origin == Origin::Code => self.decide_declared(now, row, job),
            // Code that declared the deleted job declares the new one.
            Some(row) if row.deleted_at.is_some() => {
                self.decide_new(now, job, origin, row.declared)
            }
            Some(_) if mode == SaveMode::Create => Err(JobRefused::Exists(job.path().to_string())),
            Some(row) => self.decide_edited(now, row, job),
        }
    }

    /// A job of [`Command::Apply`](crate::Command::Apply).
    pub(super) fn decide_applied(&self, now: Now, edit: &Edit) -> Decision {
        let known = self.known(&edit.job);
        let living = known.as_ref().filter(|row| row.deleted_at.is_none());
        if living.map(|row| row.revision) != edit.from {
            return Err(JobRefused::Changed(edit.job.path().to_string()));
        }
        let job = Job::clone(&edit.job);
        let is_alike = |code: &Arc<Job>| code.is_same_definition(&job);
        match known {
            Some(row) if row.deleted_at.is_none() => match edit.owner {
                None => self.decide_edited(now, row, job),
                Some(Origin::Api) => {
                    let code = row.code().cloned();
                    self.decide_update(now, row, job, Origin::Api, code)
                }
                Some(Origin::Code) => match row.code().cloned() {
                    // The code's own definition stays in effect.
                    Some(code) if !is_alike(&code) => Ok((SaveDone::Unchanged, row)),
                    code => {
                        let declared = code.filter(|code| **code != job);
                        self.decide_update(now, row, job, Origin::Code, declared)
                    }
                },
            },
            known => {
                let declared = known.and_then(|row| row.declared);
                let origin = edit.owner.unwrap_or(Origin::Api);
                let declared = match origin {
                    Origin::Code => declared.filter(|code| is_alike(code) && **code != job),
                    Origin::Api => declared,
                };
                self.decide_new(now, job, origin, declared)
            }
        }
    }

    /// What code declares. It takes effect if the code owns the definition.
    fn decide_declared(&self, now: Now, row: JobRow, job: Job) -> Decision {
        let code = row.code();
        if row.deleted_at.is_some() || code.is_some_and(|code| **code == job) {
            return Ok((SaveDone::Unchanged, row));
        }
        if row.origin == Origin::Api {
            let next = JobRow { declared: Some(job.into()), ..row.clone() };
            self.catalog.has_room(&next, Some(&row))?;
            return Ok((SaveDone::Noted, next));
        }
        // What people have overridden stays, unless the code now says the same.
        let is_overridden =
            |differs: fn(&Job, &Job) -> bool| code.is_some_and(|code| differs(&row.job, code));
        let mut effective = job.clone();
        if is_overridden(|job, code| job.enabled != code.enabled) {
            effective.enabled = row.job.enabled;
        }
        if is_overridden(|job, code| !job.has_alarms_of(code)) {
            effective = effective.with_alarms_of(&row.job);
        }
        let declared = (effective != job).then(|| job.into());
        self.decide_update(now, row, effective, Origin::Code, declared)
    }

    /// What a person or a program wrote. If that is no other definition than that of the code, apart
    /// from what people may override, the code keeps the definition.
    fn decide_edited(&self, now: Now, row: JobRow, job: Job) -> Decision {
        let code = row.code().cloned();
        let is_override = row.origin == Origin::Code
            && code.as_ref().is_some_and(|code| code.is_same_definition(&job));
        let (origin, declared) = match is_override {
            true => (Origin::Code, code.filter(|code| **code != job)),
            false => (Origin::Api, code),
        };
        self.decide_update(now, row, job, origin, declared)
    }

    pub(super) fn decide_switch(&self, now: Now, path: &JobPath, to: Switch) -> Decision {
        let row = self.living(path)?;
        let job = Job { enabled: to == Switch::On, ..(*row.job).clone() };
        self.decide_edited(now, row, job)
    }

    pub(super) fn decide_release(&self, now: Now, path: &JobPath) -> Decision {
        let row = self.living(path)?;
        let Some(code) = row.code().cloned() else {
            return Err(JobRefused::NoCode(row.job.path().to_string()));
        };
        let job = Job { enabled: row.job.enabled, ..(*code).clone() };
        let declared = Some(code).filter(|code| **code != job);
        self.decide_update(now, row, job, Origin::Code, declared)
    }

    /// Another definition of a living job, if it differs in anything.
    fn decide_update(
        &self,
        now: Now,
        row: JobRow,
        job: Job,
        origin: Origin,
        declared: Option<Arc<Job>>,
    ) -> Decision {
        if *row.job == job && row.origin == origin && row.declared == declared {
            return Ok((SaveDone::Unchanged, row));
        }
        if job.timetable != row.job.timetable {
            // Up to a fire that ran ahead of the clock, no other fire is planned.
            let entry = self.catalog.get(row.id);
            let fired_ahead = entry.map_or(now.wall, JobEntry::fired_ahead);
            too_late(&job, now.wall.max(fired_ahead))?;
        }
        // Names of children may mean other jobs by now, which is no reason to reject a disable.
        let children = match row.origin == origin && row.job.is_same_definition(&job) {
            true => Arc::clone(&row.children),
            false => self.catalog.resolve_children(Some(&row), &job, origin)?,
        };
        let next = JobRow { job: job.into(), children, origin, declared, ..row.clone() };
        self.catalog.has_room(&next, Some(&row))?;
        Ok((SaveDone::Updated, next))
    }

    fn decide_new(
        &self,
        now: Now,
        job: Job,
        origin: Origin,
        declared: Option<Arc<Job>>,
    ) -> Decision {
        too_late(&job, now.wall)?;
        let children = self.catalog.resolve_children(None, &job, origin)?;
        let row = JobRow {
            id: self.catalog.next_id(),
            job: Arc::new(job),
            declared,
            children,
            origin,
            revision: 1,
            anchor: now.wall,
            created_at: now.wall,
            updated_at: now.wall,
            deleted_at: None,
        };
        self.catalog.has_room(&row, None)?;
        Ok((SaveDone::Created, row))
    }

    /// The row of the job of this name, which may be deleted.
    fn known(&self, job: &Job) -> Option<JobRow> {
        self.catalog.named(&job.service, &job.name).map(JobEntry::row)
    }

    fn living(&self, path: &JobPath) -> Result<JobRow, JobRefused> {
        let row = self.catalog.get(self.catalog.resolve(path)?).map(JobEntry::row);
        row.ok_or_else(|| JobRefused::Unknown(path.to_string()))
    }
}

/// Rejects a job that would not fire later than `from`.
fn too_late(job: &Job, from: Timestamp) -> Result<(), JobRefused> {
    if let fastjob_core::Schedule::Once(at) = job.timetable.schedule()
        && job.is_too_late(from)
    {
        return Err(JobRefused::TooLate(*at));
    }
    job.never_fires(from).map_or(Ok(()), |problem| Err(JobRefused::NeverFires(problem)))
}
