//! The effects of events: commits, messages and answers.

use std::{sync::Arc, time::Duration};

use fastjob_core::{Job, Trace};
use tokio::sync::oneshot;

use crate::{
    answer::{
        ApplyAnswer, BackfillAnswer, ConnectAnswer, ExecutorFigures, LiveTask, OpenCount, OpenPage,
        SaveAnswer, StartAnswer, StopAnswer, Survey,
    },
    event::{CommitId, Held, SessionId},
    notice::Notice,
    record::{Attempt, Commit, LifeId},
    trace::Span,
};

/// What the shell has to do, in the order of the fields. Messages and answers depend only on
/// commits that are durable already, never on those that are handed over here.
#[derive(Debug, Default)]
pub struct Effects {
    /// Commits to write to the store, in this order.
    pub commits: Vec<(CommitId, Commit)>,
    /// Messages to send to executors, in this order.
    pub sends: Vec<(SessionId, Message)>,
    /// Answers to give to the callers.
    pub answers: Vec<Answer>,
    /// What operators should know. Nothing depends on it.
    pub notices: Vec<Notice>,
    /// What has ended of recorded traces, durably. Nothing depends on it.
    pub spans: Vec<Span>,
}

/// A message to an executor.
#[derive(Clone, Debug)]
pub enum Message {
    /// Run these attempts.
    Start(Vec<StartAttempt>),
    /// Stop these attempts.
    Stop(Vec<Held>),
    /// The outcomes of these attempts are durable: the executor can forget them.
    Recorded(Vec<Held>),
    /// Close this session: a newer one of the same executor has replaced it.
    Close,
}

/// An attempt to run.
#[derive(Clone, Debug)]
pub struct StartAttempt {
    /// The attempt. The row is durable, and so is its placement on this executor.
    pub row: Attempt,
    /// The job's definition when the attempt is sent.
    pub job: Arc<Job>,
    /// The task's own param; `None` if the job's param applies.
    pub param: Option<Arc<str>>,
    /// The last checkpoint, as JSON, of the earlier attempts of its shard; `None` if they left
    /// none.
    pub checkpoint: Option<Arc<str>>,
    /// The coordinator's uptime at which the executor enters it; `None` for at once. Only executors
    /// that accept attempts early are sent a later instant.
    pub enter_at: Option<Duration>,
    /// The trace that it is part of, at the span under which the handler's span comes.
    pub trace: Option<Trace>,
}

/// An answer and the channel to the caller.
#[derive(Debug)]
pub enum Answer {
    /// To [`Event::Connected`](super::Event::Connected).
    Connect(oneshot::Sender<ConnectAnswer>, ConnectAnswer),
    /// To [`Event::Leaving`](super::Event::Leaving): the engine sends the executor nothing more,
    /// and what follows from the returned attempts is durable.
    Noted(oneshot::Sender<()>),
    /// To [`Command::Save`](super::Command::Save), [`Command::Delete`](super::Command::Delete) and
    /// [`Command::Switch`](super::Command::Switch).
    Save(oneshot::Sender<SaveAnswer>, SaveAnswer),
    /// To [`Command::Apply`](super::Command::Apply).
    Apply(oneshot::Sender<ApplyAnswer>, ApplyAnswer),
    /// To [`Command::Start`](super::Command::Start) and [`Command::Rerun`](super::Command::Rerun).
    Start(oneshot::Sender<StartAnswer>, StartAnswer),
    /// To [`Command::Backfill`](super::Command::Backfill).
    Backfill(oneshot::Sender<BackfillAnswer>, BackfillAnswer),
    /// To [`Command::Stop`](super::Command::Stop).
    Stop(oneshot::Sender<StopAnswer>, StopAnswer),
    /// To [`Command::Open`](super::Command::Open).
    Open(oneshot::Sender<OpenPage>, OpenPage),
    /// To [`Command::Live`](super::Command::Live).
    Live(oneshot::Sender<Vec<LiveTask>>, Vec<LiveTask>),
    /// To [`Command::CountOpen`](super::Command::CountOpen).
    CountOpen(oneshot::Sender<Vec<OpenCount>>, Vec<OpenCount>),
    /// To [`Command::Survey`](super::Command::Survey).
    Survey(oneshot::Sender<Survey>, Survey),
    /// To [`Command::Lives`](super::Command::Lives).
    Lives(oneshot::Sender<Vec<LifeId>>, Vec<LifeId>),
    /// To [`Command::Executors`](super::Command::Executors).
    Executors(oneshot::Sender<Vec<ExecutorFigures>>, Vec<ExecutorFigures>),
}

impl Answer {
    /// Sends the answer to the caller. A caller that no longer waits does not need it.
    pub fn give(self) {
        match self {
            Self::Connect(to, answer) => drop(to.send(answer)),
            Self::Noted(to) => drop(to.send(())),
            Self::Save(to, answer) => drop(to.send(answer)),
            Self::Apply(to, answer) => drop(to.send(answer)),
            Self::Start(to, answer) => drop(to.send(answer)),
            Self::Backfill(to, answer) => drop(to.send(answer)),
            Self::Stop(to, answer) => drop(to.send(answer)),
            Self::Open(to, answer) => drop(to.send(answer)),
            Self::Live(to, answer) => drop(to.send(answer)),
            Self::CountOpen(to, answer) => drop(to.send(answer)),
            Self::Survey(to, answer) => drop(to.send(answer)),
            Self::Lives(to, answer) => drop(to.send(answer)),
            Self::Executors(to, answer) => drop(to.send(answer)),
        }
    }
}
