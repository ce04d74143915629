//! The open tasks: their current attempts and their states.
//!
//! A task has one open attempt at a time. If it is spread over executors, it has one for each shard
//! that has not ended.

use fastjob_core::{
    AttemptId, AttemptState, JobId, TaskId, TaskState,
    attempt::{End, FailReason},
    task::{self, TaskEvent},
};

use super::{Attempts, Open};
use crate::record::{Attempt, EndedShard, RerunOf};

/// The maximum size of the list of all shards' results, in bytes. Above it, only the attempts have
/// the results.
const RESULTS_MOST: usize = 256 * 1024;

/// An open task that is spread over executors.
#[derive(Debug)]
pub(super) struct Spread {
    job: JobId,
    state: TaskState,
    /// For each shard, its open attempt or how it ended.
    shards: Vec<ShardAt>,
    /// The number of shards that have not ended.
    open: usize,
    /// A shard that failed, for the alarm of the task: the first one, unless it was loaded.
    failure: Option<Box<ShardFailure>>,
}

/// How a shard failed permanently, for the alarm of its task. What is not known is empty: the engine that
/// continues with an open task knows which of its shards failed, and not how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShardFailure {
    /// The index of the shard, from 0.
    pub(crate) shard: u32,
    /// The number of its last attempt, from 1.
    pub(crate) number: u32,
    /// The executor of that attempt.
    pub(crate) executor: Option<String>,
    pub(crate) reason: Option<FailReason>,
    /// The beginning of what the handler said.
    pub(crate) message: Option<String>,
    /// Whether it was loaded: other shards may have failed before it.
    pub(crate) is_loaded: bool,
}

/// The end of a task that was spread.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SpreadEnd {
    /// The worst end of a shard.
    pub(crate) state: TaskState,
    /// The list of the shards' results, as JSON.
    pub(crate) results: String,
    /// The number of shards that failed, and one of them.
    pub(crate) failed: Option<(usize, ShardFailure)>,
    /// The number of shards.
    pub(crate) total: usize,
}

impl Spread {
    /// The number of shards that failed, and one of them.
    fn failed(&self) -> Option<(usize, ShardFailure)> {
        let failed =
            |at: &ShardAt| matches!(at, ShardAt::Ended { state: AttemptState::Failed, .. });
        // One that the store does not have.
        let unknown = || {
            let index = self.shards.iter().position(failed)?;
            let shard = u32::try_from(index).ok()?;
            Some(ShardFailure { shard, is_loaded: true, ..ShardFailure::default() })
        };
        let one = self.failure.as_deref().cloned().or_else(unknown)?;
        Some((self.shards.iter().filter(|at| failed(at)).count(), one))
    }
}

#[cfg(any(test, feature = "simulation"))]
impl Spread {
    pub(super) fn state(&self) -> TaskState {
        self.state
    }

    pub(super) fn job(&self) -> JobId {
        self.job
    }
}

/// The state of a shard.
#[derive(Clone, Debug, PartialEq)]
enum ShardAt {
    Open(AttemptId),
    Ended { state: AttemptState, result: Option<String> },
}

impl ShardAt {
    /// A shard that is not known to be open or ended.
    const UNKNOWN: Self = Self::Ended { state: AttemptState::Failed, result: None };
    /// A shard that does not run again: it does not count for the end of the task.
    const LEFT_OUT: Self = Self::Ended { state: AttemptState::Succeeded, result: None };

    /// The shards of a task before its attempts are known.
    fn all_of(head: &Open, total: u32) -> Vec<Self> {
        let rerun = head.rare().rerun.as_deref();
        match rerun.and_then(RerunOf::part) {
            None => vec![Self::UNKNOWN; total as usize],
            Some(part) => {
                let mut shards = vec![Self::LEFT_OUT; total as usize];
                for index in part {
                    if let Some(shard) = shards.get_mut(*index as usize) {
                        *shard = Self::UNKNOWN;
                    }
                }
                shards
            }
        }
    }
}

impl Attempts {
    /// Sets the current attempt of its task, or of its shard.
    pub(super) fn know(&mut self, row: &Attempt) {
        match self.spreads.get_mut(&row.task) {
            Some(spread) => {
                if let Some(shard) = spread.shards.get_mut(row.shard.index as usize) {
                    *shard = ShardAt::Open(row.attempt);
                }
            }
            None if row.is_head() => {}
            None => drop(self.retried.insert(row.task, row.attempt)),
        }
    }

    /// Removes an attempt of the task that has ended; another one may follow.
    pub(crate) fn leave_task(&mut self, row: &Attempt) {
        if !row.is_head() {
            self.retried.remove(&row.task);
        }
    }

    /// The open attempts of a task; empty if the task is not open.
    pub(crate) fn of_task(&self, task: TaskId) -> Vec<AttemptId> {
        if let Some(spread) = self.spreads.get(&task) {
            let open = spread.shards.iter().filter_map(|at| match at {
                ShardAt::Open(attempt) => Some(*attempt),
                ShardAt::Ended { .. } => None,
            });
            return open.filter(|attempt| self.open.contains_key(attempt)).collect();
        }
        let first = task.first_attempt();
        match self.get(first) {
            Some(open) if open.row.task == task => vec![first],
            _ => self.retried.get(&task).copied().into_iter().collect(),
        }
    }

    /// The state of an attempt's task.
    pub(crate) fn task_state(&self, open: &Open) -> TaskState {
        self.spreads.get(&open.row.task).map_or(open.task_state, |spread| spread.state)
    }

    /// Whether the task of an attempt is being stopped.
    pub(crate) fn is_stopping(&self, id: AttemptId) -> bool {
        self.get(id).is_some_and(|open| self.task_state(open) == TaskState::Stopping)
    }

    /// Applies an event to the task of an attempt, and returns the new state; `None` if the event
    /// is rejected.
    pub(crate) fn move_task(&mut self, id: AttemptId, event: TaskEvent) -> Option<TaskState> {
        let open = self.open.get_mut(&id)?;
        let job = open.row.job;
        let state = match self.spreads.get_mut(&open.row.task) {
            Some(spread) => &mut spread.state,
            None => &mut open.task_state,
        };
        let next = task::next(*state, event)?;
        self.count.moved(job, *state, next);
        *state = next;
        Some(next)
    }

    /// Spreads a task over `total` shards, whose attempts are inserted next: those of all shards, or
    /// of those that run again.
    pub(crate) fn spread(&mut self, head: &Open, total: u32) {
        let shards = ShardAt::all_of(head, total);
        let left_out = shards.iter().filter(|shard| **shard == ShardAt::LEFT_OUT).count();
        let (job, state) = (head.row.job, head.task_state);
        let open = shards.len() - left_out;
        let spread = Spread { job, state, open, shards, failure: None };
        self.count.add(job, state);
        if let Some(before) = self.spreads.insert(head.row.task, spread) {
            self.count.remove(before.job, before.state);
        }
    }

    pub(crate) fn is_spread(&self, task: TaskId) -> bool {
        self.spreads.contains_key(&task)
    }

    /// The number of shards of a task that is spread.
    pub(crate) fn shards_of(&self, task: TaskId) -> Option<usize> {
        self.spreads.get(&task).map(|spread| spread.shards.len())
    }

    /// Forgets a spread task of which no attempt was sent.
    pub(crate) fn cancel_spread(&mut self, task: TaskId) {
        if let Some(spread) = self.spreads.remove(&task) {
            self.count.remove(spread.job, spread.state);
        }
    }

    /// Continues the task of a shard that is retried; returns its state if that changes.
    pub(crate) fn retry_shard(&mut self, task: TaskId, event: TaskEvent) -> Option<TaskState> {
        let spread = self.spreads.get_mut(&task)?;
        let next = task::next(spread.state, event).filter(|next| *next != spread.state)?;
        self.count.moved(spread.job, spread.state, next);
        spread.state = next;
        Some(next)
    }

    /// Records the final end of a shard. If it was the last one, returns the end of the whole task.
    pub(crate) fn end_shard(
        &mut self,
        row: &Attempt,
        end: End,
        result: Option<&str>,
        failure: impl FnOnce() -> ShardFailure,
    ) -> Option<SpreadEnd> {
        let spread = self.spreads.get_mut(&row.task)?;
        let at = spread.shards.get_mut(row.shard.index as usize)?;
        let state = shard_state(end.state(), row.number);
        *at = ShardAt::Ended { state, result: result.map(str::to_owned) };
        if state == AttemptState::Failed && spread.failure.is_none() {
            spread.failure = Some(Box::new(failure()));
        }
        spread.open = spread.open.saturating_sub(1);
        if spread.open > 0 {
            return None;
        }
        let spread = self.spreads.remove(&row.task)?;
        self.count.remove(spread.job, spread.state);
        let has = |wanted: AttemptState| {
            let mut ends = spread.shards.iter();
            ends.any(|at| matches!(at, ShardAt::Ended { state, .. } if *state == wanted))
        };
        let event = if has(AttemptState::Failed) {
            TaskEvent::AttemptFailed
        } else if has(AttemptState::Stopped) {
            TaskEvent::AttemptStopped
        } else if has(AttemptState::Skipped) {
            TaskEvent::AttemptSkipped
        } else {
            TaskEvent::AttemptSucceeded
        };
        Some(SpreadEnd {
            state: task::next(spread.state, event).unwrap_or(TaskState::Failed),
            results: results(&spread.shards),
            failed: spread.failed(),
            total: spread.shards.len(),
        })
    }

    /// Restores the loaded tasks that were spread: those with an open shard of several, and those
    /// for which `is_sharded` returns `true`. Their ended shards come with
    /// [`load_ended`](Self::load_ended).
    pub(crate) fn load_spreads(&mut self, is_sharded: impl Fn(&Open) -> bool) {
        for open in self.open.values() {
            let row = &open.row;
            if row.shard.total < 2 && !(row.shard.total == 1 && is_sharded(open)) {
                continue;
            }
            let spread = self.spreads.entry(row.task).or_insert_with(|| {
                if row.shard.total >= 2 {
                    // The only shard of a task was counted as the task.
                    self.count.add(row.job, open.task_state);
                }
                Spread {
                    job: row.job,
                    state: open.task_state,
                    // A shard that is neither open nor ended in the store does not exist.
                    shards: ShardAt::all_of(open, row.shard.total),
                    open: 0,
                    failure: None,
                }
            });
            self.retried.remove(&row.task);
            if let Some(shard) = spread.shards.get_mut(row.shard.index as usize) {
                *shard = ShardAt::Open(row.attempt);
                spread.open += 1;
            }
        }
    }

    /// Restores how shards ended whose tasks are still open.
    pub(crate) fn load_ended(&mut self, ended: Vec<EndedShard>) {
        for EndedShard { task, shard, number, state, result } in ended {
            let Some(spread) = self.spreads.get_mut(&task) else { continue };
            if let Some(at @ ShardAt::Ended { .. }) = spread.shards.get_mut(shard.index as usize) {
                let state = shard_state(state, number);
                *at = ShardAt::Ended { state, result };
                if state == AttemptState::Failed && spread.failure.is_none() {
                    let shard = shard.index;
                    let loaded =
                        ShardFailure { shard, number, is_loaded: true, ..ShardFailure::default() };
                    spread.failure = Some(Box::new(loaded));
                }
            }
        }
    }
}

/// How a shard ended, by its last attempt. A skipped retry counts as the failure before it.
fn shard_state(state: AttemptState, number: u32) -> AttemptState {
    if state == AttemptState::Skipped && number > 1 { AttemptState::Failed } else { state }
}

/// The results of all shards as one JSON list. Results that are not JSON become strings.
fn results(shards: &[ShardAt]) -> String {
    let list: Vec<_> = shards
        .iter()
        .map(|at| match at {
            ShardAt::Ended { result: Some(result), .. } => serde_json::from_str(result)
                .unwrap_or_else(|_| serde_json::Value::String(result.clone())),
            ShardAt::Ended { result: None, .. } | ShardAt::Open(_) => serde_json::Value::Null,
        })
        .collect();
    let text = serde_json::Value::Array(list).to_string();
    if text.len() > RESULTS_MOST {
        return serde_json::Value::Array(vec![serde_json::Value::Null; shards.len()]).to_string();
    }
    text
}
