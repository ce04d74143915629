//! Who owns the definition of a job, and what a save does to it: decisions, without carrying them out.
//!
//! A job has one owner of its definition. A job that code declared follows the code. People may
//! enable and disable it and set its alarms: that overrides the code, whatever it declares later, and
//! other changes of the code still take effect. A person who changes anything else takes the
//! definition: from then on, what code declares is only remembered, until the job is released to the
//! code. A job that a person deleted stays deleted, whatever code declares.

use std::sync::Arc;

use fastjob_core::{Job, JobPath};
use jiff::Timestamp;

use crate::{
    answer::{JobRefused, SaveDone},
    engine::Engine,
    event::{Condition, Edit, Now, SaveMode, Switch, Version},
    record::{JobRow, Origin, Overrides},
    state::catalog::JobEntry,
};

/// What a change does, and the row of the job after it. A row that changes still has the revision of
/// the row before it.
pub(super) type Decided = (SaveDone, JobRow);

type Decision = Result<Decided, JobRefused>;

/// Who owns a definition after a change.
struct Owner {
    origin: Origin,
    /// What code declares.
    declared: Option<Arc<Job>>,
    overrides: Overrides,
}

impl Owner {
    fn of_a_person(declared: Option<Arc<Job>>) -> Self {
        Self { origin: Origin::Api, declared, overrides: Overrides::default() }
    }

    fn code(declared: Arc<Job>, overrides: Overrides) -> Self {
        Self { origin: Origin::Code, declared: Some(declared), overrides }
    }
}

/// The definition of the code with what people may override as `job` has it. What differs from the
/// code is an override, and so is what was one and is `kept`.
fn overridden(code: &Arc<Job>, job: &Job, kept: Overrides) -> (Job, Owner) {
    let overrides = Overrides {
        enabled: kept.enabled || job.enabled != code.enabled,
        alarms: kept.alarms || !job.has_alarms_of(code),
    };
    let job = Job { enabled: job.enabled, ..code.with_alarms_of(job) };
    (job, Owner::code(Arc::clone(code), overrides))
}

impl Engine {
    /// A save of one job.
    pub(super) fn decide(
        &self,
        now: Now,
        job: Job,
        (mode, origin): (SaveMode, Origin),
        condition: &Condition,
    ) -> Decision {
        let known = self.known(&job);
        condition.check(job.path(), known.as_ref().and_then(Version::of))?;
        match known {
            None => match origin {
                Origin::Api => self.decide_new(now, job, Owner::of_a_person(None)),
                Origin::Code => {
                    let code = Arc::new(job.clone());
                    self.decide_new(now, job, Owner::code(code, Overrides::default()))
                }
            },
            Some(row) if origin == Origin::Code => self.decide_declared(now, row, job),
            // Code that declared the deleted job declares the new one.
            Some(row) if row.deleted_at.is_some() => {
                self.decide_new(now, job, Owner::of_a_person(row.declared))
            }
            Some(_) if mode == SaveMode::Create => Err(JobRefused::Exists(job.path().to_string())),
            Some(row) => self.decide_edited(now, row, job, Overrides::default()),
        }
    }

    /// A job of [`Command::Apply`](crate::Command::Apply).
    pub(super) fn decide_applied(&self, now: Now, edit: &Edit) -> Decision {
        let known = self.known(&edit.job);
        if known.as_ref().and_then(Version::of) != edit.from {
            return Err(JobRefused::Changed(edit.job.path().to_string()));
        }
        let job = Job::clone(&edit.job);
        match (known, edit.owner) {
            (Some(row), None) if row.deleted_at.is_none() => {
                self.decide_edited(now, row, job, edit.sets)
            }
            (Some(row), Some(Origin::Api)) if row.deleted_at.is_none() => {
                let code = row.code().cloned();
                self.decide_update(now, row, job, Owner::of_a_person(code))
            }
            (Some(row), Some(Origin::Code)) if row.deleted_at.is_none() => {
                let code = row.code().cloned();
                let code = code.unwrap_or_else(|| job.clone().into());
                self.decide_override(now, row, &job, &code, edit.sets)
            }
            (known, Some(Origin::Code)) => {
                let declared = known.and_then(|row| row.declared);
                let code = declared.unwrap_or_else(|| job.clone().into());
                // Whether the code or a person has disabled it is not known.
                let kept = Overrides { enabled: !job.enabled, alarms: false };
                let (job, owner) = overridden(&code, &job, kept);
                self.decide_new(now, job, owner)
            }
            (known, _) => {
                let declared = known.and_then(|row| row.declared);
                self.decide_new(now, job, Owner::of_a_person(declared))
            }
        }
    }

    /// What code declares. It takes effect if the code owns the definition.
    fn decide_declared(&self, now: Now, row: JobRow, job: Job) -> Decision {
        if row.deleted_at.is_some() || row.code().is_some_and(|code| **code == job) {
            return Ok((SaveDone::Unchanged, row));
        }
        let code = Arc::new(job);
        if row.origin == Origin::Api {
            let next = JobRow { declared: Some(code), ..row.clone() };
            self.catalog.has_room(&next, Some(&row))?;
            return Ok((SaveDone::Noted, next));
        }
        let mut effective = Job::clone(&code);
        if row.overrides.enabled {
            effective.enabled = row.job.enabled;
        }
        if row.overrides.alarms {
            effective = effective.with_alarms_of(&row.job);
        }
        let overrides = row.overrides;
        self.decide_update(now, row, effective, Owner::code(code, overrides))
    }

    /// What a person or a program wrote. If that is no other definition than that of the code, apart
    /// from what people may override, the code keeps the definition.
    fn decide_edited(&self, now: Now, row: JobRow, job: Job, sets: Overrides) -> Decision {
        match row.code().cloned() {
            Some(code) if row.origin == Origin::Code && code.is_same_definition(&job) => {
                self.decide_override(now, row, &job, &code, sets)
            }
            code => self.decide_update(now, row, job, Owner::of_a_person(code)),
        }
    }

    /// The definition of the code, with what people may override as `job` has it.
    fn decide_override(
        &self,
        now: Now,
        row: JobRow,
        job: &Job,
        code: &Arc<Job>,
        sets: Overrides,
    ) -> Decision {
        let mut kept = row.overrides;
        // A job that a person has disabled stays disabled, also if its code disables it for a while.
        if sets.enabled || job.enabled != row.job.enabled || row.origin == Origin::Api {
            kept.enabled = !job.enabled;
        }
        if sets.alarms || !job.has_alarms_of(&row.job) {
            kept.alarms = false;
        }
        let (job, owner) = overridden(code, job, kept);
        self.decide_update(now, row, job, owner)
    }

    pub(super) fn decide_switch(
        &self,
        now: Now,
        path: &JobPath,
        to: Switch,
        condition: &Condition,
    ) -> Decision {
        let row = self.living(path)?;
        condition.check(row.job.path(), Version::of(&row))?;
        let job = Job { enabled: to == Switch::On, ..(*row.job).clone() };
        self.decide_edited(now, row, job, Overrides { enabled: true, alarms: false })
    }

    /// The definition of the code. The job stays enabled or disabled.
    pub(super) fn decide_release(
        &self,
        now: Now,
        path: &JobPath,
        condition: &Condition,
    ) -> Decision {
        let row = self.living(path)?;
        condition.check(row.job.path(), Version::of(&row))?;
        let Some(code) = row.code().cloned() else {
            return Err(JobRefused::NoCode(row.job.path().to_string()));
        };
        let job = Job { enabled: row.job.enabled, ..(*code).clone() };
        let is_kept = row.overrides.enabled || row.origin == Origin::Api;
        let kept = Overrides { enabled: is_kept && !job.enabled, alarms: false };
        let (job, owner) = overridden(&code, &job, kept);
        self.decide_update(now, row, job, owner)
    }

    /// Another definition of a living job, if it differs in anything.
    fn decide_update(&self, now: Now, row: JobRow, job: Job, owner: Owner) -> Decision {
        let Owner { origin, declared, overrides } = owner;
        let declared = declared.filter(|code| origin == Origin::Api || **code != job);
        let is_same = *row.job == job && row.declared == declared;
        if is_same && (row.origin, row.overrides) == (origin, overrides) {
            return Ok((SaveDone::Unchanged, row));
        }
        if job.timetable != row.job.timetable {
            // Up to a fire that ran ahead of the clock, no other fire is planned.
            let entry = self.catalog.get(row.id);
            let fired_ahead = entry.map_or(now.wall, JobEntry::fired_ahead);
            too_late(&job, now.wall.max(fired_ahead))?;
        }
        if row.origin == origin && row.job.is_same_definition(&job) {
            // Nothing is a reason to reject a disable: names of children that mean other jobs by
            // now, or definitions that fill their room.
            let next = JobRow { job: job.into(), origin, overrides, declared, ..row };
            return Ok((SaveDone::Updated, next));
        }
        let children = self.catalog.resolve_children(Some(&row), &job, origin)?;
        let next = JobRow { job: job.into(), children, origin, overrides, declared, ..row.clone() };
        self.catalog.has_room(&next, Some(&row))?;
        Ok((SaveDone::Updated, next))
    }

    fn decide_new(&self, now: Now, job: Job, owner: Owner) -> Decision {
        too_late(&job, now.wall)?;
        let Owner { origin, declared, overrides } = owner;
        let children = self.catalog.resolve_children(None, &job, origin)?;
        let row = JobRow {
            id: self.catalog.next_id(),
            declared: declared.filter(|code| origin == Origin::Api || **code != job),
            job: Arc::new(job),
            children,
            origin,
            overrides,
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
