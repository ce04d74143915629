//! Tasks and attempts that ended, as they are written to the history.

use std::{borrow::Cow, sync::Arc};

use fastjob_core::{
    AttemptId, AttemptState, Cause, FailReason, JobId, Shard, TaskId, TaskState, trace::TraceId,
};
use jiff::Timestamp;

use super::Open;
use crate::store::{EndedAttempt, LifeId, batch::clean};

/// A task that ended, as the history has it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) struct TaskEnd<'a> {
    pub(in crate::store) task: TaskId,
    pub(in crate::store) job: JobId,
    pub(in crate::store) cause: Cause,
    pub(in crate::store) state: TaskState,
    pub(in crate::store) fire_at: Option<Timestamp>,
    pub(in crate::store) created_at: Timestamp,
    pub(in crate::store) ended_at: Timestamp,
    pub(in crate::store) parent: Option<TaskId>,
    pub(in crate::store) reruns: Option<TaskId>,
    pub(in crate::store) trace: Option<TraceId>,
    pub(in crate::store) param: Option<Arc<str>>,
    pub(in crate::store) note: Option<String>,
    pub(in crate::store) result: Option<Cow<'a, str>>,
    /// The only attempt; `None` if each attempt has a row of its own.
    pub(in crate::store) only: Option<AttemptEnd<'a>>,
}

/// An attempt that ended, as the history has it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) struct AttemptEnd<'a> {
    pub(in crate::store) attempt: AttemptId,
    pub(in crate::store) task: TaskId,
    pub(in crate::store) number: u32,
    pub(in crate::store) shard: Shard,
    pub(in crate::store) life: Option<LifeId>,
    pub(in crate::store) state: AttemptState,
    pub(in crate::store) reason: Option<FailReason>,
    pub(in crate::store) due_at: Timestamp,
    pub(in crate::store) started_at: Option<Timestamp>,
    pub(in crate::store) ended_at: Timestamp,
    pub(in crate::store) message: Option<Cow<'a, str>>,
    pub(in crate::store) result: Option<Cow<'a, str>>,
}

impl<'a> AttemptEnd<'a> {
    pub(super) fn new(open: &Open, ended: &'a EndedAttempt) -> Self {
        Self {
            attempt: ended.attempt,
            task: open.row.task,
            number: open.row.number,
            shard: open.row.shard,
            life: open.life,
            state: ended.state,
            reason: ended.reason,
            due_at: open.row.due_at,
            started_at: ended.started_at,
            ended_at: ended.ended_at,
            message: ended.message.as_deref().map(clean),
            result: ended.result.as_deref().map(clean),
        }
    }

    /// Whether it is the first attempt of a task without shards, so that the row of the task has
    /// room for it.
    pub(super) fn is_plain(&self) -> bool {
        self.attempt == self.task.first_attempt() && self.number == 1 && self.shard == Shard::WHOLE
    }
}
