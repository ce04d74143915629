//! Changes to jobs: each is one commit, and is in effect when it is answered.
//!
//! A change cancels the fires that the old schedule planned for later than the instant of the
//! change. The new schedule counts from that instant. `edits` decides what a change does.

use std::sync::Arc;

use fastjob_core::{Job, JobId, JobPath};

use crate::{
    answer::{JobRefused, SaveAnswer, SaveDone},
    engine::Engine,
    event::{Condition, Now, SaveMode, SavedRow, Switch, Version},
    record::{JobRow, Origin},
    rules::edits::Decided,
    state::catalog::JobEntry,
};

impl Engine {
    /// Saves a job and returns what that did.
    pub(super) fn save(
        &mut self,
        now: Now,
        job: Job,
        how: (SaveMode, Origin),
        condition: &Condition,
    ) -> SaveAnswer {
        let decided = self.decide(now, job, how, condition)?;
        Ok(self.enact(now, decided))
    }

    /// Enables or disables a job's schedule.
    pub(super) fn switch(
        &mut self,
        now: Now,
        path: &JobPath,
        to: Switch,
        condition: &Condition,
    ) -> SaveAnswer {
        let decided = self.decide_switch(now, path, to, condition)?;
        Ok(self.enact(now, decided))
    }

    /// Gives the definition of a job back to the code. The job stays enabled or disabled.
    pub(super) fn release(
        &mut self,
        now: Now,
        path: &JobPath,
        condition: &Condition,
    ) -> SaveAnswer {
        let decided = self.decide_release(now, path, condition)?;
        Ok(self.enact(now, decided))
    }

    /// Carries out what was decided.
    pub(super) fn enact(&mut self, now: Now, (done, row): Decided) -> (SaveDone, SavedRow) {
        let row = match done {
            SaveDone::Created => self.create(now, row),
            SaveDone::Updated | SaveDone::Noted => self.change(now, row),
            SaveDone::Unchanged => {
                if row.deleted_at.is_some() {
                    self.declared_again(now, row.id);
                }
                Box::new(row)
            }
            SaveDone::Deleted => Box::new(row),
        };
        (done, row)
    }

    fn create(&mut self, now: Now, row: JobRow) -> SavedRow {
        let id = row.id;
        self.catalog.admit(row.clone(), now.wall);
        self.journal.commit().jobs.push(row.clone());
        self.schedule_next(id);
        self.plan_up_to_watermark(now, id);
        Box::new(row)
    }

    /// Saves `row` as the next revision of an existing job.
    fn change(&mut self, now: Now, row: JobRow) -> SavedRow {
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

    /// Deletes a job: planned fires are cancelled, waiting attempts are stopped, running ones may
    /// finish.
    pub(super) fn delete(
        &mut self,
        now: Now,
        path: &JobPath,
        only: Option<JobId>,
        condition: &Condition,
    ) -> SaveAnswer {
        let id = self.catalog.resolve(path)?;
        if only.is_some_and(|only| only != id) {
            return Err(JobRefused::Unknown(path.to_string()));
        }
        let current = self.catalog.get(id).map(JobEntry::row);
        condition.check(path, current.as_ref().and_then(Version::of))?;
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
