//! What an engine loads from the model of the store when it starts.

use std::collections::{BTreeMap, BTreeSet};

use fastjob_core::{JobId, TaskId};

use super::model::{ModelStore, Row};
use crate::record::{AlarmKind, Attempt, EndedShard, Loaded, NewAttempt, OpenAttempt, Partition};

impl ModelStore {
    #[cfg(test)]
    pub(crate) fn load(&self) -> Loaded {
        self.load_partition(Partition::default())
    }

    pub(super) fn load_partition(&self, partition: Partition) -> Loaded {
        let reached = self.reached.get(&partition).copied().unwrap_or_default();
        let open: Vec<_> = self
            .attempts
            .values()
            .filter(|row| row.is_open() && self.is_in(row.new.row.attempt.0, partition))
            .map(|row| {
                let head = &self.attempts[&row.new.row.task.first_attempt()];
                let new = &row.new;
                let is_before = |other: &&Row| {
                    (other.new.row.task, other.new.row.shard.index)
                        == (new.row.task, new.row.shard.index)
                        && other.new.row.number + 1 == new.row.number
                };
                let first = new.row.task.first_attempt();
                let before = (new.row.number > 1)
                    .then(|| self.attempts.range(first..).map(|(_, row)| row).find(is_before))
                    .flatten();
                let failed_on = before.and_then(|before| self.lives.get(&before.new.life?));
                OpenAttempt {
                    planned: NewAttempt {
                        parent: None,
                        lineage: head.new.lineage,
                        rerun: head.new.rerun.clone(),
                        trace: head.new.trace.clone(),
                        wanted: head.new.wanted.clone(),
                        key: None,
                        param: None,
                        note: None,
                        task_state: head.task_state,
                        service: None,
                        ..row.new.clone()
                    },
                    task_state: head.task_state,
                    task_param: head.new.param.clone(),
                    checkpoint: self
                        .checkpoints
                        .get(&(row.new.row.task, row.new.row.shard.index))
                        .cloned(),
                    failed_on: failed_on.map(|life| life.executor.clone()),
                }
            })
            .collect();
        let lives = self
            .lives
            .values()
            .filter(|life| open.iter().any(|open| open.planned.life == Some(life.id)))
            .cloned()
            .collect();
        let failed = |(_, (_, kind)): &(&JobId, &(i64, AlarmKind))| *kind == AlarmKind::Failed;
        let failing = self.last_alarm.iter().filter(failed).map(|(job, _)| *job);
        let failing = failing.filter(|job| self.is_in(job.0, partition)).collect();
        Loaded {
            ended_shards: self.ended_shards(&open),
            failing,
            child_starts: self.children_of(partition),
            ids_until: reached.ids_until,
            watermark: reached.watermark,
            clock: reached.clock,
            jobs: self
                .jobs
                .values()
                .filter(|row| self.is_in(row.id.0, partition))
                .cloned()
                .collect(),
            cursors: self
                .cursors
                .iter()
                .filter(|(job, _)| self.is_in(job.0, partition))
                .map(|(job, at)| (*job, *at))
                .collect(),
            fired_ahead: self
                .fired_ahead
                .iter()
                .filter(|(job, _)| self.is_in(job.0, partition))
                .map(|(job, at)| (*job, *at))
                .collect(),
            open,
            lives,
            next_life: self
                .lives
                .keys()
                .rfind(|id| self.is_in(id.0, partition))
                .map_or(1, |id| id.0 + 1),
        }
    }

    /// The latest attempts of shards that have ended, of the tasks of open attempts.
    fn ended_shards(&self, open: &[OpenAttempt]) -> Vec<EndedShard> {
        let tasks: BTreeSet<_> = open.iter().map(|open| open.planned.row.task).collect();
        let waits: BTreeSet<_> = open.iter().map(|open| shard_of(&open.planned)).collect();
        let mut latest = BTreeMap::new();
        let Some(first) = tasks.first() else { return Vec::new() };
        for row in self.attempts.range(first.first_attempt()..).map(|(_, row)| row) {
            let Some(ended) = row.ended.as_ref().filter(|_| row.new.row.shard.total > 1) else {
                continue;
            };
            let shard = shard_of(&row.new);
            if !tasks.contains(&row.new.row.task) || waits.contains(&shard) {
                continue;
            }
            let Attempt { task, shard: of, number, .. } = row.new.row;
            let (state, result) = (ended.state, ended.result.clone());
            let ended = EndedShard { task, shard: of, number, state, result };
            let last = latest.entry(shard).or_insert_with(|| ended.clone());
            if last.number < number {
                *last = ended;
            }
        }
        latest.into_values().collect()
    }
}

fn shard_of(attempt: &NewAttempt) -> (TaskId, u32) {
    (attempt.row.task, attempt.row.shard.index)
}
