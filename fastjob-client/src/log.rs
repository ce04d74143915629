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
        let place = LogPlace::new(self.query.clone());
        LogFollower { log: self, place, has_ended: false, pauses: false, polling: polling() }
    }
}

/// A log that is followed: [`next`](Self::next) returns its pieces.
#[derive(Debug)]
pub struct LogFollower<B> {
    log: Log<B>,
    place: LogPlace,
    has_ended: bool,
    /// Whether the next request has to wait, so that a handler that logs all the time does not cause
    /// a request for each line.
    pauses: bool,
    polling: Polling,
}

impl<B: Backend> LogFollower<B> {
    /// Waits for the next piece with text; `None` after the last one. If the task is retried
    /// meanwhile, and no attempt is selected, the log of the retry follows after that of the attempt
    /// before: see [`LogView::attempt`]. An outage of less than 60 seconds does not end it.
    ///
    /// Cancel safe: a call that is dropped loses no text.
    ///
    /// # Errors
    ///
    /// Fails like [`Log::read`]. A later call continues at the same place.
    pub async fn next(&mut self) -> Result<Option<LogView>, ClientError> {
        while !self.has_ended {
            if std::mem::take(&mut self.pauses) {
                self.polling.pause().await;
            }
            self.log.query = self.place.query().clone();
            let read = self.log.read().await;
            if self.place.is_end(&read) {
                break;
            }
            let piece = match self.polling.judge(read)? {
                Polled::Answer(piece) => piece,
                Polled::Away { .. } => {
                    self.pauses = true;
                    continue;
                }
            };
            match self.place.advance(&piece) {
                Step::Text { is_cut } => {
                    self.polling = polling();
                    self.pauses = !is_cut;
                    return Ok(Some(piece));
                }
                Step::Wait => self.pauses = true,
                Step::Retry => {}
                Step::End => break,
            }
        }
        self.has_ended = true;
        Ok(None)
    }
}

/// A piece with fewer bytes was not cut at its limit: there was no more text when it was read. Less
/// than each default limit.
const SHORT: u32 = 4 * 1024;
/// A piece ends with a whole character: that many bytes below its limit at most.
const CHARACTER: usize = 3;

/// A place in the log of a task: through its attempts, each to the end of its log.
///
/// For programs that send [`Call::log`](crate::Call::log) themselves; others use
/// [`Log::follow`].
#[derive(Debug)]
pub struct LogPlace {
    query: LogQuery,
    /// Whether the logs of retries follow.
    through_retries: bool,
    /// Whether the next answer says if there is a retry.
    asks_for_retry: bool,
}

/// What comes after a piece of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The piece has text.
    Text {
        /// Whether the piece was cut at its limit, so that there is more text already. Otherwise a
        /// pause avoids a request for each line.
        is_cut: bool,
    },
    /// There is no text yet.
    Wait,
    /// The log of the attempt is complete; the log of its retry follows, if there is one.
    Retry,
    /// The log is complete.
    End,
}

impl LogPlace {
    /// Begins where the query does. If it selects no attempt, it begins with the last one and
    /// continues through its retries.
    pub fn new(query: LogQuery) -> Self {
        let through_retries = query.attempt.is_none();
        Self { query, through_retries, asks_for_retry: false }
    }

    /// The next request.
    pub fn query(&self) -> &LogQuery {
        &self.query
    }

    /// Whether an answer says that there is no retry, so that the log is complete.
    pub fn is_end<T>(&self, answer: &Result<T, ClientError>) -> bool {
        self.asks_for_retry && matches!(answer, Err(ClientError::NotFound(_)))
    }

    /// Moves behind a piece that [`query`](Self::query) has led to.
    pub fn advance(&mut self, piece: &LogView) -> Step {
        self.asks_for_retry = false;
        if self.through_retries {
            // A retry may begin before this log has been read to its end. The attempts of each shard
            // have their own numbers.
            (self.query.shard, self.query.attempt) = (Some(piece.shard), Some(piece.number));
        }
        // While its executor is disconnected, the log may seem to be shorter.
        self.query.offset = self.query.offset.max(piece.next_offset);
        if !piece.text.is_empty() {
            let limit = self.query.limit.unwrap_or(SHORT).min(SHORT) as usize;
            return Step::Text { is_cut: piece.text.len() + CHARACTER >= limit };
        }
        match (piece.ended, self.through_retries) {
            (false, _) => Step::Wait,
            (true, false) => Step::End,
            (true, true) => {
                (self.query.attempt, self.query.offset) = (Some(piece.number + 1), 0);
                self.asks_for_retry = true;
                Step::Retry
            }
        }
    }
}

fn polling() -> Polling {
    Polling::new(Duration::from_millis(100), Duration::from_secs(1))
}
