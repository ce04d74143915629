//! What an engine starts with, as far as it is in the journal.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use fastjob_core::{AttemptState, ExecutorName, Shard, TaskId};

use super::{Journal, OpenTask};
use crate::store::{EndedShard, LifeId, NewAttempt, OpenAttempt};

/// An attempt of an open task that has ended.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) struct EndedRow {
    pub(in crate::store) task: TaskId,
    pub(in crate::store) shard: Shard,
    pub(in crate::store) number: u32,
    pub(in crate::store) state: AttemptState,
    pub(in crate::store) result: Option<String>,
    pub(in crate::store) executor: Option<ExecutorName>,
}

/// The checkpoints of open tasks, by task and shard.
pub(in crate::store) type Checkpoints = HashMap<(TaskId, u32), Arc<str>>;

impl Journal {
    /// The open tasks, by id.
    pub(in crate::store) fn ids(&self) -> Vec<i64> {
        sorted(self.tasks().map(|(id, _)| id.0))
    }

    /// The open tasks that have attempts that ended, by id.
    pub(in crate::store) fn with_rows(&self) -> Vec<i64> {
        sorted(self.tasks().filter(|(_, task)| task.has_rows).map(|(id, _)| id.0))
    }

    /// The lives that open attempts are placed on, by id.
    pub(in crate::store) fn lives(&self) -> Vec<i64> {
        let open = self.tasks().flat_map(|(_, task)| &task.open);
        let lives: HashSet<_> = open.filter_map(|open| open.life).collect();
        sorted(lives.into_iter().map(|LifeId(life)| life))
    }

    /// The open attempts by id, and the shards that have ended of tasks that have not. `ended` is
    /// ordered by task, shard and number.
    pub(in crate::store) fn loaded(
        &self,
        checkpoints: &Checkpoints,
        ended: Vec<EndedRow>,
    ) -> (Vec<OpenAttempt>, Vec<EndedShard>) {
        let executors: HashMap<_, _> = ended
            .iter()
            .map(|row| ((row.task, row.shard.index, row.number), row.executor.clone()))
            .collect();
        let mut open = Vec::with_capacity(self.attempts());
        for (id, task) in self.tasks() {
            for attempt in &task.open {
                let shard = attempt.row.shard.index;
                let before = (id, shard, attempt.row.number.saturating_sub(1));
                open.push(OpenAttempt {
                    planned: NewAttempt {
                        row: attempt.row,
                        parent: None,
                        lineage: task.lineage,
                        rerun: task.rerun.clone(),
                        trace: task.trace.clone(),
                        wanted: task.wanted.clone(),
                        key: None,
                        life: attempt.life,
                        param: None,
                        note: None,
                        state: AttemptState::Planned,
                        task_state: task.state,
                        service: None,
                    },
                    task_state: task.state,
                    task_param: task.param.clone(),
                    checkpoint: checkpoints.get(&(id, shard)).cloned(),
                    failed_on: executors.get(&before).cloned().flatten(),
                });
            }
        }
        open.sort_unstable_by_key(|open| open.planned.row.attempt);
        (open, self.ended_shards(ended))
    }

    /// The latest attempt of a retried shard counts, and none counts while one is open.
    fn ended_shards(&self, ended: Vec<EndedRow>) -> Vec<EndedShard> {
        let is_open = |task: &OpenTask, shard: u32| {
            task.open.iter().any(|open| open.row.shard.index == shard)
        };
        let mut latest: Vec<EndedShard> = Vec::new();
        for row in ended {
            let Some(task) = self.task(row.task) else { continue };
            if row.shard.total <= 1 || is_open(task, row.shard.index) {
                continue;
            }
            let same = |last: &mut EndedShard| {
                (last.task, last.shard.index) == (row.task, row.shard.index)
            };
            latest.pop_if(same);
            let EndedRow { task, shard, number, state, result, executor: _ } = row;
            latest.push(EndedShard { task, shard, number, state, result });
        }
        latest
    }
}

fn sorted(ids: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut ids: Vec<_> = ids.collect();
    ids.sort_unstable();
    ids
}
