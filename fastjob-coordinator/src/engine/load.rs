//! What the engine carries on from: jobs, and attempts that had not ended.

use std::{collections::BTreeSet, sync::Arc};

use fastjob_core::{AttemptState, Cause, JobId, shard::ShardStrategy};
use jiff::Timestamp;

use super::{
    Engine,
    plan::Round,
    spread::shard_state,
    state::{JobEntry, More, Open, ShardAt, Spread, Step},
};
use crate::record::{EndedShard, JobRow, OpenAttempt, definition_bytes};

impl Engine {
    pub(super) fn load_jobs(&mut self, rows: Vec<JobRow>, cursors: Vec<(JobId, Timestamp)>) {
        for row in rows {
            self.next_job = self.next_job.max(self.config.id_from(row.id.0 + 1));
            self.admit(row);
        }
        for (job, cursor) in cursors {
            if let Some(entry) = self.jobs.get_mut(&job) {
                entry.cursor = entry.cursor.max(cursor);
                entry.has_stored_cursor = true;
            }
        }
        // By task, for a task may have several open attempts.
        let scheduled: std::collections::BTreeMap<_, _> = self
            .open
            .values()
            .filter(|open| matches!(open.cause, Cause::Schedule | Cause::Misfire))
            .map(|open| (open.task, open.job))
            .collect();
        for job in scheduled.into_values() {
            if let Some(entry) = self.jobs.get_mut(&job) {
                entry.scheduled += 1;
            }
        }
        for (attempt, open) in &self.open {
            if let Some(entry) = self.jobs.get_mut(&open.job) {
                entry.open.insert(*attempt);
            }
        }
        for (id, entry) in &self.jobs {
            if entry.row.deleted_at.is_some() && !entry.open.is_empty() {
                self.chores.end_deleted(*id, entry.open.iter().copied().collect());
            }
        }
        for entry in self.jobs.values_mut() {
            if entry.row.job.timetable.follows_the_last_end() && entry.scheduled == 0 {
                // Its next fire counts from its last end, which may be before what the others are
                // planned up to; what was planned after that end would be open.
                entry.cursor = entry.cursor.min(entry.row.anchor);
            }
        }
        let ids: Vec<_> = self.jobs.keys().copied().collect();
        let with_lane = |entry: &JobEntry| !entry.open.is_empty();
        for id in &ids {
            if self.jobs.get(id).is_some_and(with_lane) {
                self.load_lane(*id);
            }
        }
        self.round = Round::scheduling(ids);
        self.load_spreads();
    }

    /// What was due before `clock` and is on no executor may have been let through and returned: it
    /// does not replace what came after it.
    pub(super) fn load_returned(&mut self, clock: Option<Timestamp>) {
        let replaces = |entry: &&JobEntry| entry.row.job.block.replaces_across_the_cluster();
        for entry in self.jobs.values().filter(replaces) {
            for attempt in &entry.open {
                if let Some(open) = self.open.get_mut(attempt)
                    && open.step == Step::NotDue
                    && Some(open.due_at) <= clock
                {
                    open.more_mut().was_placed = true;
                }
            }
        }
    }

    /// Tasks that are laid out over executors; their ended shards come from [`load_ended`].
    ///
    /// [`load_ended`]: Self::load_ended
    fn load_spreads(&mut self) {
        for (attempt, open) in &self.open {
            let sharded = self
                .jobs
                .get(&open.job)
                .is_some_and(|entry| entry.row.job.shard != ShardStrategy::One)
                && open.more().wanted.is_none();
            if open.shard.total < 2 && !(sharded && open.shard.total == 1) {
                continue;
            }
            let spread = self.spreads.entry(open.task).or_insert_with(|| Spread {
                state: open.task_state,
                // What is neither open nor ended in the store does not exist.
                shards: vec![
                    ShardAt::Ended { state: AttemptState::Failed, result: None };
                    open.shard.total as usize
                ],
                open: 0,
            });
            self.retried.remove(&open.task);
            if let Some(shard) = spread.shards.get_mut(open.shard.index as usize) {
                *shard = ShardAt::Open(*attempt);
                spread.open += 1;
            }
        }
    }

    /// Jobs of which people were told that they failed.
    pub(super) fn load_failing(&mut self, jobs: Vec<JobId>) {
        for job in jobs {
            if let Some(entry) = self.jobs.get_mut(&job) {
                entry.failing = true;
            }
        }
    }

    /// How the shards ended that did.
    pub(super) fn load_ended(&mut self, ended: Vec<EndedShard>) {
        for EndedShard { task, shard, number, state, result } in ended {
            let Some(spread) = self.spreads.get_mut(&task) else { continue };
            if let Some(at @ ShardAt::Ended { .. }) = spread.shards.get_mut(shard.index as usize) {
                *at = ShardAt::Ended { state: shard_state(state, number), result };
            }
        }
    }

    /// Takes a job in under its names.
    pub(super) fn admit(&mut self, row: JobRow) {
        let (id, job) = (row.id, Arc::clone(&row.job));
        // A tombstone keeps its name until a living job takes it.
        let key = (job.service.clone(), job.name.clone());
        let taken = row.deleted_at.is_some()
            && self.by_name.get(&key).is_some_and(|other| {
                self.jobs.get(other).is_some_and(|other| other.row.deleted_at.is_none())
            });
        if !taken {
            self.by_name.insert(key, id);
        }
        if row.deleted_at.is_none() {
            self.parents.change(id, &[], &row.children);
            let ids = self.by_bare_name.entry(job.name.clone()).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        self.job_bytes += definition_bytes(&job) as u64;
        let entry = JobEntry {
            row,
            next_fire: None,
            cursor: self.watermark,
            lost_until: Timestamp::MIN,
            has_stored_cursor: false,
            memory: fastjob_core::route::Memory::default(),
            open: BTreeSet::new(),
            scheduled: 0,
            failing: false,
        };
        self.jobs.insert(id, entry);
    }

    pub(super) fn load_open(&mut self, attempts: Vec<OpenAttempt>) {
        for loaded in attempts {
            let OpenAttempt { planned, task_state, task_param, checkpoint, failed_on } = loaded;
            // Sent, perhaps: only its executor knows. Whether its time had come for the node that had
            // the partition before is not judged by this node's clock.
            let life = planned.life.and_then(|life| self.lives.get_mut(&life));
            let step = match life {
                Some(life) => {
                    life.hold(planned.attempt);
                    Step::Unsure
                }
                None => Step::NotDue,
            };
            if planned.attempt != planned.task.first_attempt() {
                self.retried.insert(planned.task, planned.attempt);
            }
            let has_more = planned.wanted.is_some()
                || planned.lineage.is_some()
                || checkpoint.is_some()
                || failed_on.is_some();
            let (wanted, avoid, lineage) = (planned.wanted, failed_on, planned.lineage);
            let more = More { wanted, checkpoint, avoid, lineage, ..More::default() };
            let more = has_more.then(|| Box::new(more));
            if step == Step::NotDue {
                self.due.set(planned.attempt, planned.due_at);
            }
            self.enter(
                planned.attempt,
                Open {
                    task: planned.task,
                    job: planned.job,
                    number: planned.number,
                    shard: planned.shard,
                    cause: planned.cause,
                    fire_at: planned.fire_at,
                    due_at: planned.due_at,
                    created_at: planned.created_at,
                    param: task_param,
                    state: AttemptState::Planned,
                    task_state,
                    step,
                    life: planned.life,
                    promised: false,
                    started_at: None,
                    more,
                },
            );
        }
    }
}
