//! What the engine carries on from: jobs, and attempts that had not ended.

use fastjob_core::{AttemptState, Cause, JobId, shard::ShardStrategy};
use jiff::Timestamp;

use super::{
    Engine, JobEntry,
    round::Round,
    spread::shard_state,
    state::{More, Open, ShardAt, Spread, Step},
};
use crate::record::{EndedShard, JobRow, OpenAttempt};

impl Engine {
    pub(super) fn load_jobs(&mut self, rows: Vec<JobRow>, cursors: Vec<(JobId, Timestamp)>) {
        for row in rows {
            self.catalog.admit(row, self.watermark);
        }
        for (job, cursor) in cursors {
            if let Some(entry) = self.catalog.get_mut(job) {
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
            if let Some(entry) = self.catalog.get_mut(job) {
                entry.scheduled += 1;
            }
        }
        for (attempt, open) in &self.open {
            if let Some(entry) = self.catalog.get_mut(open.job) {
                entry.open.insert(*attempt);
            }
        }
        for (id, entry) in self.catalog.iter() {
            if entry.is_deleted() && !entry.open.is_empty() {
                self.chores.end_deleted(id, entry.open.iter().copied().collect());
            }
        }
        for entry in self.catalog.entries_mut() {
            if entry.job().timetable.follows_the_last_end() && entry.scheduled == 0 {
                // Its next fire counts from its last end, which may be before what the others are
                // planned up to; what was planned after that end would be open.
                entry.cursor = entry.cursor.min(entry.anchor());
            }
        }
        let ids: Vec<_> = self.catalog.iter().map(|(id, _)| id).collect();
        let with_lane = |entry: &JobEntry| !entry.open.is_empty();
        for id in &ids {
            if self.catalog.get(*id).is_some_and(with_lane) {
                self.load_lane(*id);
            }
        }
        self.round = Round::scheduling(ids);
        self.load_spreads();
    }

    /// What was due before `clock` and is on no executor may have been let through and returned: it
    /// does not replace what came after it.
    pub(super) fn load_returned(&mut self, clock: Option<Timestamp>) {
        let replaces = |entry: &&JobEntry| entry.job().block.replaces_across_the_cluster();
        for entry in self.catalog.iter().map(|(_, entry)| entry).filter(replaces) {
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
                .catalog
                .get(open.job)
                .is_some_and(|entry| entry.job().shard != ShardStrategy::One)
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
            if let Some(entry) = self.catalog.get_mut(job) {
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
