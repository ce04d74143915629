//! What the engine is told.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastjob_core::{
    AttemptId, ExecutorName, HandlerName, Incarnation, Job, JobId, Progress, ServiceName, TaskId,
    TaskState, attempt::End,
};
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    answer::{
        BackfillAnswer, ConnectAnswer, ExecutorFigures, LiveTask, OpenPage, SaveAnswer,
        StartAnswer, StopAnswer,
    },
    catalog::Directory,
    keys::StartKey,
};
use crate::record::{ChildStart, JobRow, LifeId, Origin};

/// The two clocks, as the shell reads them: the engine has none of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Now {
    /// The wall clock in whole milliseconds, held so that it never runs backwards.
    pub(crate) wall: Timestamp,
    /// Since the coordinator started; for waits, which no clock change may stretch.
    pub(crate) uptime: Duration,
}

/// Names one connection of an executor while it lasts.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct SessionId(pub(crate) u64);

/// Names one commit until the store has it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct CommitId(pub(crate) u64);

/// An executor that dialled in. Every engine of the node has one: what is large is shared.
#[derive(Clone, Debug)]
pub(crate) struct Connected {
    pub(crate) session: SessionId,
    pub(crate) link: u32,
    pub(crate) service: ServiceName,
    pub(crate) executor: ExecutorName,
    pub(crate) incarnation: Incarnation,
    pub(crate) address: String,
    pub(crate) version: String,
    pub(crate) capacity: u32,
    pub(crate) labels: Arc<BTreeMap<String, String>>,
    /// Handlers and their descriptions.
    pub(crate) handlers: Arc<BTreeMap<HandlerName, String>>,
    /// Default definitions of jobs.
    pub(crate) jobs: Vec<Arc<Job>>,
    pub(crate) holding: Vec<Held>,
    /// It drains: it returns every attempt that it is sent.
    pub(crate) leaving: bool,
    /// The highest attempt id of the engine's partition that its process was ever sent. An id at or
    /// below it that this store has not handed out was handed out before the store was restored
    /// from a backup.
    pub(crate) highest: Option<AttemptId>,
}

impl Connected {
    /// Why it cannot have a session beside that of the executor with the same name: each process needs
    /// its own name, and connects over one address.
    pub(crate) fn is_rejected_beside(
        &self,
        incarnation: &Incarnation,
        link: u32,
        address: &str,
    ) -> Option<String> {
        let name = &self.executor;
        if *incarnation == self.incarnation {
            return (link != self.link).then(|| {
                format!(
                    "executor `{name}` already has a session with this coordinator over another \
                     address"
                )
            });
        }
        let from = if address.is_empty() { String::new() } else { format!(" from {address}") };
        Some(format!(
            "an executor named `{name}` of service `{}` is already connected{from}: give each \
             process its own name",
            self.service
        ))
    }
}

#[cfg(test)]
impl Connected {
    /// An executor with the handler `h` and nine places, which holds nothing.
    pub(crate) fn with(session: SessionId) -> Self {
        Self {
            session,
            link: 0,
            service: "default".parse().unwrap(),
            executor: "e".parse().unwrap(),
            incarnation: "i1".parse().unwrap(),
            address: String::new(),
            version: String::new(),
            capacity: 9,
            labels: Arc::default(),
            handlers: Arc::new([("h".parse().unwrap(), String::new())].into()),
            jobs: Vec::new(),
            holding: Vec::new(),
            leaving: false,
            highest: None,
        }
    }
}

/// Names one attempt, also after the store was restored from a backup and hands out the same ids
/// again.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Held {
    pub(crate) attempt: AttemptId,
    /// The Unix epoch if it is not known: executors of earlier releases send ids alone.
    pub(crate) created_at: Timestamp,
}

impl Held {
    /// Whether the attempt that was created then under this id is meant.
    pub(crate) fn names(&self, created_at: Timestamp) -> bool {
        self.created_at == created_at || self.created_at == Timestamp::UNIX_EPOCH
    }
}

/// What an executor reports of an attempt that ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) attempt: AttemptId,
    /// When the attempt was created; see [`Held`].
    pub(crate) created_at: Timestamp,
    pub(crate) end: End,
    pub(crate) result: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Timestamp,
    pub(crate) log_tail: String,
    /// The last one that is known, as JSON, if it did not succeed.
    pub(crate) checkpoint: Option<String>,
}

impl Outcome {
    /// The attempt that it is the outcome of.
    pub(crate) fn held(&self) -> Held {
        Held { attempt: self.attempt, created_at: self.created_at }
    }
}

/// What an executor says of its machine and its work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Beat {
    pub(crate) cpu: f64,
    pub(crate) memory_free: u64,
    pub(crate) memory_total: u64,
    pub(crate) running: u32,
    pub(crate) waiting: u32,
}

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// Time has passed.
    Tick,
    /// These commits are durable.
    Committed(Vec<CommitId>),
    /// An executor dialled in.
    Connected(Box<Connected>, oneshot::Sender<ConnectAnswer>),
    /// An executor beat.
    Beat(SessionId, Beat),
    /// Handlers were entered.
    Started(SessionId, Vec<(Held, Timestamp)>),
    /// The latest checkpoints of attempts, as JSON.
    Checkpoints(SessionId, Vec<(Held, Arc<str>)>),
    /// How far attempts have come.
    Progress(SessionId, Vec<(Held, Progress)>),
    /// How long a message to the executor and its answer took.
    RoundTrip(SessionId, Duration),
    /// Attempts ended.
    Finished(SessionId, Vec<Outcome>),
    /// An executor drains, and returns attempts that it never entered. Answered once the engine
    /// sends it nothing any more, after what it has sent.
    Leaving(SessionId, Vec<AttemptId>, oneshot::Sender<()>),
    /// An executor returns attempts of this session's Starts that it will not run.
    Returned(SessionId, Vec<AttemptId>),
    /// A session ended.
    Disconnected(SessionId),
    /// Children of other partitions' tasks, to be started here, and the uptime at which the read from
    /// the store began.
    ChildStarts(Vec<ChildStart>, Duration),
    /// The store has removed these deleted jobs, which were dated before `before`.
    JobsRemoved { jobs: Vec<JobId>, before: Timestamp },
    /// Somebody asks for something.
    Command(Command),
    /// A command that depends on jobs of other partitions, with these jobs.
    CommandWith(Directory, Command),
}

/// A job meant by name: `name`, or `service.name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobPath(pub(crate) String);

/// What somebody asks for; the answer comes when what it says is durable.
#[derive(Debug)]
pub(crate) enum Command {
    /// Save a job.
    Save { job: Box<Job>, mode: SaveMode, origin: Origin, answer: oneshot::Sender<SaveAnswer> },
    /// Delete a job.
    Delete { job: JobPath, answer: oneshot::Sender<SaveAnswer> },
    /// Let a job's schedule fire, or not.
    Switch { job: JobPath, to: Switch, answer: oneshot::Sender<SaveAnswer> },
    /// Start a job.
    Start { ask: Start, answer: oneshot::Sender<StartAnswer> },
    /// Start the fires of a past range.
    Backfill { ask: Backfill, answer: oneshot::Sender<BackfillAnswer> },
    /// Stop a task.
    Stop { task: TaskId, answer: oneshot::Sender<StopAnswer> },
    /// Which tasks are open?
    Open { ask: OpenAsk, answer: oneshot::Sender<OpenPage> },
    /// How are these tasks just now?
    Live { tasks: Vec<TaskId>, answer: oneshot::Sender<Vec<LiveTask>> },
    /// On which lives may attempts be placed? Answered when all that refers to other lives is
    /// durable.
    Lives { answer: oneshot::Sender<Vec<LifeId>> },
    /// Who is connected?
    Executors { answer: oneshot::Sender<Vec<ExecutorFigures>> },
}

/// Whether a schedule fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    Off,
}

/// What may be there already when a job is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SaveMode {
    /// Nothing of that name.
    Create,
    /// Whatever is there is replaced.
    Replace,
}

/// A start that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) job: JobPath,
    pub(crate) cause: fastjob_core::Cause,
    pub(crate) param: Option<Arc<str>>,
    pub(crate) at: When,
    /// This one and no other.
    pub(crate) executor: Option<ExecutorName>,
    /// Makes repeated starts of the job one task.
    pub(crate) key: Option<StartKey>,
}

/// Fires of a past range, to be started now.
#[derive(Clone, Debug)]
pub(crate) struct Backfill {
    pub(crate) job: JobPath,
    pub(crate) cause: fastjob_core::Cause,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// Most tasks.
    pub(crate) most: u32,
}

/// When a started task is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum When {
    Now,
    After(Duration),
    At(Timestamp),
}

/// Which open tasks to list, newest first.
#[derive(Clone, Debug)]
pub(crate) struct OpenAsk {
    pub(crate) state: TaskState,
    pub(crate) job: Option<fastjob_core::JobId>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) below: Option<TaskId>,
    pub(crate) limit: u32,
}

/// A row for whoever asked to save a job.
pub(crate) type SavedRow = Box<JobRow>;
