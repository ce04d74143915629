//! A task of a coordinator: it is read, awaited, stopped and run again, and its log is read.

use std::time::Duration;

use crate::{
    Backend, ClientError, Log, Rerun,
    polling::{Polled, Polling},
    types::{StopAnswer, TaskView},
};

/// A task, by its number. Creating a handle sends nothing, and dropping it does not affect the task.
#[derive(Clone, Debug)]
pub struct TaskHandle<B> {
    backend: B,
    id: i64,
}

impl<B: Backend> TaskHandle<B> {
    /// The task that a backend knows by this number.
    pub fn new(backend: B, id: i64) -> Self {
        Self { backend, id }
    }

    /// The number.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Reads the task with its attempts.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such task, or no longer.
    pub async fn get(&self) -> Result<TaskView, ClientError> {
        self.backend.read_task(self.id).await
    }

    /// Waits up to `timeout` for the end of the task, in whichever state. A coordinator that is
    /// unavailable for less than 60 seconds does not end the wait.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotEnded`] at the timeout; the task continues. Fails like
    /// [`get`](Self::get).
    pub async fn wait(&self, timeout: Duration) -> Result<TaskView, ClientError> {
        let end = tokio::time::timeout(timeout, self.end()).await;
        end.unwrap_or(Err(ClientError::NotEnded { task: self.id, waited: timeout }))
    }

    async fn end(&self) -> Result<TaskView, ClientError> {
        let mut polling = Polling::of_tasks();
        loop {
            match polling.judge(self.get().await)? {
                Polled::Answer(task) if task.has_ended() => return Ok(task),
                Polled::Answer(_) | Polled::Away { .. } => polling.pause().await,
            }
        }
    }

    /// Stops the task. It is `stopping` until its executor has answered; [`wait`](Self::wait) waits
    /// for that. Stopping a task that has ended has no effect, and is not an error.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such task, or no longer.
    pub async fn stop(&self) -> Result<StopAnswer, ClientError> {
        self.backend.stop_task(self.id).await
    }

    /// Prepares another run of the task, as a new task; [`Rerun::send`] performs it.
    pub fn rerun(&self) -> Rerun<B> {
        Rerun::new(self.backend.clone(), self.id)
    }

    /// The log of the last attempt; of the first shard, if the task has several.
    pub fn log(&self) -> Log<B> {
        Log::new(self.backend.clone(), self.id)
    }
}
