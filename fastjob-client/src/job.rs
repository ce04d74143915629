//! A job of a coordinator: it is read, and started.

use std::time::Duration;

use fastjob_core::{Cause, Trace, duration};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::{
    Backend, ClientError, TaskHandle,
    types::{JobView, StartRequest, TaskView},
};

/// A job, by its name or `service.name`. Creating a handle sends nothing.
#[derive(Clone, Debug)]
pub struct JobHandle<B> {
    backend: B,
    name: String,
    /// The version that changes expect, as an entity tag.
    #[cfg(feature = "http")]
    version: Option<String>,
}

impl<B: Backend> JobHandle<B> {
    /// The job that a backend knows by this name.
    pub fn new(backend: B, name: impl Into<String>) -> Self {
        Self {
            backend,
            name: name.into(),
            #[cfg(feature = "http")]
            version: None,
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    #[cfg(feature = "http")]
    pub(crate) fn backend(&self) -> &B {
        &self.backend
    }

    #[cfg(feature = "http")]
    pub(crate) fn expected(&self) -> Option<String> {
        self.version.clone()
    }

    #[cfg(feature = "http")]
    pub(crate) fn expecting(self, tag: String) -> Self {
        Self { version: Some(tag), ..self }
    }

    /// Reads the definition, with its metadata.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such job.
    pub async fn get(&self) -> Result<JobView, ClientError> {
        self.backend.read_job(&self.name).await
    }

    /// Prepares a start of a task; [`Start::send`] performs it.
    pub fn start(&self) -> Start<B> {
        Start {
            backend: self.backend.clone(),
            job: self.name.clone(),
            request: StartRequest::default(),
            unusable: None,
        }
    }
}

/// A start of a task, which [`send`](Self::send) performs.
#[derive(Debug)]
#[must_use = "nothing is started before `send`"]
pub struct Start<B> {
    backend: B,
    job: String,
    request: StartRequest,
    unusable: Option<serde_json::Error>,
}

impl<B: Backend> Start<B> {
    /// Replaces the job's param: a text stays a text, anything else becomes JSON. A value that is
    /// `null` in JSON, such as `None`, keeps the job's param.
    pub fn param(mut self, param: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_value(param) {
            Ok(value) => {
                self.request.param = value;
                self.unusable = None;
            }
            Err(err) => {
                self.request.param = Value::Null;
                self.unusable = Some(err);
            }
        }
        self
    }

    /// Makes the start idempotent: all starts of the job with the same key are one task, however
    /// often and from wherever they are sent. It has 1 to 256 bytes.
    ///
    /// Only a start with a key is safe to repeat, so only such a start is retried if the connection
    /// fails.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.request.key = Some(key.into());
        self
    }

    /// Starts the task after this time. Replaces [`at`](Self::at).
    pub fn delay(mut self, delay: Duration) -> Self {
        self.request.delay = Some(duration::to_text(whole_millis(delay)));
        self.request.at = None;
        self
    }

    /// Starts the task at this instant. Replaces [`delay`](Self::delay).
    pub fn at(mut self, at: Timestamp) -> Self {
        self.request.at = Some(at.to_string());
        self.request.delay = None;
        self
    }

    /// Runs the task on this executor, regardless of the job's route.
    pub fn executor(mut self, name: impl Into<String>) -> Self {
        self.request.executor = Some(name.into());
        self
    }

    /// Makes the task part of a trace, as the headers of W3C Trace Context name it. A `traceparent`
    /// that is not valid is ignored, as W3C Trace Context says.
    ///
    /// With the feature `opentelemetry`, the task is part of the trace of the current span unless this
    /// is called.
    pub fn traceparent(mut self, traceparent: &str, tracestate: Option<&str>) -> Self {
        self.request.trace = Trace::of_headers(Some(traceparent), tracestate);
        self
    }

    /// Records that a person asked for the task, not a program.
    pub fn manual(mut self) -> Self {
        self.request.cause = Some(Cause::Manual.as_str().to_owned());
        self
    }

    /// Starts the task and returns it once it is durable. It may not have begun yet.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such job, [`ClientError::Conflict`] if the
    /// name is ambiguous, [`ClientError::Invalid`] if a value is not valid, and
    /// [`ClientError::OverQuota`] if too many tasks are open. Without a key, it is unknown whether the
    /// task was started if the error [may have had an effect](ClientError::may_have_had_effect).
    pub async fn send(self) -> Result<TaskHandle<B>, ClientError> {
        if let Some(source) = self.unusable {
            return Err(ClientError::Unserializable { what: "param", source });
        }
        let mut request = self.request;
        request.trace = request.trace.or_else(crate::trace::current);
        let started = self.backend.start_job(&self.job, &request).await?;
        Ok(TaskHandle::new(self.backend, started.task))
    }

    /// Starts the task and waits up to `timeout` for its end, in whichever state: see
    /// [`TaskView::has_succeeded`].
    ///
    /// # Errors
    ///
    /// Fails like [`send`](Self::send) and [`TaskHandle::wait`].
    pub async fn send_and_wait(self, timeout: Duration) -> Result<TaskView, ClientError> {
        self.send().await?.wait(timeout).await
    }
}

/// The API has durations in milliseconds. A fraction counts as a whole one.
pub(crate) fn whole_millis(duration: Duration) -> Duration {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}
