//! Changes to jobs: each is one commit, and is in effect when it is answered.
//!
//! A change cancels the fires that the old schedule planned for later than the instant of the
//! change. The new schedule counts from that instant. A job that code declared follows the code
//! until a user saves, switches or deletes it. From then on, code does not change it.

use std::sync::Arc;

use fastjob_core::{Job, JobPath};
use jiff::Timestamp;

use crate::{
    answer::{JobRefused, SaveAnswer, SaveDone},
    engine::Engine,
    event::{Now, SaveMode, Switch},
    record::{JobRow, Origin},
};

impl Engine {
    /// Saves a job and returns what that did.
    pub(super) fn save(
        &mut self,
        now: Now,
        job: Job,
        mode: SaveMode,
        origin: Origin,
    ) -> SaveAnswer {
        let known = self.catalog.named(&job.service, &job.name);
        let Some(row) = known.map(|entry| entry.row()) else {
            return self.create(now, job, origin);
        };
        let by_code = origin == Origin::Code;
        if by_code && (row.deleted_at.is_some() || row.origin == Origin::Api) {
            if row.deleted_at.is_some() {
                self.declared_again(now, row.id);
            }
            return Ok((SaveDone::Unchanged, Box::new(row)));
        }
        if row.deleted_at.is_some() {
            return self.create(now, job, origin);
        }
        if mode == SaveMode::Create {
            return Err(JobRefused::Exists(job.path().to_string()));
        }
        if *row.job == job && (by_code || row.origin == origin) {
            return Ok((SaveDone::Unchanged, Box::new(row)));
        }
        if job.timetable != row.job.timetable {
            // Up to a fire that ran ahead of the clock, no other fire is planned.
            let fired_ahead = known.map_or(now.wall, |entry| entry.fired_ahead());
            too_late(&job, now.wall.max(fired_ahead))?;
        }
        self.catalog.has_room(&job, Some(&row.job))?;
        let children = self.catalog.resolve_children(Some(&row), &job, origin)?;
        Ok((
            SaveDone::Updated,
            self.change(now, JobRow { job: job.into(), children, origin, ..row }),
        ))
    }

    fn create(&mut self, now: Now, job: Job, origin: Origin) -> SaveAnswer {
        too_late(&job, now.wall)?;
        self.catalog.has_room(&job, None)?;
        let children = self.catalog.resolve_children(None, &job, origin)?;
        let id = self.catalog.new_id();
        let row = JobRow {
            id,
            job: Arc::new(job),
            children,
            origin,
            revision: 1,
            anchor: now.wall,
            created_at: now.wall,
            updated_at: now.wall,
            deleted_at: None,
        };
        self.catalog.admit(row.clone(), now.wall);
        self.journal.commit().jobs.push(row.clone());
        self.schedule_next(id);
        self.plan_up_to_watermark(now, id);
        Ok((SaveDone::Created, Box::new(row)))
    }

    /// Saves `row` as the next revision of an existing job.
    fn change(&mut self, now: Now, row: JobRow) -> Box<JobRow> {
        let id = row.id;
        let before = self.catalog.job(id).map(Arc::clone);
        let differs = |how: fn(&Job, &Job) -> bool| {
            before.as_ref().is_some_and(|before| how(before, &row.job))
        };
        let refires = differs(|before, job| !before.fires_like(job));
        let rescoped = differs(|before, job| before.block.scope != job.block.scope);
        let reblocked = differs(|before, job| before.block != job.block);
        let moves = differs(|before, job| {
            (&before.handler, &before.route, &before.shard)
                != (&job.handler, &job.route, &job.shard)
        });
        let cursor = if refires { self.take_back(now, id) } else { now.wall };
        let mut row = JobRow { revision: row.revision + 1, updated_at: now.wall, ..row };
        if refires {
            // A fixed delay counts from a fire that ran ahead of the clock: its next instant would
            // otherwise be one up to which all fires count as planned.
            row.anchor = match row.job.timetable.follows_the_last_end() {
                true => cursor,
                false => now.wall,
            };
        }
        self.catalog.update(row.clone());
        if refires && let Some(entry) = self.catalog.get_mut(id) {
            entry.set_cursor(cursor);
            if entry.has_stored_cursor {
                self.journal.commit().cursors.push((id, cursor));
            }
        }
        self.journal.commit().jobs.push(row.clone());
        if refires {
            self.schedule_next(id);
            self.plan_up_to_watermark(now, id);
        }
        if rescoped && self.is_exclusive(id) {
            self.load_lane(id);
        }
        if reblocked {
            self.advance_lane(now, id);
        }
        if moves {
            self.wait_again(id);
        }
        Box::new(row)
    }

    /// Enables or disables a job's schedule.
    pub(super) fn switch(&mut self, now: Now, path: &JobPath, to: Switch) -> SaveAnswer {
        let id = self.catalog.resolve(path)?;
        let row = self.catalog.get(id).map(|entry| entry.row());
        let row = row.ok_or_else(|| JobRefused::Unknown(path.to_string()))?;
        let enabled = to == Switch::On;
        if row.job.enabled == enabled {
            return Ok((SaveDone::Unchanged, Box::new(row)));
        }
        let job = Job { enabled, ..(*row.job).clone() };
        let row = JobRow { job: job.into(), origin: Origin::Api, ..row };
        Ok((SaveDone::Updated, self.change(now, row)))
    }

    /// Deletes a job: planned fires are cancelled, waiting attempts are stopped, running ones may
    /// finish.
    pub(super) fn delete(&mut self, now: Now, path: &JobPath) -> SaveAnswer {
        let id = self.catalog.resolve(path)?;
        let parents = self.catalog.parents(id);
        if !parents.is_empty() {
            return Err(JobRefused::IsChild { parents });
        }
        self.take_back(now, id);
        let Some(entry) = self.catalog.delete(id, now.wall) else {
            return Err(JobRefused::Unknown(path.to_string()));
        };
        let row = entry.row();
        self.chores.end_deleted(id, self.attempts.of_job(id).collect());
        self.schedule_next(id);
        self.journal.commit().jobs.push(row.clone());
        Ok((SaveDone::Deleted, Box::new(row)))
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
