//! Live sessions: the way to reach an executor.
//!
//! The engine decides what is sent; here it only finds the stream. A message to a session that has
//! ended is dropped: the engine learns of the end and decides anew.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fastjob_core::{
    AttemptId,
    block::{Block, BlockScope},
    wire::{BATCH_MAX, v1},
};
use tokio::sync::{mpsc, oneshot};

use crate::engine::{Message, SessionId, StartAttempt};

/// How long an executor may take to answer a question.
const ANSWER: Duration = Duration::from_secs(5);

/// All live sessions of this node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: AtomicU64,
    open: Mutex<HashMap<SessionId, Session>>,
}

#[derive(Debug)]
struct Session {
    outbound: mpsc::UnboundedSender<Outbound>,
    questions: HashMap<u64, oneshot::Sender<v1::StatReply>>,
}

/// What goes out over a stream. At most what an executor can hold is under way at a time.
#[derive(Debug)]
pub(crate) enum Outbound {
    Message(Message),
    Stat(v1::Stat),
    Ping(v1::Ping),
}

/// Why a question got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("the executor is not connected")]
    Gone,
    #[error("the executor did not answer within 5 s")]
    Silent,
    #[error("the executor answered: {0}")]
    Refused(String),
}

impl Sessions {
    /// Opens a session and returns what its stream is to send.
    pub(crate) fn open(&self) -> (SessionId, mpsc::UnboundedReceiver<Outbound>) {
        let id = SessionId(self.0.next.fetch_add(1, Ordering::Relaxed) + 1);
        let (outbound, stream) = mpsc::unbounded_channel();
        self.lock().insert(id, Session { outbound, questions: HashMap::new() });
        (id, stream)
    }

    /// Ends a session; its stream ends with it.
    pub(crate) fn close(&self, id: SessionId) {
        self.lock().remove(&id);
    }

    /// Sends a message, if the session still lives.
    pub(crate) fn send(&self, id: SessionId, message: Message) {
        if matches!(message, Message::Close) {
            return self.close(id);
        }
        if let Some(session) = self.lock().get(&id) {
            // A stream that has just ended takes nothing; the engine is about to learn of it.
            drop(session.outbound.send(Outbound::Message(message)));
        }
    }

    /// Answers a beat, if the session still lives.
    pub(crate) fn ping(&self, id: SessionId, ping: v1::Ping) {
        if let Some(session) = self.lock().get(&id) {
            // A stream that has just ended takes nothing; the engine is about to learn of it.
            drop(session.outbound.send(Outbound::Ping(ping)));
        }
    }

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
            v1::stat_reply::Kind::Log(log) => Ok(log),
            v1::stat_reply::Kind::Error(why) => Err(AskError::Refused(why)),
            v1::stat_reply::Kind::Executor(_) => {
                Err(AskError::Refused("figures in place of a log".to_owned()))
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
            let session = open.get_mut(&id).ok_or(AskError::Gone)?;
            session.questions.insert(question, answer);
            let stat = Outbound::Stat(v1::Stat { id: question, kind: Some(kind) });
            session.outbound.send(stat).map_err(|_| AskError::Gone)?;
        }
        let reply = tokio::time::timeout(ANSWER, wait).await;
        if let Some(session) = self.lock().get_mut(&id) {
            session.questions.remove(&question);
        }
        let reply = reply.map_err(|_| AskError::Silent)?.map_err(|_| AskError::Gone)?;
        reply.kind.ok_or_else(|| AskError::Refused("nothing".to_owned()))
    }

    /// Hands an answer to whoever asked.
    pub(crate) fn answered(&self, id: SessionId, reply: v1::StatReply) {
        let asked =
            self.lock().get_mut(&id).and_then(|session| session.questions.remove(&reply.id));
        if let Some(asked) = asked {
            // Whoever asked may have given up waiting.
            drop(asked.send(reply));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Session>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a message into the words of the protocol.
pub(crate) fn to_wire(outbound: Outbound) -> v1::ToExecutor {
    use v1::to_executor::Message as Wire;
    let numbers = |attempts: Vec<AttemptId>| attempts.into_iter().map(|id| id.0).collect();
    let message = match outbound {
        Outbound::Stat(stat) => Wire::Stat(stat),
        Outbound::Ping(ping) => Wire::Ping(ping),
        Outbound::Message(Message::Start(attempts)) => {
            debug_assert!(attempts.len() <= BATCH_MAX, "a batch is too long");
            Wire::Start(v1::Start { attempts: attempts.into_iter().map(start).collect() })
        }
        Outbound::Message(Message::Stop(attempts)) => {
            Wire::Stop(v1::Stop { attempts: numbers(attempts) })
        }
        Outbound::Message(Message::Recorded(attempts)) => {
            Wire::Recorded(v1::Recorded { attempts: numbers(attempts) })
        }
        // Closing ends the stream and is never sent over it.
        Outbound::Message(Message::Close) => Wire::Recorded(v1::Recorded { attempts: Vec::new() }),
    };
    v1::ToExecutor { message: Some(message) }
}

fn start(start: StartAttempt) -> v1::Attempt {
    let job = &start.job;
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    v1::Attempt {
        attempt: start.attempt.0,
        task: start.task.0,
        job: start.job_id.0,
        job_name: job.name.as_str().to_owned(),
        handler: job.handler.as_str().to_owned(),
        number: start.number,
        cause: v1::Cause::from(start.cause).into(),
        fire_at: start.fire_at.map(jiff::Timestamp::as_millisecond),
        param: start.param.as_deref().or(job.param.as_deref()).map(str::to_owned),
        shard_index: start.shard.index,
        shard_total: start.shard.total,
        timeout_ms: job.timeout.map_or(0, millis),
        grace_ms: millis(job.grace),
        block: lane_rule(&job.block).into(),
        max_waiting: job.block.max_waiting,
        max_running: job.block.max_running,
        exclusive: job.block.is_exclusive(),
        checkpoint: start.checkpoint.as_deref().map(str::to_owned),
    }
}

/// What the executor's lane is to do. Across the cluster the engine lets only those through that
/// may run.
fn lane_rule(block: &Block) -> v1::Block {
    match block.scope {
        BlockScope::Executor => block.strategy.into(),
        BlockScope::Cluster => v1::Block::None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fastjob_core::{Cause, Job, JobDraft, JobId, Shard, TaskId, block::BlockStrategy};

    use super::*;

    fn named<T, const N: usize>(names: [(&str, T); N], wanted: &str) -> T {
        names.into_iter().find(|(name, _)| *name == wanted).unwrap().1
    }

    fn sent(block: &str) -> v1::Attempt {
        let draft = r#"{"name": "n", "service": "s", "handler": "h"}"#;
        let draft: JobDraft = serde_json::from_str(draft).unwrap();
        let mut job = Job::try_from(draft).unwrap();
        let (strategy, scope) = block.split_once(' ').unwrap();
        job.block.strategy = named(BlockStrategy::NAMES, strategy);
        job.block.scope = named(BlockScope::NAMES, scope);
        start(StartAttempt {
            attempt: AttemptId(12),
            task: TaskId(11),
            job_id: JobId(1),
            job: Arc::new(job),
            number: 2,
            cause: Cause::Api,
            fire_at: None,
            param: None,
            shard: Shard { index: 3, total: 4 },
            checkpoint: Some("7".into()),
        })
    }

    #[track_caller]
    fn check(block: &str, expected: v1::Block, exclusive: bool) {
        let attempt = sent(block);
        assert_eq!((attempt.block(), attempt.exclusive), (expected, exclusive));
    }

    #[test]
    fn a_lane_has_nothing_to_decide_where_the_cluster_has() {
        check("serial executor", v1::Block::Serial, false);
        check("skip_new executor", v1::Block::SkipNew, false);
        check("replace_running executor", v1::Block::ReplaceRunning, false);
        check("parallel executor", v1::Block::Parallel, false);
        check("serial cluster", v1::Block::None, true);
        check("skip_new cluster", v1::Block::None, true);
        check("replace_running cluster", v1::Block::None, true);
        check("parallel cluster", v1::Block::None, true);
    }

    #[test]
    fn an_attempt_travels_with_its_shard_and_the_checkpoint_before_it() {
        let attempt = sent("parallel executor");
        assert_eq!((attempt.shard_index, attempt.shard_total), (3, 4));
        assert_eq!(attempt.checkpoint.as_deref(), Some("7"));
        assert_eq!((attempt.max_waiting, attempt.max_running), (1_000, 16));
    }
}
