//! An attempt as a coordinator sends it.

use std::{sync::Arc, time::Duration};

use fastjob_core::{AttemptFacts, Cause, JobId, Shard, TaskId, Trace, block::Block};
use jiff::Timestamp;
use tokio::time::Instant;

use super::name::Name;

/// An attempt that a coordinator has dispatched to this executor.
pub(crate) struct Attempt {
    pub(crate) name: Name,
    pub(crate) task: TaskId,
    pub(crate) job: JobId,
    pub(crate) job_name: String,
    pub(crate) handler: String,
    /// 1 for the first attempt of a task.
    pub(crate) number: u32,
    /// Why the task was started, or why this release cannot know that. In the latter case the
    /// attempt fails when its turn comes.
    pub(crate) cause: Result<Cause, String>,
    pub(crate) fire_at: Option<Timestamp>,
    pub(crate) param: Option<String>,
    pub(crate) shard: Shard,
    /// Zero means no timeout.
    pub(crate) timeout: Duration,
    /// Between the stop token and the abort.
    pub(crate) grace: Duration,
    pub(crate) turn: Turn,
    /// Whether no attempt of another task of its job may run at the same time in the whole cluster.
    pub(crate) exclusive: bool,
    /// The last checkpoint of the previous attempt, as JSON.
    pub(crate) checkpoint: Option<Arc<str>>,
    /// The trace that it is part of, at the span under which the handler's span comes.
    pub(crate) trace: Option<Trace>,
    /// When it is due, if it arrived early.
    pub(crate) enter_at: Option<Instant>,
}

/// What decides when an attempt may run beside others of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The coordinator has decided it: the attempt runs at once.
    AtOnce,
    /// This rule, within the executor.
    By(Block),
    /// A rule that this release does not know: the attempt is skipped.
    Unknown,
}

impl Attempt {
    /// What its handler can know.
    ///
    /// # Errors
    ///
    /// Fails with the reason if the cause is unknown.
    pub(super) fn facts(self) -> Result<AttemptFacts, String> {
        Ok(AttemptFacts {
            task: self.task,
            attempt: self.name.id,
            number: self.number,
            job: self.job,
            job_name: self.job_name,
            handler: self.handler,
            cause: self.cause?,
            fire_at: self.fire_at,
            param: self.param,
            shard: self.shard,
            checkpoint: self.checkpoint,
            trace: self.trace,
        })
    }
}

#[cfg(test)]
impl Attempt {
    /// The first attempt of a task of job 1. It runs at once.
    pub(crate) fn for_test(name: Name, handler: &str) -> Self {
        Self {
            name,
            task: TaskId(name.id.0),
            job: JobId(1),
            job_name: "job".to_owned(),
            handler: handler.to_owned(),
            number: 1,
            cause: Ok(Cause::Manual),
            fire_at: None,
            param: None,
            shard: Shard::WHOLE,
            timeout: Duration::ZERO,
            grace: Duration::ZERO,
            turn: Turn::AtOnce,
            exclusive: false,
            checkpoint: None,
            trace: None,
            enter_at: None,
        }
    }
}
