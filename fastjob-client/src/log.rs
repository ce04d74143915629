//! The log of a task.

use std::time::Duration;

use crate::{
    Backend, ClientError, LogQuery,
    polling::{Polled, Polling},
    types::LogView,
};

/// How long a coordinator is asked to wait for new text.
const WAIT: Duration = Duration::from_secs(20);

/// A log of a task, which is read in pieces or followed.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `read` or `follow`"]
pub struct Log<B> {
    backend: B,
    task: i64,
    query: LogQuery,
}

impl<B: Backend> Log<B> {
    pub(crate) fn new(backend: B, task: i64) -> Self {
        Self { backend, task, query: LogQuery::default() }
    }

    /// Selects a shard, from 0.
    pub fn shard(mut self, shard: u32) -> Self {
        self.query.shard = Some(shard);
        self
    }

    /// Selects an attempt by its number within its shard, from 1, instead of the last.
    pub fn attempt(mut self, number: u32) -> Self {
        self.query.attempt = Some(number);
        self
    }

    /// Begins at this byte: 0, or a [`LogView::next_offset`].
    pub fn offset(mut self, offset: u64) -> Self {
        self.query.offset = offset;
        self
    }

    /// Limits a piece to this many bytes.
    pub fn limit(mut self, bytes: u32) -> Self {
        self.query.limit = Some(bytes);
        self
    }

    /// Reads one piece. It is empty if there is no text at the offset, or not yet.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such task or attempt, and with
    /// [`ClientError::Unavailable`] while its executor does not answer.
    pub async fn read(&self) -> Result<LogView, ClientError> {
        self.backend.read_log(self.task, &self.query).await
    }

    /// Follows the log from the offset until the attempt has ended.
    pub fn follow(mut self) -> LogFollower<B> {
        self.query.wait = Some(WAIT);
        LogFollower { log: self, attempt: None, has_ended: false, polling: polling() }
    }
}

/// A log that is followed: [`next`](Self::next) returns its pieces.
#[derive(Debug)]
pub struct LogFollower<B> {
    log: Log<B>,
    attempt: Option<i64>,
    has_ended: bool,
    polling: Polling,
}

impl<B: Backend> LogFollower<B> {
    /// Waits for the next piece with text; `None` after the last one. If the task is retried
    /// meanwhile, and no attempt is selected, the log of the retry follows from its beginning: see
    /// [`LogView::attempt`]. An outage of less than 30 seconds does not end it.
    ///
    /// Cancel safe: a call that is dropped loses no text.
    ///
    /// # Errors
    ///
    /// Fails like [`Log::read`]. A later call continues at the same place.
    pub async fn next(&mut self) -> Result<Option<LogView>, ClientError> {
        while !self.has_ended {
            let piece = match self.polling.judge(self.log.read().await)? {
                Polled::Answer(piece) => piece,
                Polled::Away { .. } => {
                    self.polling.pause().await;
                    continue;
                }
            };
            let is_other = self.attempt.is_some_and(|before| before != piece.attempt);
            self.attempt = Some(piece.attempt);
            if is_other && self.log.query.offset > 0 {
                // A retry has started, which has its own log.
                self.log.query.offset = 0;
                continue;
            }
            self.log.query.offset = piece.next_offset;
            if !piece.text.is_empty() {
                self.polling = polling();
                return Ok(Some(piece));
            }
            // After a piece with text, one more is read: it may have been cut at the limit.
            self.has_ended = piece.ended;
            if !self.has_ended {
                self.polling.pause().await;
            }
        }
        Ok(None)
    }
}

fn polling() -> Polling {
    Polling::new(Duration::from_millis(100), Duration::from_secs(1))
}
