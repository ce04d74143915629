//! Loads the state from which the engine continues: jobs, executors, and attempts that have not
//! ended.

use std::collections::BTreeMap;

use fastjob_core::{Cause, JobId, shard::ShardStrategy};
use jiff::Timestamp;

use crate::{
    engine::Engine,
    event::Now,
    record::{Loaded, LoadedJobs, OpenAttempt},
    state::attempts::{Open, Step},
};

impl Engine {
    pub(crate) fn load(&mut self, loaded: Loaded, now: Now) {
        for row in &loaded.lives {
            self.fleet.load(row, now.uptime);
        }
        self.load_open(loaded.open);
        self.load_jobs(loaded.jobs, loaded.cursors);
        self.load_spreads();
        self.load_returned(loaded.clock);
        self.attempts.load_ended(loaded.ended_shards);
        for (job, fire_at) in loaded.fired_ahead {
            if let Some(entry) = self.catalog.get_mut(job) {
                entry.note_fired_ahead(fire_at);
            }
        }
        for job in loaded.failing {
            if let Some(entry) = self.catalog.get_mut(job) {
                entry.failing = true;
            }
        }
        self.chores.start_children(loaded.child_starts, None);
    }

    fn load_open(&mut self, attempts: Vec<OpenAttempt>) {
        for OpenAttempt { planned, task_state, task_param, checkpoint, failed_on } in attempts {
            let (row, life) = (planned.row, planned.life);
            // An attempt with a life may have been sent, and only its executor knows. This node's
            // clock cannot tell whether it was due for the previous owner of the partition.
            let is_known = life.is_some_and(|life| self.fleet.get(life).is_some());
            let step = if is_known { Step::Unsure } else { Step::NotDue };
            let mut open = Open::loaded(row, task_param, task_state, life, step);
            if is_known {
                self.fleet.hold(row.attempt, &mut open.placement, life);
            }
            let (wanted, lineage, rerun) = (planned.wanted, planned.lineage, planned.rerun);
            let trace = planned.trace;
            let is_rare =
                wanted.is_some() || lineage.is_some() || rerun.is_some() || trace.is_some();
            if is_rare || checkpoint.is_some() || failed_on.is_some() {
                let rare = open.rare_mut();
                (rare.wanted, rare.lineage, rare.rerun) = (wanted, lineage, rerun);
                (rare.checkpoint, rare.avoid) = (checkpoint, failed_on);
                rare.trace = trace;
            }
            self.attempts.insert(open);
            self.attempts.set_due(row.attempt, row.due_at);
        }
    }

    fn load_jobs(&mut self, jobs: LoadedJobs, cursors: Vec<(JobId, Timestamp)>) {
        self.catalog.load(jobs, self.agenda.watermark());
        for (job, cursor) in cursors {
            if let Some(entry) = self.catalog.get_mut(job) {
                entry.set_cursor(entry.cursor().max(cursor));
                entry.has_stored_cursor = true;
            }
        }
        // Counted by task, because a task may have several open attempts.
        let is_scheduled =
            |open: &&Open| matches!(open.row.cause, Cause::Schedule | Cause::Misfire);
        let scheduled = self.attempts.iter().filter(is_scheduled);
        let scheduled: BTreeMap<_, _> =
            scheduled.map(|open| (open.row.task, open.row.job)).collect();
        for job in scheduled.into_values() {
            if let Some(entry) = self.catalog.get_mut(job) {
                entry.scheduled += 1;
            }
        }
        for (id, entry) in self.catalog.iter() {
            if entry.is_deleted() {
                self.chores.end_deleted(id, self.attempts.of_job(id).collect());
            }
        }
        for entry in self.catalog.entries_mut() {
            if entry.job().timetable.follows_the_last_end() && entry.scheduled == 0 {
                // Its next fire counts from its last end, which may be before the watermark. If
                // anything had been planned after that end, it would be open.
                entry.set_cursor(entry.cursor().min(entry.anchor()));
            }
        }
        let exclusive = self.catalog.iter().filter(|(_, entry)| entry.job().block.is_exclusive());
        let exclusive: Vec<_> = exclusive.map(|(id, _)| id).collect();
        for id in exclusive {
            self.load_lane(id);
        }
        self.agenda.schedule(self.catalog.iter().map(|(id, _)| id).collect());
    }

    fn load_spreads(&mut self) {
        let Self { attempts, catalog, .. } = self;
        attempts.load_spreads(|open| {
            let job = catalog.job(open.row.job);
            job.is_some_and(|job| job.shard != ShardStrategy::One) && open.rare().wanted.is_none()
        });
    }

    /// An attempt that was due before `clock` and is on no executor may have been admitted and
    /// returned. It must not replace tasks that came after it.
    fn load_returned(&mut self, clock: Option<Timestamp>) {
        for (id, entry) in self.catalog.iter() {
            if !entry.job().block.replaces_across_the_cluster() {
                continue;
            }
            let waiting: Vec<_> = self.attempts.of_job(id).collect();
            for attempt in waiting {
                if let Some(open) = self.attempts.get_mut(attempt)
                    && open.step() == Step::NotDue
                    && Some(open.row.due_at) <= clock
                {
                    open.rare_mut().was_placed = true;
                }
            }
        }
    }
}
