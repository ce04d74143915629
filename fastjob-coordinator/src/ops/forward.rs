//! Routes calls to the node that owns a partition: answered here if this node owns it, otherwise
//! forwarded in one hop.
//!
//! Requests are JSON over the one port, with the cluster's credential. The recipient answers, or
//! says that it is not the owner; it never forwards further.

use std::time::Duration;

use fastjob_core::{
    AttemptId, AttemptState, ExecutorName, JobDraft, JobId, Progress, TaskId, TaskState,
    job::Problem,
};
use fastjob_engine::{LiveAttempt, LiveTask};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    BackfillRequest, Backfilled, Error, JobView, Ops, PAGE_MAX, ProgressView, Saved, StartRequest,
    Started,
};
use crate::{
    cluster::Owner,
    shell::EngineHandle,
    store::{NodeRow, Partition},
};

/// The path prefix of what only nodes of the cluster may call.
pub(crate) const INTERNAL: &str = "/internal/";
/// The path of requests between nodes.
pub(crate) const PATH: &str = "/internal/v1/ask";
/// How long a call waits for a partition to get an owner before it fails.
const PATIENCE: Duration = Duration::from_secs(10);
/// Interval between two lookups of the owner.
const LOOK: Duration = Duration::from_millis(50);

/// A request from one node to another.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ask {
    Save {
        draft: Box<JobDraft>,
        create: bool,
    },
    Delete {
        job: String,
    },
    Switch {
        job: String,
        on: bool,
    },
    Start {
        job: String,
        ask: StartRequest,
    },
    Backfill {
        job: String,
        ask: BackfillRequest,
    },
    Stop {
        task: i64,
    },
    Live {
        tasks: Vec<i64>,
    },
    Open {
        state: TaskState,
        job: Option<i64>,
        since: Option<Timestamp>,
        below: Option<i64>,
        limit: u32,
    },
}

/// The answer to an [`Ask`].
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    Saved(Saved, Box<JobView>),
    Done,
    Started(Started),
    Backfilled(Backfilled),
    /// The task's state, if it was still open.
    Stopped(Option<TaskState>),
    Live(Vec<LiveWire>),
    Open(Vec<i64>),
}

/// The wire format of an [`Error`].
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    NotFound(String),
    Ambiguous { name: String, choices: Vec<String> },
    Conflict(String),
    Invalid { message: String, problems: Vec<(String, String)> },
    OverQuota(String),
    Unavailable(String),
    Moved,
}

/// The wire format of a [`LiveTask`].
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct LiveWire {
    task: i64,
    state: TaskState,
    attempts: Vec<LiveAttemptWire>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct LiveAttemptWire {
    attempt: i64,
    state: AttemptState,
    started_at: Option<Timestamp>,
    progress: Option<ProgressView>,
    executor: Option<ExecutorName>,
}

impl Ops {
    /// Asks the owner of a partition, and waits for an owner if there is none.
    pub(super) async fn ask(&self, partition: Partition, ask: Ask) -> Result<Reply, Error> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = match self.map.owner(partition) {
                Owner::Here => self.answer(partition, ask.clone()).await,
                Owner::There(node) => self.peers.ask(&node, partition, &ask).await,
                Owner::NoNode => Err(Error::Moved),
            };
            match answer {
                // Safe to retry: nothing was done.
                Err(Error::Moved) if tokio::time::Instant::now() < until => {}
                Err(Error::Moved) => {
                    return Err(Error::Unavailable(format!(
                        "no node acts on partition {} at the moment: try again later",
                        partition.0
                    )));
                }
                answer => return answer,
            }
            self.map.is_stale();
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Answers a request from another node.
    pub(crate) async fn asked(&self, partition: u32, ask: Ask) -> Result<Reply, Refusal> {
        self.answer(Partition(partition), ask).await.map_err(Refusal::from)
    }

    /// The engine of a partition, if this node acts on it.
    pub(super) fn engine(&self, partition: Partition) -> Result<EngineHandle, Error> {
        self.engines.at(partition).ok_or(Error::Moved)
    }

    async fn answer(&self, partition: Partition, ask: Ask) -> Result<Reply, Error> {
        let engine = || self.engine(partition);
        match ask {
            Ask::Save { draft, create } => {
                let job = self.valid(*draft)?;
                let partitions = self.engines.partitions();
                if Partition::of_name(&job.service, &job.name, partitions) != partition {
                    return Err(Error::invalid("name", "the job belongs to another partition"));
                }
                let (saved, view) = self.save_here(&engine()?, job, create).await?;
                Ok(Reply::Saved(saved, Box::new(view)))
            }
            Ask::Delete { job } => self.delete_here(&engine()?, job).await.map(|()| Reply::Done),
            Ask::Switch { job, on } => {
                let (saved, view) = self.switch_here(&engine()?, job, on).await?;
                Ok(Reply::Saved(saved, Box::new(view)))
            }
            Ask::Start { job, ask } => {
                self.start_here(&engine()?, job, ask).await.map(Reply::Started)
            }
            Ask::Backfill { job, ask } => {
                self.backfill_here(&engine()?, job, ask).await.map(Reply::Backfilled)
            }
            Ask::Stop { task } => {
                self.stop_here(&engine()?, TaskId(task)).await.map(Reply::Stopped)
            }
            Ask::Live { tasks } if tasks.len() > PAGE_MAX as usize => {
                Err(Error::invalid("tasks", format_args!("there are more than {PAGE_MAX}")))
            }
            Ask::Live { tasks } => {
                let tasks = tasks.into_iter().map(TaskId).collect();
                let live = self.live_here(tasks).await?;
                Ok(Reply::Live(live.into_iter().map(LiveWire::from).collect()))
            }
            // One item more than a page shows that there is another page.
            Ask::Open { limit, .. } if limit > PAGE_MAX + 1 => {
                Err(Error::invalid("limit", super::out_of_bounds(limit, PAGE_MAX + 1)))
            }
            Ask::Open { state, job, since, below, limit } => {
                let (job, below) = (job.map(JobId), below.map(TaskId));
                let ask = fastjob_engine::OpenAsk { state, job, since, below, limit };
                let open = self.open_here(&ask).await?;
                Ok(Reply::Open(open.into_iter().map(|task| task.0).collect()))
            }
        }
    }

    /// Asks all other live nodes. A node that does not answer is skipped: its partitions are about
    /// to move to another node.
    pub(super) async fn ask_others(&self, ask: &Ask) -> Vec<Reply> {
        let mut replies = Vec::new();
        for node in self.map.others() {
            match self.peers.ask(&node, Partition::default(), ask).await {
                Ok(reply) => replies.push(reply),
                Err(err) => left_out(&node, &err),
            }
        }
        replies
    }
}

/// Logs that the items of a node are missing in an answer to a caller.
pub(super) fn left_out(node: &NodeRow, err: &Error) {
    if matches!(err, Error::Moved) {
        tracing::debug!(node = node.address, "skipped a node that has ended");
    } else {
        tracing::warn!(%err, node = node.address, "a node did not answer, its items are missing");
    }
}

/// The error for an answer that does not fit the request.
pub(super) fn unexpected_reply() -> Error {
    Error::Unavailable("another node sent an unexpected answer".to_owned())
}

impl From<Error> for Refusal {
    fn from(err: Error) -> Self {
        match err {
            Error::NotFound(what) => Self::NotFound(what),
            Error::Ambiguous { name, choices } => Self::Ambiguous { name, choices },
            Error::Conflict(why) => Self::Conflict(why),
            Error::Invalid { message, problems } => {
                let problems = problems.into_iter().map(|p| (p.field, p.message)).collect();
                Self::Invalid { message, problems }
            }
            Error::OverQuota(why) => Self::OverQuota(why),
            Error::Unavailable(why) => Self::Unavailable(why),
            Error::Moved => Self::Moved,
            Error::Store(err) => {
                tracing::error!(error = &err as &dyn std::error::Error, "the store failed");
                Self::Unavailable("the store failed on the node that acts on it".to_owned())
            }
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound(what) => Self::NotFound(what),
            Refusal::Ambiguous { name, choices } => Self::Ambiguous { name, choices },
            Refusal::Conflict(why) => Self::Conflict(why),
            Refusal::Invalid { message, problems } => {
                let problem = |(field, message)| Problem { field, message };
                Self::Invalid { message, problems: problems.into_iter().map(problem).collect() }
            }
            Refusal::OverQuota(why) => Self::OverQuota(why),
            Refusal::Unavailable(why) => Self::Unavailable(why),
            Refusal::Moved => Self::Moved,
        }
    }
}

impl From<LiveTask> for LiveWire {
    fn from(live: LiveTask) -> Self {
        let attempts = live.attempts.into_iter().map(|at| LiveAttemptWire {
            attempt: at.attempt.0,
            state: at.state,
            started_at: at.started_at,
            progress: at.progress.map(|Progress { done, total, note }| ProgressView {
                done,
                total,
                note,
            }),
            executor: at.executor,
        });
        Self { task: live.task.0, state: live.state, attempts: attempts.collect() }
    }
}

impl From<LiveWire> for LiveTask {
    fn from(wire: LiveWire) -> Self {
        let attempts = wire.attempts.into_iter().map(|at| LiveAttempt {
            attempt: AttemptId(at.attempt),
            state: at.state,
            started_at: at.started_at,
            progress: at.progress.map(|ProgressView { done, total, note }| Progress {
                done,
                total,
                note,
            }),
            executor: at.executor,
            session: None,
        });
        Self { task: TaskId(wire.task), state: wire.state, attempts: attempts.collect() }
    }
}
