//! What the engine wants done.

use std::sync::Arc;

use fastjob_core::{AttemptId, Cause, Job, JobId, Shard, TaskId};
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    answer::{
        BackfillAnswer, ConnectAnswer, ExecutorFigures, LiveTask, OpenPage, SaveAnswer,
        StartAnswer, StopAnswer,
    },
    event::{CommitId, Held, SessionId},
};
use crate::record::{Commit, LifeId};

/// What the shell is to do, in this order: what is sent and answered rests on commits that are
/// durable already, never on those that are handed over here.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// To the store, in order.
    pub(crate) commits: Vec<(CommitId, Commit)>,
    /// To executors.
    pub(crate) sends: Vec<(SessionId, Message)>,
    /// To whoever asked.
    pub(crate) answers: Vec<Answer>,
}

/// A message to an executor.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// Run these.
    Start(Vec<StartAttempt>),
    /// Stop these.
    Stop(Vec<Held>),
    /// The outcomes of these are durable.
    Recorded(Vec<Held>),
    /// Another session took its place.
    Close,
}

/// An attempt to run.
#[derive(Clone, Debug)]
pub(crate) struct StartAttempt {
    pub(crate) attempt: AttemptId,
    pub(crate) created_at: Timestamp,
    pub(crate) task: TaskId,
    pub(crate) job_id: JobId,
    pub(crate) job: Arc<Job>,
    pub(crate) number: u32,
    pub(crate) shard: Shard,
    pub(crate) cause: Cause,
    pub(crate) fire_at: Option<Timestamp>,
    pub(crate) param: Option<Arc<str>>,
    /// How far the attempt before it had come.
    pub(crate) checkpoint: Option<Arc<str>>,
}

/// An answer and where it goes.
#[derive(Debug)]
pub(crate) enum Answer {
    Connect(oneshot::Sender<ConnectAnswer>, ConnectAnswer),
    /// The engine has taken note.
    Noted(oneshot::Sender<()>),
    Save(oneshot::Sender<SaveAnswer>, SaveAnswer),
    Start(oneshot::Sender<StartAnswer>, StartAnswer),
    Backfill(oneshot::Sender<BackfillAnswer>, BackfillAnswer),
    Stop(oneshot::Sender<StopAnswer>, StopAnswer),
    Open(oneshot::Sender<OpenPage>, OpenPage),
    Live(oneshot::Sender<Vec<LiveTask>>, Vec<LiveTask>),
    Lives(oneshot::Sender<Vec<LifeId>>, Vec<LifeId>),
    Executors(oneshot::Sender<Vec<ExecutorFigures>>, Vec<ExecutorFigures>),
}

impl Answer {
    /// Gives the answer; whoever went away in the meantime does not need it.
    pub(crate) fn give(self) {
        match self {
            Self::Connect(to, answer) => drop(to.send(answer)),
            Self::Noted(to) => drop(to.send(())),
            Self::Save(to, answer) => drop(to.send(answer)),
            Self::Start(to, answer) => drop(to.send(answer)),
            Self::Backfill(to, answer) => drop(to.send(answer)),
            Self::Stop(to, answer) => drop(to.send(answer)),
            Self::Open(to, answer) => drop(to.send(answer)),
            Self::Live(to, answer) => drop(to.send(answer)),
            Self::Lives(to, answer) => drop(to.send(answer)),
            Self::Executors(to, answer) => drop(to.send(answer)),
        }
    }
}
