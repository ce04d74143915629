//! The lanes of jobs whose overlap rule holds across the cluster.
//!
//! An admitted attempt counts until it has ended, also while its executor is disconnected: it ends
//! when the executor reports that, or is lost.

use std::collections::BTreeMap;

use fastjob_core::{
    AttemptId, JobId, TaskId,
    block::{Block, BlockStrategy},
};

use super::attempts::Fifo;
use crate::maps::IdMap;

/// The lanes that are in use, by job.
#[derive(Debug, Default)]
pub(crate) struct Lanes(IdMap<JobId, Lane>);

/// The attempts of one job that were admitted, and those that wait.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// Admitted attempts that have not ended, with their tasks.
    active: BTreeMap<AttemptId, TaskId>,
    /// Attempts that wait for their turn, in order.
    queue: Fifo,
    queued: IdMap<AttemptId, TaskId>,
}

impl Lanes {
    /// The lane of a job. Remove it with [`forget_if_empty`](Self::forget_if_empty).
    pub(crate) fn of(&mut self, job: JobId) -> &mut Lane {
        self.0.entry(job).or_default()
    }

    pub(crate) fn get(&self, job: JobId) -> Option<&Lane> {
        self.0.get(&job)
    }

    pub(crate) fn get_mut(&mut self, job: JobId) -> Option<&mut Lane> {
        self.0.get_mut(&job)
    }

    pub(crate) fn forget_if_empty(&mut self, job: JobId) {
        if self.get(job).is_some_and(|lane| lane.active.is_empty() && lane.queue.is_empty()) {
            self.0.remove(&job);
        }
    }

    /// The number of lanes, and of the attempts in them.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let attempts = self.0.values().map(|lane| lane.active.len() + lane.queue.len());
        (self.0.len(), attempts.sum())
    }
}

impl Lane {
    /// Whether an attempt was admitted.
    pub(crate) fn is_active(&self, attempt: AttemptId) -> bool {
        self.active.contains_key(&attempt)
    }

    /// Admits an attempt.
    pub(crate) fn enter(&mut self, attempt: AttemptId, task: TaskId) {
        self.active.insert(attempt, task);
    }

    /// Adds a waiting attempt.
    pub(crate) fn queue(&mut self, attempt: AttemptId, task: TaskId) {
        self.queue.push(attempt);
        self.queued.insert(attempt, task);
    }

    /// Removes an attempt, admitted or waiting.
    pub(crate) fn leave(&mut self, attempt: AttemptId) {
        if self.active.remove(&attempt).is_none() {
            self.queue.remove(attempt);
            self.queued.remove(&attempt);
        }
    }

    /// The attempt that has waited longest, with its task.
    pub(crate) fn next(&self) -> Option<(AttemptId, TaskId)> {
        let attempt = self.queue.front()?;
        Some((attempt, *self.queued.get(&attempt)?))
    }

    /// How many attempts wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Whether a due attempt of `task` is next: no attempt waits, or it is a shard of a task that
    /// runs.
    pub(crate) fn is_next(&self, task: TaskId) -> bool {
        self.queue.is_empty() || self.active.values().any(|other| *other == task)
    }

    /// Whether another attempt of `task` may run beside the admitted ones.
    pub(crate) fn has_room(&self, block: Block, task: TaskId) -> bool {
        match block.strategy {
            BlockStrategy::Parallel => self.active.len() < block.max_running as usize,
            BlockStrategy::Serial | BlockStrategy::SkipNew | BlockStrategy::ReplaceRunning => {
                self.active.values().all(|other| *other == task)
            }
        }
    }

    /// The tasks in the lane, each once, in the order of their ids.
    pub(crate) fn tasks(&self) -> Vec<TaskId> {
        let mut tasks: Vec<_> = self.active.values().chain(self.queued.values()).copied().collect();
        tasks.sort_unstable();
        tasks.dedup();
        tasks
    }
}
