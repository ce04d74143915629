//! What the engine carries on from: jobs, and attempts that had not ended.

use std::sync::Arc;

use fastjob_core::{AttemptState, Cause, JobId, shard::ShardStrategy};

use super::{
    Engine, Now,
    plan::soon,
    spread::shard_state,
    state::{JobEntry, More, Open, ShardAt, Spread, Step},
};
use crate::record::{EndedShard, JobRow, NewAttempt, OpenAttempt, definition_bytes};

impl Engine {
    pub(super) fn load_jobs(&mut self, rows: Vec<JobRow>) {
        for row in rows {
            self.next_job = self.next_job.max(self.config.id_from(row.id.0 + 1));
            self.admit(row);
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
        let not_due: Vec<_> = self
            .open
            .iter()
            .filter(|(_, open)| open.step == Step::NotDue)
            .map(|(attempt, open)| (*attempt, open.job))
            .collect();
        for (attempt, job) in not_due {
            if let Some(entry) = self.jobs.get_mut(&job) {
                entry.planned.push(attempt);
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
        for id in ids {
            self.schedule_next(id);
        }
        self.load_lanes(None);
        self.load_spreads();
    }

    /// Tasks that are laid out over executors; their ended shards come from [`load_ended`].
    ///
    /// [`load_ended`]: Self::load_ended
    fn load_spreads(&mut self) {
        for (attempt, open) in &self.open {
            let sharded = self
                .jobs
                .get(&open.job)
                .is_some_and(|entry| entry.row.job.shard != ShardStrategy::One);
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
            let ids = self.by_bare_name.entry(job.name.clone()).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        self.job_bytes += definition_bytes(&job) as u64;
        let cursor = self.watermark;
        let entry = JobEntry {
            row,
            epoch: 0,
            cursor,
            memory: fastjob_core::route::Memory::default(),
            planned: Vec::new(),
            scheduled: 0,
            failing: false,
        };
        self.jobs.insert(id, entry);
    }

    pub(super) fn load_open(&mut self, attempts: Vec<OpenAttempt>, now: Now) {
        for loaded in attempts {
            let OpenAttempt { planned, task_state, task_param, checkpoint, failed_on } = loaded;
            let step = match planned.life {
                // Sent, perhaps: only its executor knows.
                Some(life) if may_be_out(&planned, now) && self.lives.contains_key(&life) => {
                    Step::Unsure
                }
                _ => Step::NotDue,
            };
            if planned.attempt != planned.task.first_attempt() {
                self.retried.insert(planned.task, planned.attempt);
            }
            let has_more = planned.wanted.is_some() || checkpoint.is_some() || failed_on.is_some();
            let (wanted, avoid) = (planned.wanted, failed_on);
            let more =
                has_more.then(|| Box::new(More { wanted, checkpoint, avoid, ..More::default() }));
            if step == Step::NotDue {
                self.due.entry(planned.due_at).or_default().push(planned.attempt);
            }
            self.open.insert(
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
                    epoch: 0,
                    more,
                },
            );
        }
    }
}

/// Whether an attempt that has a place may have been sent: its time has come, or had come by the
/// uptime of the coordinator that gave it one. By uptime go those that were made too early to get
/// their place then, retries, and starts with a delay; it runs on while a clock that was set back
/// has not caught up.
fn may_be_out(planned: &NewAttempt, now: Now) -> bool {
    let is_fire = planned.number == 1 && matches!(planned.cause, Cause::Schedule | Cause::Misfire);
    !is_fire
        || planned.due_at <= now.wall
        || planned.due_at > soon(Now { wall: planned.created_at, ..now })
}
