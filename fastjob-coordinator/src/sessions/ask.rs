//! Requests to an executor: reading the log of an attempt.

use std::{sync::atomic::Ordering, time::Duration};

use fastjob_core::{AttemptId, wire::v1};
use fastjob_engine::SessionId;
use tokio::sync::oneshot;

use super::{Outbound, Sessions};

/// How long an executor may take to answer a request.
const ANSWER: Duration = Duration::from_secs(5);
/// Maximum number of unanswered requests to one executor.
const QUESTIONS: usize = 256;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("the executor is not connected")]
    Gone,
    #[error("the executor did not answer within 5 s")]
    Silent,
    #[error("the executor already has {QUESTIONS} unanswered requests")]
    Busy,
    #[error("the executor answered: {0}")]
    Refused(String),
    #[error(
        "the executor answered with {bytes} bytes from {from} to {to}, but at most {most} were \
         requested"
    )]
    NotAsked { bytes: usize, from: u64, to: u64, most: u64 },
}

impl Sessions {
    /// Reads an attempt's log at its executor.
    pub(crate) async fn read_log(
        &self,
        id: SessionId,
        attempt: AttemptId,
        offset: u64,
        limit: u32,
    ) -> Result<v1::Log, AskError> {
        let kind = v1::stat::Kind::Log(v1::StatLog { attempt: attempt.0, offset, limit });
        match self.ask(id, kind).await? {
            v1::stat_reply::Kind::Log(log) => within(log, limit),
            v1::stat_reply::Kind::Error(why) => Err(AskError::Refused(why)),
            v1::stat_reply::Kind::Executor(_) => {
                Err(AskError::Refused("unexpected executor figures instead of a log".to_owned()))
            }
        }
    }

    async fn ask(
        &self,
        id: SessionId,
        kind: v1::stat::Kind,
    ) -> Result<v1::stat_reply::Kind, AskError> {
        let question = self.0.next.fetch_add(1, Ordering::Relaxed) + 1;
        let (answer, wait) = oneshot::channel();
        {
            let mut open = self.lock();
            let session = open.sessions.get_mut(&id).ok_or(AskError::Gone)?;
            if session.questions.len() >= QUESTIONS {
                return Err(AskError::Busy);
            }
            session.questions.insert(question, answer);
            session.outbound.push(Outbound::Stat(v1::Stat { id: question, kind: Some(kind) }));
        }
        let reply = tokio::time::timeout(ANSWER, wait).await;
        if let Some(session) = self.lock().sessions.get_mut(&id) {
            session.questions.remove(&question);
        }
        let reply = reply.map_err(|_| AskError::Silent)?.map_err(|_| AskError::Gone)?;
        reply.kind.ok_or_else(|| AskError::Refused("an empty reply".to_owned()))
    }

    /// Delivers an answer to the caller of the request.
    pub(crate) fn answered(&self, id: SessionId, reply: v1::StatReply) {
        let mut open = self.lock();
        let session = open.sessions.get_mut(&id);
        let asked = session.and_then(|session| session.questions.remove(&reply.id));
        drop(open);
        if let Some(asked) = asked {
            // The caller may have stopped waiting.
            drop(asked.send(reply));
        }
    }
}

/// Rejects a piece of a log that is longer than requested, because many readers get a copy of it.
fn within(log: v1::Log, limit: u32) -> Result<v1::Log, AskError> {
    // Each invalid UTF-8 byte becomes a replacement character of three bytes.
    let most = 3 * u64::from(limit);
    let v1::Log { offset: from, next_offset: to, .. } = log;
    let fits = to.checked_sub(from).is_some_and(|length| length <= most) && to <= u64::MAX - most;
    if fits && log.text.len() as u64 <= most {
        return Ok(log);
    }
    Err(AskError::NotAsked { bytes: log.text.len(), from, to, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_a_log_that_is_longer_than_requested_is_rejected() {
        let log = |from, to, bytes: usize| {
            let text = "x".repeat(bytes);
            within(v1::Log { text, offset: from, next_offset: to, ..v1::Log::default() }, 100)
        };
        assert!(log(0, 100, 100).is_ok() && log(7, 7, 0).is_ok());
        assert!(log(0, 100, 300).is_ok(), "invalid UTF-8");
        for (from, to, bytes) in
            [(0, 100, 301), (0, 301, 100), (9, 8, 0), (u64::MAX - 50, u64::MAX, 50)]
        {
            let refused = log(from, to, bytes).unwrap_err().to_string();
            assert!(refused.contains("at most 300 were requested"), "{refused}");
        }
    }
}
