//! What an engine starts with, and what lists show of the history.

use std::collections::BTreeMap;

use fastjob_core::JobId;
use fastjob_engine::simulation::{PastAttempt, PastTask};

use super::{Simulated, tables::TaskRow};
use crate::store::{
    AlarmKind, Loaded, Partition,
    journal::{Checkpoints, EndedRow, Journal},
};

impl Simulated {
    /// Loads a partition whose journal is replayed already.
    pub(super) fn loaded(&self, partition: Partition, journal: &Journal) -> Loaded {
        let tables = &self.tables;
        let row = tables.partitions.get(&partition).cloned().unwrap_or_default();
        let is_here = |id: i64| Partition::of_id(id, self.partitions) == partition;
        let of_jobs = |(job, _): &(&JobId, _)| is_here(job.0);
        let mut checkpoints = Checkpoints::new();
        for id in journal.ids().into_iter().map(fastjob_core::TaskId) {
            let of_task = tables.checkpoints.range((id, 0)..=(id, u32::MAX));
            checkpoints.extend(of_task.map(|(key, value)| (*key, value.clone())));
        }
        let (open, ended_shards) = journal.loaded(&checkpoints, self.ended_rows(journal));
        let child_starts = tables.child_starts.values();
        let child_starts =
            child_starts.filter(|child| child.partition == partition && !tables.has_started(child));
        let lives = journal.lives().into_iter().map(crate::store::LifeId);
        let next_life = tables.lives.keys().rfind(|life| is_here(life.0));
        Loaded {
            ids_until: row.ids_until,
            watermark: row.watermark,
            clock: row.clock,
            jobs: tables.jobs.values().filter(|row| is_here(row.id.0)).cloned().collect(),
            cursors: tables.cursors.iter().filter(of_jobs).map(|(job, at)| (*job, *at)).collect(),
            fired_ahead: {
                let ahead = tables.fired_ahead.iter().filter(of_jobs);
                ahead.map(|(job, at)| (*job, *at)).collect()
            },
            open,
            ended_shards,
            failing: self.failing(is_here),
            lives: lives.filter_map(|life| tables.lives.get(&life).cloned()).collect(),
            next_life: next_life.map_or(1, |life| life.0 + 1),
            child_starts: child_starts.cloned().collect(),
        }
    }

    /// The attempts that have ended of tasks that have not, in the order of task, shard and number.
    fn ended_rows(&self, journal: &Journal) -> Vec<EndedRow> {
        let with_rows = journal.with_rows();
        let Some(first) = with_rows.first() else { return Vec::new() };
        // A task's other attempts have higher ids than its first one.
        let attempts = self.tables.attempts.range(fastjob_core::AttemptId(*first)..);
        let attempts = attempts.map(|(_, row)| row);
        let rows = attempts.filter(|row| with_rows.binary_search(&row.task.0).is_ok());
        let mut rows: Vec<_> = rows
            .map(|row| EndedRow {
                task: row.task,
                shard: row.shard,
                number: row.number,
                state: row.state,
                result: row.result.clone(),
                executor: {
                    let life = row.life.and_then(|life| self.tables.lives.get(&life));
                    life.map(|life| life.executor.clone())
                },
            })
            .collect();
        rows.sort_by_key(|row| (row.task, row.shard.index, row.number));
        rows
    }

    fn failing(&self, is_here: impl Fn(i64) -> bool) -> Vec<JobId> {
        let mut latest = BTreeMap::new();
        for (job, kind) in self.tables.alarms.values() {
            if matches!(kind, AlarmKind::Failed | AlarmKind::Recovered) && is_here(job.0) {
                latest.insert(*job, *kind);
            }
        }
        latest.retain(|_, kind| *kind == AlarmKind::Failed);
        latest.into_keys().collect()
    }

    /// Rows of tasks, with those attempts that have no row of their own.
    pub(super) fn shown<'a>(
        &self,
        tasks: impl Iterator<Item = &'a TaskRow>,
    ) -> (Vec<PastTask>, Vec<PastAttempt>) {
        let (mut shown, mut only) = (Vec::new(), Vec::new());
        for row in tasks {
            shown.push(row.task.clone());
            only.extend(row.only.as_ref().map(|only| self.with_log(only)));
        }
        (shown, only)
    }

    pub(super) fn with_log(&self, row: &PastAttempt) -> PastAttempt {
        let log_tail = self.tables.logs.get(&row.attempt).cloned().unwrap_or_default();
        PastAttempt { log_tail, ..row.clone() }
    }
}
