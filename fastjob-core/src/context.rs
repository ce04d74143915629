//! What a handler is told about the attempt it runs, and what it can say back.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::{
    handler::{ParamError, parse_param},
    id::{AttemptId, JobId, TaskId},
    task::Cause,
};

/// Part `index` of `total` of a task; `0` of `1` where the job is not sharded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: u32,
    /// At least 1.
    pub total: u32,
}

impl Shard {
    /// The only part of a task that is not sharded.
    pub const WHOLE: Self = Self { index: 0, total: 1 };
}

/// Where the lines of an attempt's log go.
pub trait JobLog: Send + Sync {
    /// Appends one entry; it may have several lines. Never waits for a disk and never fails: a log
    /// that cannot be written says so elsewhere.
    fn line(&self, text: fmt::Arguments<'_>);
}

/// The facts of an attempt, from which an executor makes its [`JobContext`].
#[derive(Clone, Debug)]
pub struct AttemptFacts {
    /// The task.
    pub task: TaskId,
    /// This attempt of it.
    pub attempt: AttemptId,
    /// 1 for the first attempt of the task.
    pub number: u32,
    /// The task's job.
    pub job: JobId,
    /// The job's name.
    pub job_name: String,
    /// The handler's name.
    pub handler: String,
    /// Why the task was started.
    pub cause: Cause,
    /// The moment of the schedule that the task stands for, if a schedule started it.
    pub fire_at: Option<Timestamp>,
    /// The task's param.
    pub param: Option<String>,
    /// Which part of the task this is.
    pub shard: Shard,
}

/// What a handler is told about the attempt it runs, and what it can say back.
///
/// Cheap to clone, so that a handler can take it into the tasks it spawns.
#[derive(Clone)]
pub struct JobContext(Arc<Inner>);

struct Inner {
    facts: AttemptFacts,
    stop: CancellationToken,
    log: Box<dyn JobLog>,
}

impl JobContext {
    /// For whoever runs handlers: an executor, or a test of one.
    pub fn new(facts: AttemptFacts, stop: CancellationToken, log: Box<dyn JobLog>) -> Self {
        Self(Arc::new(Inner { facts, stop, log }))
    }

    /// A context for the test of a handler: task 1, attempt 1, log to standard error.
    ///
    /// ```
    /// use fastjob_core::JobContext;
    ///
    /// let ctx = JobContext::for_test(Some(r#"{"n": 3}"#));
    /// let param: serde_json::Value = ctx.param().unwrap();
    /// assert_eq!(param["n"], 3);
    /// ```
    pub fn for_test(param: Option<&str>) -> Self {
        struct Stderr;
        impl JobLog for Stderr {
            fn line(&self, text: fmt::Arguments<'_>) {
                eprintln!("{text}");
            }
        }
        let facts = AttemptFacts {
            task: TaskId(1),
            attempt: AttemptId(1),
            number: 1,
            job: JobId(1),
            job_name: "test".to_owned(),
            handler: "test".to_owned(),
            cause: Cause::Manual,
            fire_at: None,
            param: param.map(str::to_owned),
            shard: Shard::WHOLE,
        };
        Self::new(facts, CancellationToken::new(), Box::new(Stderr))
    }

    /// The param, read as JSON, or as it is where `T` is a string.
    ///
    /// # Errors
    ///
    /// Fails with [`ParamError`] if there is none or it is not of the type. The error converts into
    /// a [`JobError`](crate::JobError).
    pub fn param<T: DeserializeOwned>(&self) -> Result<T, ParamError> {
        parse_param(self.param_text())
    }

    /// The param as it was given.
    pub fn param_text(&self) -> Option<&str> {
        self.0.facts.param.as_deref()
    }

    /// Which part of the task this is.
    pub fn shard(&self) -> Shard {
        self.0.facts.shard
    }

    /// The task.
    pub fn task_id(&self) -> TaskId {
        self.0.facts.task
    }

    /// This attempt of the task.
    pub fn attempt_id(&self) -> AttemptId {
        self.0.facts.attempt
    }

    /// Which attempt of the task this is: 1 for the first, 2 for the first retry.
    pub fn attempt(&self) -> u32 {
        self.0.facts.number
    }

    /// The job.
    pub fn job_id(&self) -> JobId {
        self.0.facts.job
    }

    /// The job's name.
    pub fn job_name(&self) -> &str {
        &self.0.facts.job_name
    }

    /// The handler's name, as annotated.
    pub fn handler_name(&self) -> &str {
        &self.0.facts.handler
    }

    /// Why the task was started.
    pub fn cause(&self) -> Cause {
        self.0.facts.cause
    }

    /// The moment of the schedule that the task stands for, if a schedule started it.
    pub fn fire_at(&self) -> Option<Timestamp> {
        self.0.facts.fire_at
    }

    /// Writes a line into the attempt's log, which people read while it runs and afterwards.
    ///
    /// ```
    /// # let ctx = fastjob_core::JobContext::for_test(None);
    /// ctx.log("three of seven");
    /// ctx.log(format_args!("{} of {}", 4, 7));
    /// ```
    pub fn log(&self, line: impl fmt::Display) {
        self.0.log.line(format_args!("{line}"));
    }

    /// Fires when the attempt is to end: somebody stopped it, its time is up, or its executor
    /// stops. After a grace period the run is aborted at its next `.await`.
    pub fn stop_token(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Whether the stop token has fired: for loops that do not await.
    pub fn is_stopping(&self) -> bool {
        self.0.stop.is_cancelled()
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext").field("facts", &self.0.facts).finish_non_exhaustive()
    }
}
