//! How many tasks are open, kept up to date with them, so that no caller has to look at all of them.
//!
//! A task that is spread over executors counts once, in its own state. Its shards do not count.

use fastjob_core::{JobId, TaskState};

use super::{Attempts, Open};
use crate::maps::IdMap;

/// The number of open tasks. A task that is stopping counts as running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenTasks {
    /// Tasks that wait for their instant, an executor or their turn. Unlike lists, they include those
    /// that are not durable yet.
    pub(crate) queued: u64,
    /// Tasks that run, or that are stopping.
    pub(crate) running: u64,
}

impl OpenTasks {
    fn of(&mut self, state: TaskState) -> Option<&mut u64> {
        match state {
            TaskState::Queued => Some(&mut self.queued),
            TaskState::Running | TaskState::Stopping => Some(&mut self.running),
            TaskState::Succeeded | TaskState::Failed | TaskState::Stopped | TaskState::Skipped => {
                None
            }
        }
    }

    /// Counts a task in this state.
    fn add(&mut self, state: TaskState) {
        if let Some(count) = self.of(state) {
            *count += 1;
        }
    }

    /// Counts all tasks of another number, too.
    pub(crate) fn extend(&mut self, more: Self) {
        self.queued += more.queued;
        self.running += more.running;
    }

    /// Counts a task in this state no longer.
    fn remove(&mut self, state: TaskState) {
        if let Some(count) = self.of(state) {
            debug_assert!(*count > 0, "a task in the state {state} was not counted");
            *count = count.saturating_sub(1);
        }
    }
}

/// The number of open tasks, also by job. The jobs of a service change, so a service is counted when
/// someone asks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TaskCounts {
    all: OpenTasks,
    /// Jobs without open tasks are not in it.
    by_job: IdMap<JobId, OpenTasks>,
}

impl TaskCounts {
    /// Counts a task of a job in this state.
    pub(super) fn add(&mut self, job: JobId, state: TaskState) {
        if !state.is_final() {
            self.all.add(state);
            self.by_job.entry(job).or_default().add(state);
        }
    }

    /// Counts it no longer.
    pub(super) fn remove(&mut self, job: JobId, state: TaskState) {
        if state.is_final() {
            return;
        }
        self.all.remove(state);
        if let Some(count) = self.by_job.get_mut(&job) {
            count.remove(state);
            if *count == OpenTasks::default() {
                self.by_job.remove(&job);
            }
        }
    }

    /// Counts it in its next state.
    pub(super) fn moved(&mut self, job: JobId, from: TaskState, to: TaskState) {
        if from == to {
            return;
        }
        self.all.add(to);
        self.all.remove(from);
        // A job keeps its place when its only task starts.
        let count = self.by_job.entry(job).or_default();
        count.add(to);
        count.remove(from);
        if *count == OpenTasks::default() {
            self.by_job.remove(&job);
        }
    }
}

impl Attempts {
    /// How many tasks are open.
    pub(crate) fn open_tasks(&self) -> OpenTasks {
        self.count.all
    }

    /// The same by job, in no order.
    pub(crate) fn open_tasks_by_job(&self) -> impl Iterator<Item = (JobId, OpenTasks)> {
        self.count.by_job.iter().map(|(job, count)| (*job, *count))
    }

    /// Whether an attempt stands for its task, and is not one of its shards.
    pub(crate) fn is_whole(&self, open: &Open) -> bool {
        open.row.shard.total < 2 && !self.spreads.contains_key(&open.row.task)
    }

    pub(super) fn count_in(&mut self, open: &Open) {
        if self.is_whole(open) {
            self.count.add(open.row.job, open.task_state);
        }
    }

    pub(super) fn count_out(&mut self, open: &Open) {
        if self.is_whole(open) {
            self.count.remove(open.row.job, open.task_state);
        }
    }

    /// The same number, counted again.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn task_counts_recounted(&self) -> TaskCounts {
        let mut count = TaskCounts::default();
        self.spreads.values().for_each(|spread| count.add(spread.job(), spread.state()));
        let whole = self.open.values().filter(|open| self.is_whole(open));
        whole.for_each(|open| count.add(open.row.job, open.task_state));
        count
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn task_counts(&self) -> &TaskCounts {
        &self.count
    }
}
