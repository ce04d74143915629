//! The context of a handler under test: what it reports can be read afterwards.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;

use super::{AttemptFacts, JobContext, JobLog, JobReports, Progress, Shard};
use crate::{
    handler::JobOutput,
    id::{AttemptId, JobId, TaskId},
    task::Cause,
    trace::Trace,
};

/// What a [`TestContext`] starts with. [`JobContext::for_test`] creates it.
#[derive(Debug)]
#[must_use = "`build` creates the context"]
pub struct TestContextBuilder {
    facts: AttemptFacts,
    stop: CancellationToken,
}

impl TestContextBuilder {
    pub(super) fn new() -> Self {
        let facts = AttemptFacts {
            task: TaskId(1),
            attempt: AttemptId(1),
            number: 1,
            job: JobId(1),
            job_name: "test".to_owned(),
            handler: "test".to_owned(),
            cause: Cause::Manual,
            fire_at: None,
            param: None,
            shard: Shard::WHOLE,
            checkpoint: None,
            trace: None,
        };
        Self { facts, stop: CancellationToken::new() }
    }

    /// The task's param: a text as it is, any other value as JSON. Without a call there is none.
    ///
    /// ```
    /// use fastjob_core::JobContext;
    ///
    /// let ctx = JobContext::for_test().param(serde_json::json!({ "n": 3 })).build();
    /// assert_eq!(ctx.param_text(), Some(r#"{"n":3}"#));
    /// let ctx = JobContext::for_test().param(r#"{"n": 3}"#).build();
    /// assert_eq!(ctx.param::<serde_json::Value>().unwrap()["n"], 3);
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the value cannot be serialized as JSON.
    #[track_caller]
    pub fn param(mut self, param: impl Serialize) -> Self {
        match JobOutput::json(&param) {
            Ok(param) => self.facts.param = param.into_text(),
            Err(err) => panic!("the param of the test: {err}"),
        }
        self
    }

    /// The attempt's number. 1 if omitted; 2 is the first retry.
    pub fn attempt(mut self, number: u32) -> Self {
        self.facts.number = number;
        self
    }

    /// The task. 1 if omitted.
    pub fn task_id(mut self, task: TaskId) -> Self {
        self.facts.task = task;
        self
    }

    /// The job's name. `test` if omitted.
    pub fn job_name(mut self, name: impl Into<String>) -> Self {
        self.facts.job_name = name.into();
        self
    }

    /// Part `index` of `total` of the task. The whole task if omitted.
    ///
    /// # Panics
    ///
    /// Panics if there is no such part.
    #[track_caller]
    pub fn shard(mut self, index: u32, total: u32) -> Self {
        assert!(index < total, "there is no shard {index} of {total}: shards count from 0");
        self.facts.shard = Shard { index, total };
        self
    }

    /// The moment of the schedule that the task was started for. The cause of the task is then its
    /// schedule.
    pub fn fire_at(mut self, fire_at: Timestamp) -> Self {
        self.facts.fire_at = Some(fire_at);
        self.facts.cause = Cause::Schedule;
        self
    }

    /// The trace that the attempt is part of. None if omitted.
    pub fn trace(mut self, trace: Trace) -> Self {
        self.facts.trace = Some(trace);
        self
    }

    /// Why the task was started. [`Cause::Manual`] if omitted.
    pub fn cause(mut self, cause: Cause) -> Self {
        self.facts.cause = cause;
        self
    }

    /// The last checkpoint of earlier attempts.
    ///
    /// # Panics
    ///
    /// Panics if the value cannot be serialized as JSON.
    #[track_caller]
    pub fn checkpoint(mut self, value: impl Serialize) -> Self {
        match serde_json::to_string(&value) {
            Ok(json) => self.facts.checkpoint = Some(json.into()),
            Err(err) => panic!("the checkpoint of the test: {err}"),
        }
        self
    }

    /// The attempt has been asked to stop before it starts. [`TestContext::stop`] asks later.
    pub fn stopping(self) -> Self {
        self.stop.cancel();
        self
    }

    /// Creates the context.
    pub fn build(self) -> TestContext {
        let heard = Arc::<Heard>::default();
        let (log, reports) =
            (Box::new(Sink(Arc::clone(&heard))), Box::new(Sink(Arc::clone(&heard))));
        let ctx = JobContext::new(self.facts, self.stop.clone(), log, reports);
        TestContext { ctx, stop: self.stop, heard }
    }
}

/// A [`JobContext`] for a test. A reference to it is accepted wherever a handler takes
/// `&JobContext`. What the handler logged and reported can be read during and after the call; log
/// lines and progress are also printed to standard error, which a test runner shows for tests that
/// fail.
///
/// ```
/// use fastjob_core::{JobContext, JobError};
///
/// async fn import(ctx: &JobContext) -> Result<u64, JobError> {
///     let from: u64 = ctx.last_checkpoint()?.unwrap_or(0);
///     for page in from..10 {
///         if ctx.is_stopping() {
///             return Err(JobError::retryable("stopped"));
///         }
///         ctx.checkpoint(&(page + 1))?;
///         ctx.progress(page + 1, 10, "pages");
///     }
///     Ok(10 - from)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let ctx = JobContext::for_test().attempt(2).checkpoint(8).build();
/// assert_eq!(import(&ctx).await.unwrap(), 2);
/// assert_eq!(ctx.saved_checkpoints::<u64>(), [9, 10]);
/// assert_eq!(ctx.reported_progress().len(), 2);
///
/// let ctx = JobContext::for_test().stopping().build();
/// assert!(import(&ctx).await.unwrap_err().is_retryable());
/// # }
/// ```
#[derive(Debug)]
pub struct TestContext {
    ctx: JobContext,
    stop: CancellationToken,
    heard: Arc<Heard>,
}

impl TestContext {
    /// The entries that the handler logged with [`JobContext::log`], in order. Events of `tracing`
    /// are not among them: an executor captures those.
    pub fn log_lines(&self) -> Vec<String> {
        self.heard.lock().lines.clone()
    }

    /// The progress that the handler reported, in order.
    pub fn reported_progress(&self) -> Vec<Progress> {
        self.heard.lock().progress.clone()
    }

    /// The checkpoints that the handler saved, in order.
    ///
    /// # Panics
    ///
    /// Panics if one does not have the type.
    #[track_caller]
    pub fn saved_checkpoints<T: DeserializeOwned>(&self) -> Vec<T> {
        let saved = self.heard.lock().checkpoints.clone();
        let read = |json: &Arc<str>| match serde_json::from_str(json) {
            Ok(value) => value,
            Err(err) => panic!("the checkpoint {json} does not have the expected type: {err}"),
        };
        saved.iter().map(read).collect()
    }

    /// Asks the attempt to stop: its stop token fires.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

impl Deref for TestContext {
    type Target = JobContext;

    fn deref(&self) -> &JobContext {
        &self.ctx
    }
}

/// What a handler reported.
#[derive(Debug, Default)]
struct Heard(Mutex<Reports>);

#[derive(Debug, Default)]
struct Reports {
    lines: Vec<String>,
    progress: Vec<Progress>,
    checkpoints: Vec<Arc<str>>,
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, Reports> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Sink(Arc<Heard>);

impl JobLog for Sink {
    fn line(&self, text: fmt::Arguments<'_>) {
        // Formatted before locking: the values' `Display` may log too.
        let text = text.to_string();
        eprintln!("{text}");
        self.0.lock().lines.push(text);
    }
}

impl JobReports for Sink {
    fn checkpoint(&self, json: &Arc<str>) {
        self.0.lock().checkpoints.push(Arc::clone(json));
    }

    fn progress(&self, progress: Progress) {
        eprintln!("{} of {}: {}", progress.done, progress.total, progress.note);
        self.0.lock().progress.push(progress);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_context_has_what_its_builder_says() {
        let ctx = JobContext::for_test()
            .param([1, 2])
            .attempt(3)
            .task_id(TaskId(7))
            .job_name("import")
            .shard(1, 4)
            .fire_at(Timestamp::UNIX_EPOCH)
            .checkpoint("page 3")
            .build();
        assert_eq!((ctx.param_text(), ctx.attempt()), (Some("[1,2]"), 3));
        assert_eq!((ctx.task_id(), ctx.job_name()), (TaskId(7), "import"));
        assert_eq!(ctx.shard(), Shard { index: 1, total: 4 });
        assert_eq!((ctx.fire_at(), ctx.cause()), (Some(Timestamp::UNIX_EPOCH), Cause::Schedule));
        assert_eq!(ctx.last_checkpoint::<String>().unwrap().as_deref(), Some("page 3"));
        assert!(!ctx.is_stopping() && ctx.saved_checkpoints::<String>().is_empty());
        ctx.stop();
        assert!(ctx.is_stopping());
    }

    #[test]
    fn a_text_param_is_kept_as_it_is() {
        assert_eq!(JobContext::for_test().param("ann").build().param_text(), Some("ann"));
        assert_eq!(JobContext::for_test().param(()).build().param_text(), None);
        assert_eq!(JobContext::for_test().param(7).build().param::<u8>().unwrap(), 7);
    }

    #[test]
    fn what_a_clone_reports_can_be_read_too() {
        let ctx = JobContext::for_test().build();
        let clone = JobContext::clone(&ctx);
        std::thread::spawn(move || {
            clone.log("from a thread");
            clone.progress(1, 2, "half");
            clone.checkpoint(&1).unwrap();
        })
        .join()
        .unwrap();
        assert_eq!(ctx.log_lines(), ["from a thread"]);
        let half = Progress { done: 1, total: 2, note: "half".to_owned() };
        assert_eq!(ctx.reported_progress(), [half]);
        assert_eq!(ctx.saved_checkpoints::<u64>(), [1]);
    }
}
