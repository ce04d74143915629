//! How many tasks are open, kept up to date with them, so that no caller has to look at all of them.
//!
//! A task that is spread over executors counts once, in its own state. Its shards do not count.

use fastjob_core::TaskState;

use super::{Attempts, Open};

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
    pub(crate) fn add(&mut self, state: TaskState) {
        if let Some(count) = self.of(state) {
            *count += 1;
        }
    }

    /// Counts a task in this state no longer.
    pub(super) fn remove(&mut self, state: TaskState) {
        if let Some(count) = self.of(state) {
            debug_assert!(*count > 0, "a task in the state {state} was not counted");
            *count = count.saturating_sub(1);
        }
    }

    /// Counts a task in its next state.
    pub(super) fn moved(&mut self, from: TaskState, to: TaskState) {
        self.remove(from);
        self.add(to);
    }
}

impl Attempts {
    /// How many tasks are open.
    pub(crate) fn open_tasks(&self) -> OpenTasks {
        self.count
    }

    /// Whether an attempt stands for its task, and is not one of its shards.
    pub(crate) fn is_whole(&self, open: &Open) -> bool {
        open.row.shard.total < 2 && !self.spreads.contains_key(&open.row.task)
    }

    pub(super) fn count_in(&mut self, open: &Open) {
        if self.is_whole(open) {
            self.count.add(open.task_state);
        }
    }

    pub(super) fn count_out(&mut self, open: &Open) {
        if self.is_whole(open) {
            self.count.remove(open.task_state);
        }
    }

    /// The same number, counted again.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn open_tasks_recounted(&self) -> OpenTasks {
        let mut count = OpenTasks::default();
        self.spreads.values().for_each(|spread| count.add(spread.state()));
        let whole = self.open.values().filter(|open| self.is_whole(open));
        whole.for_each(|open| count.add(open.task_state));
        count
    }
}
