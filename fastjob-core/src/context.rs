//! What a handler is told about the attempt it runs, and what it can say back.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
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

/// How far an attempt has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How much is done.
    pub done: u64,
    /// Of how much; 0 where that is not known.
    pub total: u64,
    /// What it is at, for people.
    pub note: String,
}

impl Progress {
    /// Most bytes of a note; what is longer is cut.
    pub const NOTE_MAX: usize = 1024;
}

/// Most bytes of a checkpoint as JSON.
pub const CHECKPOINT_MAX: usize = 64 * 1024;

/// Why a checkpoint could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It is longer than [`CHECKPOINT_MAX`].
    #[error("the checkpoint has {bytes} bytes, at most {CHECKPOINT_MAX} are allowed")]
    TooLong {
        /// Its length as JSON.
        bytes: usize,
    },
    /// The value has no shape in JSON.
    #[error("the checkpoint cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// The one that is there is not of the type that the handler wants: another release of the
    /// handler wrote it.
    #[error("the last checkpoint is not what the handler wants")]
    Unreadable(#[source] serde_json::Error),
}

/// Where goes what an attempt says of itself while it runs.
pub trait JobReports: Send + Sync {
    /// The latest checkpoint, as JSON. Never waits.
    fn checkpoint(&self, json: &Arc<str>);

    /// The latest progress; its note is within its bound. Never waits.
    fn progress(&self, progress: Progress);
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
    /// The last checkpoint of the attempts before, as JSON.
    pub checkpoint: Option<Arc<str>>,
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
    reports: Box<dyn JobReports>,
    /// The latest of this attempt, or of the one before.
    checkpoint: Mutex<Option<Arc<str>>>,
}

impl JobContext {
    /// For whoever runs handlers: an executor, or a test of one.
    pub fn new(
        facts: AttemptFacts,
        stop: CancellationToken,
        log: Box<dyn JobLog>,
        reports: Box<dyn JobReports>,
    ) -> Self {
        let checkpoint = Mutex::new(facts.checkpoint.clone());
        Self(Arc::new(Inner { facts, stop, log, reports, checkpoint }))
    }

    /// A context for the test of a handler: task 1, attempt 1; log and progress go to standard
    /// error. A [`checkpoint`](Self::checkpoint) written before the handler runs is what it finds.
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
        impl JobReports for Stderr {
            fn checkpoint(&self, json: &Arc<str>) {
                eprintln!("checkpoint: {json}");
            }

            fn progress(&self, progress: Progress) {
                eprintln!("{} of {}: {}", progress.done, progress.total, progress.note);
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
            checkpoint: None,
        };
        Self::new(facts, CancellationToken::new(), Box::new(Stderr), Box::new(Stderr))
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

    /// Says how far the attempt has come: `done` of `total`, 0 where the total is not known. Cheap
    /// to call often: people see the latest, about twice a second. The note is cut at
    /// [`Progress::NOTE_MAX`] bytes.
    ///
    /// ```
    /// # let ctx = fastjob_core::JobContext::for_test(None);
    /// ctx.progress(3, 7, "third file");
    /// ```
    pub fn progress(&self, done: u64, total: u64, note: impl Into<String>) {
        let mut note = note.into();
        note.truncate(note.floor_char_boundary(Progress::NOTE_MAX));
        self.0.reports.progress(Progress { done, total, note });
    }

    /// Leaves a value for the next attempt of the task, should this one fail: it finds it with
    /// [`last_checkpoint`](Self::last_checkpoint). Only the latest is kept.
    ///
    /// It is with the coordinator soon, not at once: if this process dies, the next attempt may
    /// find an earlier one. So it saves work, and does not replace care about doing a thing twice.
    ///
    /// ```
    /// # let ctx = fastjob_core::JobContext::for_test(None);
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
    /// Fails with [`CheckpointError::TooLong`] if it has more than [`CHECKPOINT_MAX`] bytes as
    /// JSON, and with [`CheckpointError::Unwritable`] if it has no shape there; in both cases the
    /// one before stays.
    pub fn checkpoint<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), CheckpointError> {
        let json = serde_json::to_string(value).map_err(CheckpointError::Unwritable)?;
        if json.len() > CHECKPOINT_MAX {
            return Err(CheckpointError::TooLong { bytes: json.len() });
        }
        let json: Arc<str> = json.into();
        // Held while it is reported, so that of two threads the one that is kept is also the one
        // that is told.
        let mut last = self.0.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.reports.checkpoint(&json);
        *last = Some(json);
        Ok(())
    }

    /// The last checkpoint of the task: of this attempt if it has written one, else of the attempt
    /// before; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Fails with [`CheckpointError::Unreadable`] if it is not of the type.
    pub fn last_checkpoint<T: DeserializeOwned>(&self) -> Result<Option<T>, CheckpointError> {
        let last = self.checkpoint_text();
        last.map(|json| serde_json::from_str(&json).map_err(CheckpointError::Unreadable))
            .transpose()
    }

    /// The last checkpoint as JSON.
    pub fn checkpoint_text(&self) -> Option<Arc<str>> {
        self.0.checkpoint.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_kept_up_to_its_bound_and_the_one_before_stays_beyond_it() {
        let ctx = JobContext::for_test(None);
        assert_eq!(ctx.last_checkpoint::<String>().unwrap(), None);
        let longest = "x".repeat(CHECKPOINT_MAX - 2);
        ctx.checkpoint(&longest).unwrap();
        let err = ctx.checkpoint(&format!("{longest}y")).unwrap_err();
        assert!(matches!(err, CheckpointError::TooLong { bytes } if bytes == CHECKPOINT_MAX + 1));
        assert_eq!(ctx.last_checkpoint::<String>().unwrap(), Some(longest));
    }

    #[test]
    fn a_checkpoint_of_another_type_or_without_a_shape_is_an_error() {
        let ctx = JobContext::for_test(None);
        let shapeless = std::collections::BTreeMap::from([((1, 2), 3)]);
        let err = ctx.checkpoint(&shapeless).unwrap_err();
        assert!(matches!(err, CheckpointError::Unwritable(_)));
        ctx.checkpoint("page 3").unwrap();
        let err = ctx.last_checkpoint::<u64>().unwrap_err();
        assert!(matches!(err, CheckpointError::Unreadable(_)));
    }
}
