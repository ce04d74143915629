//! A second store, which histories write to beside the model.
//!
//! The model says what a store must have after each transaction. So whatever the second store loads
//! and lists is compared with the model, and the engines of the history continue from what it
//! loads. Its transactions fail in the ways in which those of a database fail.

use std::sync::Arc;

use fastjob_core::{
    AttemptId, AttemptState, Cause, FailReason, JobId, Shard, TaskId, TaskState, trace::TraceId,
};
use jiff::Timestamp;

use crate::record::{Commit, Lease, LifeId, Loaded, Partition};

/// A store that histories write to beside the model. Each node is one process, with its own memory
/// of what it wrote.
///
/// All errors say which invariant of the store is broken. They end the history.
pub trait Store {
    /// Partitions get new owners: transactions in older terms are rejected from now on.
    fn acquire(&mut self, lease: Lease);

    /// The process of a node ended, with all that it knew.
    fn end_process(&mut self, node: usize);

    /// A node writes these commits in one transaction, which ends as `fate` says. Returns the leases
    /// that have ended: if there are any, nothing was written.
    ///
    /// # Errors
    ///
    /// Fails if the store breaks an invariant.
    fn commit(&mut self, node: usize, commits: &[Commit], fate: Fate)
    -> Result<Vec<Lease>, String>;

    /// What a new owner of the partition starts with. `dice` may damage copies of the stored data,
    /// which the store has to reject.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be loaded, or if damaged data is loaded.
    fn load(&mut self, partition: Partition, dice: u64) -> Result<Loaded, String>;

    /// The rows that were written since the last call.
    fn take_new_rows(&mut self) -> Rows;

    /// All rows.
    fn rows(&self) -> Rows;

    /// Checks what the processes know against what is stored.
    ///
    /// # Errors
    ///
    /// Fails if they differ.
    fn check(&mut self) -> Result<(), String>;

    /// Keeps a copy of everything that is stored.
    fn back_up(&mut self);

    /// Replaces everything that is stored with the latest copy.
    fn restore(&mut self);
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is written, and the node is notified.
    Written,
    /// It is written, and the answer is lost.
    Unanswered,
    /// It fails when it is committed: nothing is written.
    LostAtCommit,
    /// It fails before its rows are sent: nothing is written.
    LostAtStart,
}

impl Fate {
    /// Whether it is written.
    pub fn is_written(self) -> bool {
        matches!(self, Self::Written | Self::Unanswered)
    }
}

/// Rows of the history.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Tasks that ended.
    pub tasks: Vec<PastTask>,
    /// Attempts that ended, wherever the store has them.
    pub attempts: Vec<PastAttempt>,
}

/// A task that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct PastTask {
    /// The task.
    pub task: TaskId,
    /// Its job.
    pub job: JobId,
    /// Why it was started.
    pub cause: Cause,
    /// Its first final state.
    pub state: TaskState,
    /// Its fire; `None` if it has none.
    pub fire_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The task whose end started it.
    pub parent: Option<TaskId>,
    /// The task that it runs again.
    pub reruns: Option<TaskId>,
    /// The trace that it was part of.
    pub trace: Option<TraceId>,
    /// Its own param.
    pub param: Option<Arc<str>>,
    /// Its notes.
    pub note: Option<String>,
    /// Its result.
    pub result: Option<String>,
}

/// An attempt that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct PastAttempt {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its task.
    pub task: TaskId,
    /// Its number, from 1.
    pub number: u32,
    /// Its shard.
    pub shard: Shard,
    /// The life that it was placed on last.
    pub life: Option<LifeId>,
    /// How it ended.
    pub state: AttemptState,
    /// Why it failed.
    pub reason: Option<FailReason>,
    /// When it was due.
    pub due_at: Timestamp,
    /// When its handler was entered.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Why it ended like this.
    pub message: Option<String>,
    /// What its handler returned.
    pub result: Option<String>,
    /// The last lines of its log; empty if it logged nothing.
    pub log_tail: String,
}
