//! Another run of a task that has ended.

use fastjob_core::{Cause, Trace};
use serde::Serialize;
use serde_json::Value;

use crate::{Backend, ClientError, TaskHandle, types::RerunRequest};

/// Another run of a task that has ended, as a new task, which [`send`](Self::send) starts. The new
/// task has the param and the fire of the old one, and the definition that the job has now.
///
/// A task is rerun once: if it was rerun before, `send` returns the task of that rerun. So a rerun is
/// safe to repeat, and is retried if the connection fails, unless it is one [`again`](Self::again).
#[derive(Debug)]
#[must_use = "nothing is started before `send`"]
pub struct Rerun<B> {
    backend: B,
    task: i64,
    request: RerunRequest,
    unusable: Option<serde_json::Error>,
}

impl<B: Backend> Rerun<B> {
    pub(crate) fn new(backend: B, task: i64) -> Self {
        Self { backend, task, request: RerunRequest::default(), unusable: None }
    }

    /// Replaces the old task's param: a text stays a text, anything else becomes JSON. A value that
    /// is `null` in JSON, such as `None`, keeps the old param.
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

    /// Runs only the shards again that did not succeed, with their numbers and their places in the
    /// whole. A task without several shards runs as a whole.
    pub fn failed_shards(mut self) -> Self {
        self.request.shards = Some("failed".to_owned());
        self
    }

    /// Runs only these shards again, with their numbers and their places in the whole.
    pub fn shards(mut self, shards: impl IntoIterator<Item = u32>) -> Self {
        let numbers: Vec<_> = shards.into_iter().map(|shard| shard.to_string()).collect();
        self.request.shards = Some(numbers.join(","));
        self
    }

    /// Runs the task on this executor, regardless of the job's route. Not with some of the shards.
    pub fn executor(mut self, name: impl Into<String>) -> Self {
        self.request.executor = Some(name.into());
        self
    }

    /// Reruns the task although it was rerun before. Replaces [`key`](Self::key).
    pub fn again(mut self) -> Self {
        self.request.again = true;
        self.request.key = None;
        self
    }

    /// Gives the rerun a key of its own: the task is rerun once for each key. It has 1 to 256 bytes,
    /// and shares the keys of the job with its starts. Replaces [`again`](Self::again).
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.request.key = Some(key.into());
        self.request.again = false;
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

    /// Starts the new task and returns it once it is durable, or the task that an earlier rerun has
    /// started.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such task, or no longer, with
    /// [`ClientError::Conflict`] if the task has not ended, its job was deleted, or an earlier rerun
    /// has another param, other shards or another executor, with [`ClientError::Invalid`] if a value
    /// is not valid, and with [`ClientError::OverQuota`] if too many tasks are open. After
    /// [`again`](Self::again), it is unknown whether a task was started if the error
    /// [may have had an effect](ClientError::may_have_had_effect).
    pub async fn send(self) -> Result<TaskHandle<B>, ClientError> {
        if let Some(source) = self.unusable {
            return Err(ClientError::Unserializable { what: "param", source });
        }
        let mut request = self.request;
        request.trace = request.trace.or_else(crate::trace::current);
        let started = self.backend.rerun_task(self.task, &request).await?;
        Ok(TaskHandle::new(self.backend, started.task))
    }
}
