//! The events that the engine handles: everything that it learns, and everything that callers ask
//! for, in one list.

mod rerun;
mod target;
mod version;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use fastjob_core::{
    AttemptId, ExecutorName, HandlerName, Incarnation, Job, JobId, JobPath, Progress, ServiceName,
    TaskId, TaskState, Trace, attempt::End,
};
use jiff::Timestamp;
use tokio::sync::oneshot;

pub use self::{
    rerun::{Part, Rerun},
    target::Target,
    version::{Condition, Version},
};
use crate::{
    answer::{
        ApplyAnswer, BackfillAnswer, ConnectAnswer, ExecutorFigures, LiveTask, OpenCount, OpenPage,
        SaveAnswer, StartAnswer, StopAnswer, Survey,
    },
    record::{ChildStart, JobRow, LifeId, Origin, Overrides},
    state::{catalog::Directory, keys::StartKey},
};

/// The two clocks, as the shell reads them. The engine has no clock of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    /// The wall clock in whole milliseconds. The engine never lets it run backwards.
    pub wall: Timestamp,
    /// The monotonic time since the coordinator started, for waits: clock changes do not affect
    /// them.
    pub uptime: Duration,
}

/// Identifies one connection of an executor while it lasts.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId(pub u64);

/// Identifies one commit until it is durable.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CommitId(pub u64);

/// The executors that users drain: they get no new attempts, connected or not.
pub type DrainedSet = BTreeSet<(ServiceName, ExecutorName)>;

/// An executor that connected. Every engine of the node gets a copy, so large parts are shared.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The new session. An event with a session that the engine knows already changes nothing.
    pub session: SessionId,
    /// Which of its coordinator addresses the executor dialled, from 0. A reconnect has the number
    /// of the session that it replaces.
    pub link: u32,
    /// The service whose handlers it hosts.
    pub service: ServiceName,
    /// Its name, unique within the service.
    pub executor: ExecutorName,
    /// Which start of the executor's process this is.
    pub incarnation: Incarnation,
    /// Its address as it gave it, for display; may be empty.
    pub address: String,
    /// The release of its executor library, for display; may be empty.
    pub version: String,
    /// How many attempts it accepts at a time, waiting ones included; at least 1.
    pub capacity: u32,
    /// Its labels, which routes and filters use.
    pub labels: Arc<BTreeMap<String, String>>,
    /// Its handlers and their descriptions.
    pub handlers: Arc<BTreeMap<HandlerName, String>>,
    /// Default definitions of jobs of its own service, in the engine's partition.
    pub jobs: Vec<Arc<Job>>,
    /// All attempts of the engine's partition that it holds: received, and not acknowledged as
    /// ended.
    pub holding: Vec<Held>,
    /// It drains: it returns every attempt that it is sent.
    pub leaving: bool,
    /// It accepts attempts before they are due, and enters them in time.
    pub accepts_early: bool,
    /// The highest attempt id of the engine's partition that its process was ever sent; `None` if
    /// it was sent nothing. If this store has not assigned that id, the store was restored from a
    /// backup, and ids up to this one are not used again.
    pub highest: Option<AttemptId>,
}

impl Connected {
    /// Why it cannot have a session beside the given one of the executor with the same name; `None`
    /// if it replaces that session. Each process needs its own name, and connects over one address.
    pub fn is_rejected_beside(
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

#[cfg(any(test, feature = "simulation"))]
impl Connected {
    /// An executor with the handler `h` and a capacity of 9, which holds nothing.
    #[expect(clippy::unwrap_used, reason = "for tests, of names that are valid")]
    pub fn with(session: SessionId) -> Self {
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
            accepts_early: false,
            highest: None,
        }
    }
}

/// Identifies one attempt, even if the store was restored from a backup and assigns the same ids
/// again.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Held {
    /// Its id.
    pub attempt: AttemptId,
    /// When it was created, by the coordinator's clock. The Unix epoch if that is unknown:
    /// executors of earlier releases send ids alone.
    pub created_at: Timestamp,
}

impl Held {
    /// Whether this means the attempt with this id that was created at `created_at`. If the
    /// creation time is unknown, it means any attempt with this id.
    pub fn names(&self, created_at: Timestamp) -> bool {
        self.created_at == created_at || self.created_at == Timestamp::UNIX_EPOCH
    }
}

/// What an executor reports about an attempt that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The attempt.
    pub attempt: AttemptId,
    /// When the attempt was created; see [`Held`].
    pub created_at: Timestamp,
    /// How it ended, with the reason of a failure.
    pub end: End,
    /// What the handler returned; `None` if it returned nothing.
    pub result: Option<String>,
    /// Why it ended like this, for users; `None` if there is nothing to say.
    pub message: Option<String>,
    /// When the handler was entered, by the executor's clock; `None` if it never was.
    pub started_at: Option<Timestamp>,
    /// When it ended, by the executor's clock.
    pub ended_at: Timestamp,
    /// The last lines of its log, at most 8 KiB; empty if it logged nothing.
    pub log_tail: String,
    /// Where they begin in the log, in bytes.
    pub log_at: u64,
    /// Its last checkpoint, as JSON; `None` if it succeeded or has none.
    pub checkpoint: Option<String>,
}

impl Outcome {
    /// The attempt that this is the outcome of.
    pub fn held(&self) -> Held {
        Held { attempt: self.attempt, created_at: self.created_at }
    }
}

/// A heartbeat: what an executor reports about its machine and its work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Beat {
    /// The load of the machine, from 0 to 1 over all cores.
    pub cpu: f64,
    /// The free memory of the machine, in bytes.
    pub memory_free: u64,
    /// The memory of the machine, in bytes.
    pub memory_total: u64,
    /// How many attempts run on the executor, of all partitions.
    pub running: u32,
    /// How many attempts wait on the executor for their turn, of all partitions.
    pub waiting: u32,
}

/// Something that happened outside the engine.
#[derive(Debug)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// The store has made these commits durable.
    Committed(Vec<CommitId>),
    /// An executor connected. Answered at once.
    Connected(Box<Connected>, oneshot::Sender<ConnectAnswer>),
    /// An executor sent a heartbeat.
    Beat(SessionId, Beat),
    /// Handlers were entered, at these instants of the executor's clock. May be repeated.
    Started(SessionId, Vec<(Held, Timestamp)>),
    /// Attempts reached these checkpoints, each as JSON.
    Checkpoints(SessionId, Vec<(Held, Arc<str>)>),
    /// Attempts reported this progress. It is kept in memory only.
    Progress(SessionId, Vec<(Held, Progress)>),
    /// How long a message to the executor took, together with its answer.
    RoundTrip(SessionId, Duration),
    /// Attempts ended. May be repeated until the executor knows that the outcomes are durable.
    Finished(SessionId, Vec<Outcome>),
    /// An executor drains, and returns attempts whose handlers it never entered. The engine answers
    /// after its last message to the executor, when what follows from the returns is durable.
    Leaving(SessionId, Vec<AttemptId>, oneshot::Sender<()>),
    /// An executor returns attempts that it received in this session and will not run.
    Returned(SessionId, Vec<AttemptId>),
    /// A session ended.
    Disconnected(SessionId),
    /// Exactly these executors are drained by users from now on. The first event of an engine.
    Drained(Arc<DrainedSet>),
    /// Children of other partitions' tasks, to be started here, and the uptime at which the shell
    /// began to read them from the store.
    ChildStarts(Vec<ChildStart>, Duration),
    /// The store has removed these deleted jobs, at the end of their retention.
    JobsRemoved {
        /// The removed jobs.
        jobs: Vec<JobId>,
        /// Their rows were last updated before this instant. The engine keeps a job that was
        /// updated since.
        before: Timestamp,
    },
    /// A caller sent a command.
    Command(Command),
    /// A command that depends on jobs of other partitions, with these jobs.
    CommandWith(Directory, Command),
}

/// What a caller asks for. The engine answers a change when it is durable, and everything else at
/// once. If the engine is dropped before that, so is the sender of the answer.
#[derive(Debug)]
pub enum Command {
    /// Saves a job: creates it, or replaces its definition.
    Save {
        /// The definition; its service and name say which job it is.
        job: Box<Job>,
        /// Whether a job of this name may exist.
        mode: SaveMode,
        /// Who saves it. What code declares has no effect if a person took the definition from it,
        /// or deleted the job.
        origin: Origin,
        /// Which version of an existing job it replaces.
        condition: Condition,
        /// Where the answer goes.
        answer: oneshot::Sender<SaveAnswer>,
    },
    /// Saves many jobs: all of them, or none.
    Apply {
        /// Which jobs.
        ask: Apply,
        /// Where the answer goes.
        answer: oneshot::Sender<ApplyAnswer>,
    },
    /// Deletes a job and ends its waiting tasks; attempts on executors run to their end.
    Delete {
        /// The job.
        job: JobPath,
        /// The job is deleted only if it is this one.
        only: Option<JobId>,
        /// Which version of it.
        condition: Condition,
        /// Where the answer goes.
        answer: oneshot::Sender<SaveAnswer>,
    },
    /// Enables or disables a job's schedule.
    Switch {
        /// The job.
        job: JobPath,
        /// The new setting.
        to: Switch,
        /// Which version of the job it changes.
        condition: Condition,
        /// Where the answer goes.
        answer: oneshot::Sender<SaveAnswer>,
    },
    /// Gives the definition of a job back to the code that declares it.
    Release {
        /// The job.
        job: JobPath,
        /// Which version of the job it changes.
        condition: Condition,
        /// Where the answer goes.
        answer: oneshot::Sender<SaveAnswer>,
    },
    /// Starts a task of a job.
    Start {
        /// Which job, when, and with what.
        ask: Start,
        /// Where the answer goes.
        answer: oneshot::Sender<StartAnswer>,
    },
    /// Runs a task that has ended again, as a new task.
    Rerun {
        /// Which task, and what is different this time.
        ask: Rerun,
        /// Where the answer goes.
        answer: oneshot::Sender<StartAnswer>,
    },
    /// Starts one task for each fire of a past range.
    Backfill {
        /// Which job and which range.
        ask: Backfill,
        /// Where the answer goes.
        answer: oneshot::Sender<BackfillAnswer>,
    },
    /// Stops a task with all its shards.
    Stop {
        /// The task.
        task: TaskId,
        /// Why, for its note; `None` if the caller has not said.
        why: Option<String>,
        /// Where the answer goes.
        answer: oneshot::Sender<StopAnswer>,
    },
    /// Lists open tasks.
    Open {
        /// Which tasks.
        ask: OpenAsk,
        /// Where the answer goes.
        answer: oneshot::Sender<OpenPage>,
    },
    /// Reads the current state of tasks.
    Live {
        /// The tasks. Those that are not open are left out of the answer.
        tasks: Vec<TaskId>,
        /// Where the answer goes.
        answer: oneshot::Sender<Vec<LiveTask>>,
    },
    /// Counts the open tasks of jobs.
    CountOpen {
        /// The jobs. Those without open tasks are left out of the answer.
        jobs: Vec<JobId>,
        /// Where the answer goes.
        answer: oneshot::Sender<Vec<OpenCount>>,
    },
    /// Counts the jobs and the open tasks of each service, and lists tasks that are held up or run
    /// for long. The work is bounded.
    Survey {
        /// Where the answer goes.
        answer: oneshot::Sender<Survey>,
    },
    /// Lists the lives on which attempts may be placed. The engine answers when everything that
    /// refers to other lives is durable.
    Lives {
        /// Where the answer goes.
        answer: oneshot::Sender<Vec<LifeId>>,
    },
    /// Lists the executors that the engine knows, also those that may still reconnect.
    Executors {
        /// Where the answer goes: sorted by service and name.
        answer: oneshot::Sender<Vec<ExecutorFigures>>,
    },
}

/// Jobs to save together, in one commit.
#[derive(Clone, Debug)]
pub struct Apply {
    /// The jobs, each once, children before their parents.
    pub edits: Vec<Edit>,
    /// Only a try: the answer says what would be done, and nothing changes.
    pub is_dry: bool,
    /// Does not look at children: the caller has checked them with jobs of other partitions that do
    /// not exist yet. Only for a try.
    pub ignores_children: bool,
}

/// One job of [`Apply`].
#[derive(Clone, Debug)]
pub struct Edit {
    /// The complete definition; its service and name say which job it is.
    pub job: Arc<Job>,
    /// The version that was edited; `None` if there is no living job of this name. The edit is
    /// rejected if that has changed.
    pub from: Option<Version>,
    /// Who is to own the definition. If that is code, and it declares another definition, that one
    /// stays in effect. `None` leaves it to what is edited.
    pub owner: Option<Origin>,
    /// Which of the settings that people may override the caller has set, although they may have the
    /// same values as before.
    pub sets: Overrides,
}

/// Whether a schedule fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// The job is enabled: its schedule fires.
    On,
    /// The job is disabled: its schedule does not fire, and callers can still start it.
    Off,
}

/// Which existing job a save accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaveMode {
    /// None: the save is rejected if a living job has this name.
    Create,
    /// Any: an existing job gets the new definition.
    Replace,
}

/// A start of one task.
#[derive(Clone, Debug)]
pub struct Start {
    /// The job.
    pub job: Target,
    /// Who starts it: `Manual` or `Api`.
    pub cause: fastjob_core::Cause,
    /// The task's own param; `None` if the job's param applies.
    pub param: Option<Arc<str>>,
    /// When the task is due.
    pub at: When,
    /// The only executor that may run it; `None` leaves the choice to the job's route.
    pub executor: Option<ExecutorName>,
    /// The idempotency key: starts of the job with the same key create one task. `None` if each
    /// start creates one.
    pub key: Option<StartKey>,
    /// The trace that the start is part of; `None` if it is part of none.
    pub trace: Option<Trace>,
}

/// Fires of a past range, to start now.
#[derive(Clone, Debug)]
pub struct Backfill {
    /// The job.
    pub job: JobPath,
    /// The start of the range, inclusive.
    pub from: Timestamp,
    /// The end of the range, exclusive. If it is in the future, the range ends now.
    pub until: Timestamp,
    /// The maximum number of fires; the earliest come first.
    pub most: u32,
    /// The key of the caller: each fire is started once for each key.
    pub key: Option<Arc<str>>,
    /// Which fires were backfilled before; `None` to start all of them again.
    pub looked: Option<Looked>,
    /// The trace that the tasks are part of; `None` if they are part of none.
    pub trace: Option<Trace>,
}

/// What a caller found in the store about the fires of a backfill.
#[derive(Clone, Debug)]
pub struct Looked {
    /// The uptime at which the lookup began, as [`StartKey::looked_at`].
    pub at: Duration,
    /// Each fire that was looked up, and the task of an earlier backfill.
    pub found: BTreeMap<Timestamp, Option<TaskId>>,
}

/// When a started task is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// At once.
    Now,
    /// After this time, whatever the wall clock does meanwhile.
    After(Duration),
    /// At this instant of the wall clock; at once if it has passed.
    At(Timestamp),
}

/// Which open tasks to list, in the order of their ids.
#[derive(Clone, Debug)]
pub struct OpenAsk {
    /// Only tasks in one of these states.
    pub states: Vec<TaskState>,
    /// Only tasks of this job; `None` for all jobs of the partition.
    pub job: Option<fastjob_core::JobId>,
    /// Only tasks that were created at this instant or later; `None` for all.
    pub since: Option<Timestamp>,
    /// Only tasks that were created before this instant; `None` for all.
    pub until: Option<Timestamp>,
    /// Whether the oldest tasks come first, and not the newest.
    pub is_oldest_first: bool,
    /// Only tasks that come after this one, the last one of the previous page; `None` for the first
    /// page.
    pub after: Option<TaskId>,
    /// The maximum number of tasks.
    pub limit: u32,
}

/// The row of a saved job, in an answer.
pub type SavedRow = Box<JobRow>;
