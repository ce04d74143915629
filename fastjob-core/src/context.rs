//! What a handler knows about its attempt, and what it can report.

mod testing;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;

pub use self::testing::{TestContext, TestContextBuilder};
use crate::{
    handler::{ParamError, parse_param},
    id::{AttemptId, JobId, TaskId},
    task::Cause,
    trace::Trace,
};

/// Part `index` of `total` of a task; `0` of `1` if the job is not sharded.
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

/// Receives the lines of an attempt's log.
pub trait JobLog: Send + Sync {
    /// Appends one entry, which may have several lines. Never waits for the disk and never fails;
    /// write errors are reported elsewhere.
    fn line(&self, text: fmt::Arguments<'_>);
}

/// The progress of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The amount of work done.
    pub done: u64,
    /// The total amount of work; 0 if unknown.
    pub total: u64,
    /// The current step, shown to users.
    pub note: String,
}

impl Progress {
    /// Maximum bytes of a note. Longer notes are cut.
    pub const NOTE_MAX: usize = 1024;
}

/// Maximum bytes of a checkpoint as JSON.
pub const CHECKPOINT_MAX: usize = 64 * 1024;

/// Why a checkpoint could not be saved or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It is longer than [`CHECKPOINT_MAX`].
    #[error("the checkpoint has {bytes} bytes, at most {CHECKPOINT_MAX} are allowed")]
    TooLong {
        /// Its length as JSON.
        bytes: usize,
    },
    /// The value cannot be serialized as JSON.
    #[error("the checkpoint cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// The stored checkpoint does not have the type that the handler expects: another release of
    /// the handler wrote it.
    #[error("the last checkpoint does not have the type that the handler expects")]
    Unreadable(#[source] serde_json::Error),
}

/// Receives the reports of a running attempt.
pub trait JobReports: Send + Sync {
    /// The latest checkpoint, as JSON. Never waits.
    fn checkpoint(&self, json: &Arc<str>);

    /// The latest progress; its note is already cut. Never waits.
    fn progress(&self, progress: Progress);
}

/// The facts of an attempt, from which an executor creates its [`JobContext`].
#[derive(Clone, Debug)]
pub struct AttemptFacts {
    /// The task.
    pub task: TaskId,
    /// The attempt.
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
    /// The moment of the schedule that the task was started for, if a schedule started it.
    pub fire_at: Option<Timestamp>,
    /// The task's param.
    pub param: Option<String>,
    /// The part of the task.
    pub shard: Shard,
    /// The last checkpoint of earlier attempts, as JSON.
    pub checkpoint: Option<Arc<str>>,
    /// The trace that the attempt is part of, at the span under which the handler's span comes.
    pub trace: Option<Trace>,
}

/// What a handler knows about its attempt, and what it can report.
///
/// Cheap to clone, so that a handler can pass it to the tasks it spawns.
#[derive(Clone)]
pub struct JobContext(Arc<Inner>);

struct Inner {
    facts: AttemptFacts,
    stop: CancellationToken,
    log: Box<dyn JobLog>,
    reports: Box<dyn JobReports>,
    /// The latest of this attempt, or of the previous one.
    checkpoint: Mutex<Option<Arc<str>>>,
}

impl JobContext {
    /// For code that runs handlers: an executor, or a test.
    pub fn new(
        facts: AttemptFacts,
        stop: CancellationToken,
        log: Box<dyn JobLog>,
        reports: Box<dyn JobReports>,
    ) -> Self {
        let checkpoint = Mutex::new(facts.checkpoint.clone());
        Self(Arc::new(Inner { facts, stop, log, reports, checkpoint }))
    }

    /// A context for testing a handler: attempt 1 of task 1, unless the builder says otherwise.
    ///
    /// ```
    /// use fastjob_core::{JobContext, JobResult};
    ///
    /// async fn greet(ctx: &JobContext) -> JobResult {
    ///     let name: String = ctx.param()?;
    ///     ctx.log(format_args!("greeting {name}"));
    ///     Ok(format!("hello, {name}").into())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = JobContext::for_test().param("Ann").build();
    /// assert_eq!(greet(&ctx).await.unwrap().as_str(), Some("hello, Ann"));
    /// assert_eq!(ctx.log_lines(), ["greeting Ann"]);
    /// # }
    /// ```
    pub fn for_test() -> TestContextBuilder {
        TestContextBuilder::new()
    }

    /// The param, parsed as JSON, or as plain text if `T` is a string.
    ///
    /// # Errors
    ///
    /// Fails with [`ParamError`] if there is no param or it does not have the type. The task is then
    /// not retried: the error is fatal, even if the handler wraps it in another one.
    pub fn param<T: DeserializeOwned>(&self) -> Result<T, ParamError> {
        parse_param(self.param_text())
    }

    /// The param as text.
    pub fn param_text(&self) -> Option<&str> {
        self.0.facts.param.as_deref()
    }

    /// The part of the task that this attempt runs.
    pub fn shard(&self) -> Shard {
        self.0.facts.shard
    }

    /// The task.
    pub fn task_id(&self) -> TaskId {
        self.0.facts.task
    }

    /// The attempt.
    pub fn attempt_id(&self) -> AttemptId {
        self.0.facts.attempt
    }

    /// The attempt's number: 1 for the first, 2 for the first retry.
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

    /// The moment of the schedule that the task was started for, if a schedule started it.
    pub fn fire_at(&self) -> Option<Timestamp> {
        self.0.facts.fire_at
    }

    /// The W3C header `traceparent` of the attempt, for calls that belong to its trace; `None` if it
    /// is part of none. A service whose spans are exported passes its current span instead.
    ///
    /// ```
    /// # use fastjob_core::JobContext;
    /// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// let ctx = JobContext::for_test().trace(text.parse()?).build();
    /// assert_eq!(ctx.traceparent().as_deref(), Some(text));
    /// assert_eq!(JobContext::for_test().build().traceparent(), None);
    /// # Ok::<(), fastjob_core::trace::InvalidTraceparent>(())
    /// ```
    pub fn traceparent(&self) -> Option<String> {
        self.trace().map(|trace| trace.context.to_string())
    }

    /// The W3C header `tracestate` that goes with [`traceparent`](Self::traceparent).
    pub fn tracestate(&self) -> Option<&str> {
        self.trace()?.state.as_deref()
    }

    /// The trace that the attempt is part of, at the span that stands for the attempt.
    pub fn trace(&self) -> Option<&Trace> {
        self.0.facts.trace.as_ref()
    }

    /// Writes a line into the attempt's log, which can be read while it runs and afterwards.
    ///
    /// ```
    /// # let ctx = fastjob_core::JobContext::for_test().build();
    /// ctx.log("three of seven");
    /// ctx.log(format_args!("{} of {}", 4, 7));
    /// ```
    pub fn log(&self, line: impl fmt::Display) {
        self.0.log.line(format_args!("{line}"));
    }

    /// Reports progress: `done` of `total`, which is 0 if unknown. Cheap to call often: users see
    /// the latest value, updated about twice a second. The note is cut at [`Progress::NOTE_MAX`]
    /// bytes.
    ///
    /// ```
    /// # let ctx = fastjob_core::JobContext::for_test().build();
    /// ctx.progress(3, 7, "third file");
    /// ```
    pub fn progress(&self, done: u64, total: u64, note: impl Into<String>) {
        let mut note = note.into();
        note.truncate(note.floor_char_boundary(Progress::NOTE_MAX));
        self.0.reports.progress(Progress { done, total, note });
    }

    /// Saves a value for the next attempt of the task, which reads it with
    /// [`last_checkpoint`](Self::last_checkpoint) if this attempt fails. Only the latest value is
    /// kept.
    ///
    /// The value reaches the coordinator with a short delay. If this process crashes, the next
    /// attempt may see an earlier value. So a checkpoint saves work, but the handler must still be
    /// idempotent.
    ///
    /// ```
    /// # let ctx = fastjob_core::JobContext::for_test().build();
    /// let from = ctx.last_checkpoint::<u64>()?.unwrap_or(0);
    /// for page in from..10 {
    ///     // … the work on the page …
    ///     ctx.checkpoint(&(page + 1))?;
    /// }
    /// assert_eq!(ctx.last_checkpoint::<u64>()?, Some(10));
    /// # Ok::<(), fastjob_core::context::CheckpointError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails with [`CheckpointError::TooLong`] if the value has more than [`CHECKPOINT_MAX`] bytes
    /// as JSON, and with [`CheckpointError::Unwritable`] if it cannot be serialized. In both cases
    /// the previous checkpoint is kept.
    pub fn checkpoint<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), CheckpointError> {
        let json = serde_json::to_string(value).map_err(CheckpointError::Unwritable)?;
        if json.len() > CHECKPOINT_MAX {
            return Err(CheckpointError::TooLong { bytes: json.len() });
        }
        let json: Arc<str> = json.into();
        // Held during the report, so that with two threads, the stored checkpoint is also the last
        // reported one.
        let mut last = self.0.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.reports.checkpoint(&json);
        *last = Some(json);
        Ok(())
    }

    /// The last checkpoint of the task: from this attempt if it has written one, otherwise from the
    /// previous attempt; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Fails with [`CheckpointError::Unreadable`] if the checkpoint does not have the type.
    pub fn last_checkpoint<T: DeserializeOwned>(&self) -> Result<Option<T>, CheckpointError> {
        let last = self.checkpoint_text();
        last.map(|json| serde_json::from_str(&json).map_err(CheckpointError::Unreadable))
            .transpose()
    }

    /// The last checkpoint as JSON.
    pub fn checkpoint_text(&self) -> Option<Arc<str>> {
        self.0.checkpoint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fires when the attempt has to end: it was stopped, it timed out, or its executor stops.
    /// After a grace period it is aborted at its next `.await`.
    pub fn stop_token(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Whether the stop token has fired, for loops that do not await.
    pub fn is_stopping(&self) -> bool {
        self.0.stop.is_cancelled()
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AttemptFacts { task, attempt, number, job_name, handler, .. } = &self.0.facts;
        // Params and checkpoints may have secrets, and `tracing::instrument` records arguments.
        f.debug_struct("JobContext")
            .field("job", job_name)
            .field("handler", handler)
            .field("task", task)
            .field("attempt", attempt)
            .field("number", number)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_kept_up_to_its_bound_and_a_longer_one_keeps_the_previous() {
        let ctx = JobContext::for_test().build();
        assert_eq!(ctx.last_checkpoint::<String>().unwrap(), None);
        let longest = "x".repeat(CHECKPOINT_MAX - 2);
        ctx.checkpoint(&longest).unwrap();
        let err = ctx.checkpoint(&format!("{longest}y")).unwrap_err();
        assert!(matches!(err, CheckpointError::TooLong { bytes } if bytes == CHECKPOINT_MAX + 1));
        assert_eq!(ctx.last_checkpoint::<String>().unwrap(), Some(longest));
    }

    #[test]
    fn a_checkpoint_of_another_type_or_not_serializable_is_an_error() {
        let ctx = JobContext::for_test().build();
        let shapeless = std::collections::BTreeMap::from([((1, 2), 3)]);
        let err = ctx.checkpoint(&shapeless).unwrap_err();
        assert!(matches!(err, CheckpointError::Unwritable(_)));
        ctx.checkpoint("page 3").unwrap();
        let err = ctx.last_checkpoint::<u64>().unwrap_err();
        assert!(matches!(err, CheckpointError::Unreadable(_)));
    }
}
