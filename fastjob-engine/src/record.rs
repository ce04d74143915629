//! The records of the engine: what it writes to the store, and what it loads from it.
//!
//! A [`Commit`] is applied atomically, and every part of it is idempotent, so that a commit whose
//! answer was lost can be sent again. Inserts ignore existing rows, the watermark only grows, and
//! an outcome is applied only to an attempt that is still open.

use std::sync::Arc;

use fastjob_core::{
    AttemptId, AttemptState, Cause, ChannelName, ExecutorName, FailReason, Incarnation, Job, JobId,
    JobName, ServiceName, Shard, TaskId, TaskState,
};
use jiff::Timestamp;

/// A slice of the jobs, and of everything that belongs to them. The partition of an id is the
/// remainder of its division by the number of partitions. A store that one coordinator uses has one
/// partition.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Partition(pub u32);

impl Partition {
    /// The partition of an attempt, a task or a job, by its id.
    pub fn of_id(id: i64, partitions: u32) -> Self {
        Self(u32::try_from(id.rem_euclid(i64::from(partitions.max(1)))).unwrap_or_default())
    }

    /// The partition of a job, by its name. A new job gets an id of this partition.
    pub fn of_name(service: &ServiceName, name: &JobName, partitions: u32) -> Self {
        Self::of_text(&format!("{service}.{name}"), partitions)
    }

    /// The partition of a text, by its FNV-1a hash. It must stay the same in every release.
    pub fn of_text(text: &str, partitions: u32) -> Self {
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // The low bits of FNV are its weakest.
        let mixed = hash ^ (hash >> 32);
        Self(u32::try_from(mixed % u64::from(partitions.max(1))).unwrap_or_default())
    }
}

/// The right of one engine to act on a partition.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Lease {
    /// The partition.
    pub partition: Partition,
    /// Grows each time the partition gets a new owner. A lease with a lower term is lost.
    pub term: i64,
}

/// Identifies one life of an executor's process in the store. Never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LifeId(pub i64);

/// Who defined a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Declared in code, beside its handler. It follows the code until it is saved, switched or
    /// deleted over the API.
    Code,
    /// Saved by a user or a program over the API. Code does not change it.
    Api,
}

/// A job as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRow {
    /// Its id. A job that is deleted and created again has a new one.
    pub id: JobId,
    /// Its definition.
    pub job: Arc<Job>,
    /// The jobs that its children's names meant when it was saved, in the order of the names.
    pub children: Arc<[JobId]>,
    /// Who saved this revision.
    pub origin: Origin,
    /// Counts saves, from 1.
    pub revision: i64,
    /// The start of its schedule: when the schedule was set or, for a fixed delay, the last end.
    pub anchor: Timestamp,
    /// When its first revision was saved.
    pub created_at: Timestamp,
    /// When its latest revision was saved. Of a deleted job: when it was deleted, or when code last
    /// declared it again, to within a day.
    pub updated_at: Timestamp,
    /// When it was deleted; `None` while it lives. A deleted job keeps its row, because its tasks
    /// refer to it, and so that code does not create it again.
    pub deleted_at: Option<Timestamp>,
}

/// A living job with its children: what is needed to follow chains of children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobLink {
    /// Its id, in any partition.
    pub id: JobId,
    /// Its service.
    pub service: ServiceName,
    /// Its name, unique within the service.
    pub name: JobName,
    /// The jobs that its children's names mean, as in [`JobRow::children`].
    pub children: Arc<[JobId]>,
}

impl JobLink {
    /// The link of a job; `None` if the job is deleted.
    pub fn of(row: &JobRow) -> Option<Self> {
        row.deleted_at.is_none().then(|| Self {
            id: row.id,
            service: row.job.service.clone(),
            name: row.job.name.clone(),
            children: Arc::clone(&row.children),
        })
    }
}

/// The position of a task in the tree of tasks that follow from one start.
///
/// The root of the tree has no lineage. Each task divides its remaining budget among its children,
/// so the limit holds for the whole tree without a shared counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// The number of tasks above it: 1 for a child of the root.
    pub depth: u32,
    /// The maximum number of tasks that may follow from it, over all generations.
    pub budget: u32,
}

/// The approximate size of a definition in bytes: its texts, and a constant for the rest.
pub fn definition_bytes(job: &Job) -> usize {
    const REST: usize = 1024;
    let labels = job.labels.iter().map(|(key, value)| key.len() + value.len());
    let children = job.children.iter().map(|child| child.job.as_str().len());
    let alarms = job.alarms.iter().map(|channel| channel.as_str().len());
    REST + job.description.len()
        + job.param.as_ref().map_or(0, |param| param.len())
        + labels.chain(children).chain(alarms).sum::<usize>()
}

/// The shard of a head whose task is not spread over executors yet.
pub const NOT_SPREAD: Shard = Shard { index: 0, total: 0 };

/// One life of an executor's process, from its start to its end, over any number of sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct LifeRow {
    /// Its id. Of two lives of an executor, the later one has the higher id.
    pub id: LifeId,
    /// The service of the executor.
    pub service: ServiceName,
    /// The name of the executor, the same in all its lives.
    pub executor: ExecutorName,
    /// Which start of the process this is.
    pub incarnation: Incarnation,
    /// When the engine first heard of it.
    pub since: Timestamp,
}

/// The part of an attempt that does not change after its creation, except when its task is spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attempt {
    /// Its id. A retry has a new one.
    pub attempt: AttemptId,
    /// The task that it belongs to.
    pub task: TaskId,
    /// The job of the task.
    pub job: JobId,
    /// Counts the attempts of its shard, from 1.
    pub number: u32,
    /// Its shard of the task; [`NOT_SPREAD`] on a head whose task is not spread yet.
    pub shard: Shard,
    /// Why the task was started.
    pub cause: Cause,
    /// The fire that the task stands for; `None` if it was started without one.
    pub fire_at: Option<Timestamp>,
    /// When it is due for dispatch: at its fire, at once, or at the end of a delay.
    pub due_at: Timestamp,
    /// When the engine created it, in whole milliseconds.
    pub created_at: Timestamp,
}

impl Attempt {
    /// Whether this is the head: the first attempt of its task, whose row also stores the task.
    pub fn is_head(&self) -> bool {
        self.attempt == self.task.first_attempt()
    }
}

/// An attempt to insert. The first attempt of a task is also its head.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAttempt {
    /// The part that every attempt has.
    pub row: Attempt,
    /// On heads: the task whose end started this one; `None` if no other task started it.
    pub parent: Option<TaskId>,
    /// On the heads of children. Loaded with every open attempt of such a task.
    pub lineage: Option<Lineage>,
    /// On heads: the only executor that may run the task; `None` if its job's route chooses.
    pub wanted: Option<ExecutorName>,
    /// On heads: the idempotency key. Starts of the job with the same key create one task.
    pub key: Option<Arc<str>>,
    /// The life that it is placed on; `None` if it is not placed yet.
    pub life: Option<LifeId>,
    /// On heads: the task's own param; `None` if the job's param applies.
    pub param: Option<Arc<str>>,
    /// On heads: what this task stands for, for users.
    pub note: Option<String>,
    /// `Planned`, or `Skipped` for a task that records missed fires.
    pub state: AttemptState,
    /// `Queued` or `Skipped`, on a head; ignored on retries.
    pub task_state: TaskState,
}

/// A new placement of an open attempt that is recorded already.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// The attempt.
    pub attempt: AttemptId,
    /// The life that it is placed on; `None` if it is on no executor any more.
    pub life: Option<LifeId>,
}

/// How an attempt ended. Applied only if the attempt is still open in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedAttempt {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its task.
    pub task: TaskId,
    /// `Succeeded`, `Failed`, `Stopped` or `Skipped`.
    pub state: AttemptState,
    /// Why it failed; `None` unless `state` is `Failed`.
    pub reason: Option<FailReason>,
    /// Why it ended like this, for users; `None` if there is nothing to say.
    pub message: Option<String>,
    /// What the handler returned; `None` if it returned nothing or did not run to its end.
    pub result: Option<String>,
    /// The last lines of its log; empty if it logged nothing.
    pub log_tail: String,
    /// When its handler was entered; `None` if it never was. Not before the attempt's creation.
    pub started_at: Option<Timestamp>,
    /// When it ended: between `started_at` and the engine's wall clock.
    pub ended_at: Timestamp,
    /// The new state of the task; `None` if it does not change. The head gets this state and, if it
    /// is final, `ended_at` and the result as those of the task.
    pub task_state: Option<TaskState>,
    /// The list of the results of all shards; `None` if the task's result is that of this attempt.
    pub task_result: Option<String>,
}

/// A task that was spread over executors after its head was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpreadTask {
    /// The task.
    pub task: TaskId,
    /// The number of its shards, at least 1. The head becomes the first one.
    pub total: u32,
}

/// The latest checkpoint of a shard of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The task.
    pub task: TaskId,
    /// The index of the shard, from 0.
    pub shard: u32,
    /// What the handler saved, as JSON; at most 64 KiB.
    pub value: Arc<str>,
}

/// A task that changes its state without the end of an attempt, for example to `Stopping`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MovedTask {
    /// The task.
    pub task: TaskId,
    /// Its new state.
    pub state: TaskState,
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlarmKind {
    /// A task failed, and is not retried; or it ended, and its children could not be started.
    Failed,
    /// A task succeeded, and it is the first of its job since a [`Failed`](AlarmKind::Failed)
    /// alarm.
    Recovered,
    /// An attempt runs longer than the threshold of its job.
    RunsLong,
    /// An attempt did not start within the threshold of its job, or fires were missed.
    StartsLate,
}

impl AlarmKind {
    /// The kind as words that follow the name of a job.
    pub fn words(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Recovered => "recovered",
            Self::RunsLong => "runs too long",
            Self::StartsLate => "did not start in time",
        }
    }

    /// The kind as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Recovered => "recovered",
            Self::RunsLong => "runs_long",
            Self::StartsLate => "starts_late",
        }
    }
}

/// An alarm to send, once for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmRow {
    /// Its id, from the partition's ids. Never used twice.
    pub id: i64,
    /// The job.
    pub job: JobId,
    /// The task that it is about; `None` if it is not about a single task.
    pub task: Option<TaskId>,
    /// What it is about.
    pub kind: AlarmKind,
    /// The channels to send it to.
    pub channels: Vec<ChannelName>,
    /// When it was raised.
    pub at: Timestamp,
    /// The full name of the job, `service.name`.
    pub job_name: String,
    /// The cause in a few words, for example the reason of a failure; may be empty.
    pub reason: String,
    /// The details for users; at most 1 KiB, may be empty.
    pub message: String,
    /// The name of the executor; `None` if no executor was involved.
    pub executor: Option<String>,
    /// The number of the attempt that it is about; 0 if it is about missed or refused fires.
    pub attempts: u32,
}

/// A child whose job is in another partition. The engine of that partition starts it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildStart {
    /// Its id, from the ids of the parent's partition. Never used twice. The child's head has a key
    /// made from it, so that the child is started once.
    pub id: i64,
    /// The partition of the child's job.
    pub partition: Partition,
    /// The child's job.
    pub job: JobId,
    /// The task whose end starts the child.
    pub parent: TaskId,
    /// The parent's result; `None` if there is none or the child does not get it.
    pub param: Option<Arc<str>>,
    /// The child's lineage; `None` if a release before this limit wrote the row.
    pub lineage: Option<Lineage>,
}

impl ChildStart {
    /// The key of the child's head. The store searches for keys of this form.
    pub fn key(&self) -> Arc<str> {
        format!("fastjob:child:{}", self.id).into()
    }
}

/// Everything that goes into one transaction, in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// The lease of the engine. If the partition has another lease by now, the store rejects the
    /// whole commit.
    pub lease: Lease,
    /// Ids below this may have been handed out; only grows. `None` leaves it unchanged.
    pub ids_until: Option<i64>,
    /// Jobs to insert, or to replace if the stored revision is not higher.
    pub jobs: Vec<JobRow>,
    /// Lives to insert; existing rows stay unchanged.
    pub lives: Vec<LifeRow>,
    /// Attempts to insert; existing rows stay unchanged.
    pub planned: Vec<NewAttempt>,
    /// Cancelled attempts: removed if still planned, together with the task if it is its head.
    pub taken_back: Vec<AttemptId>,
    /// Tasks that were spread. Applied to heads that are not spread yet.
    pub spread: Vec<SpreadTask>,
    /// New placements of recorded attempts. Applied to attempts that are still open.
    pub placed: Vec<Placed>,
    /// Checkpoints to store. The last one of a shard replaces the stored one.
    pub checkpoints: Vec<Checkpoint>,
    /// Attempts that ended. Applied to attempts that are still open.
    pub ended: Vec<EndedAttempt>,
    /// Tasks that change their state. Applied to heads that are not final.
    pub moved: Vec<MovedTask>,
    /// Further notes on tasks, for users. Each is appended to the note of the head, unless that
    /// contains it already.
    pub notes: Vec<(TaskId, String)>,
    /// New anchors of fixed-delay jobs; only grow.
    pub anchors: Vec<(JobId, Timestamp)>,
    /// How far the fires of single jobs are planned, if that is beyond the watermark. The last
    /// cursor of a job replaces the stored one.
    pub cursors: Vec<(JobId, Timestamp)>,
    /// Alarms to insert, one row per channel; existing rows stay unchanged.
    pub alarms: Vec<AlarmRow>,
    /// Child starts to insert for other partitions; existing rows stay unchanged.
    pub child_starts: Vec<ChildStart>,
    /// Child starts of this partition to remove: this commit creates their tasks, or their jobs are
    /// deleted.
    pub children_started: Vec<i64>,
    /// Every fire up to here is recorded; only grows. `None` leaves it unchanged.
    pub watermark: Option<Timestamp>,
    /// The engine's wall clock when it handed the commit over; only grows. `None` leaves it
    /// unchanged.
    pub clock: Option<Timestamp>,
}

impl Commit {
    /// The approximate number of rows that it touches.
    pub fn rows(&self) -> usize {
        self.jobs.len()
            + self.lives.len()
            + self.planned.len()
            + self.taken_back.len()
            + self.spread.len()
            + self.placed.len()
            + self.checkpoints.len()
            + self.ended.len()
            + self.moved.len()
            + self.notes.len()
            + self.anchors.len()
            + self.cursors.len()
            + self.alarms.iter().map(|alarm| alarm.channels.len()).sum::<usize>()
            + self.child_starts.len()
            + self.children_started.len()
    }

    /// The approximate size of its texts in bytes. The rows themselves take a few bytes more.
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let param = |param: &Option<Arc<str>>| param.as_ref().map_or(0, |param| param.len());
        let ended = |ended: &EndedAttempt| {
            ended.log_tail.len()
                + text(&ended.message)
                + text(&ended.result)
                + text(&ended.task_result)
        };
        let alarm = |alarm: &AlarmRow| {
            (alarm.message.len() + alarm.reason.len() + alarm.job_name.len()) * alarm.channels.len()
        };
        self.planned.iter().map(|new| param(&new.param) + text(&new.note)).sum::<usize>()
            + self.checkpoints.iter().map(|point| point.value.len()).sum::<usize>()
            + self.ended.iter().map(ended).sum::<usize>()
            + self.alarms.iter().map(alarm).sum::<usize>()
            + self.child_starts.iter().map(|child| param(&child.param)).sum::<usize>()
            + self.notes.iter().map(|(_, note)| note.len()).sum::<usize>()
    }
}

/// An open attempt, as the store has it when an engine starts.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenAttempt {
    /// The attempt with its current placement. Its parent, key, param and note are not loaded.
    pub planned: NewAttempt,
    /// The state of the task, from its head.
    pub task_state: TaskState,
    /// The task's own param, from its head; `None` if the job's param applies.
    pub task_param: Option<Arc<str>>,
    /// The latest checkpoint of its shard, as JSON; `None` if there is none.
    pub checkpoint: Option<Arc<str>>,
    /// The executor of the previous attempt of its shard; `None` if there was no such attempt or it
    /// was on no executor.
    pub failed_on: Option<ExecutorName>,
}

/// A shard that has ended and is not retried, of a task that is still open.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedShard {
    /// The task.
    pub task: TaskId,
    /// The shard.
    pub shard: Shard,
    /// The number of its last attempt, from 1.
    pub number: u32,
    /// `Succeeded`, `Failed`, `Stopped` or `Skipped`.
    pub state: AttemptState,
    /// What the handler of its last attempt returned; `None` if it returned nothing.
    pub result: Option<String>,
}

/// What an engine needs to continue with a partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// Every id below this may have been handed out.
    pub ids_until: i64,
    /// Every fire up to here is recorded; `None` if nothing was ever planned.
    pub watermark: Option<Timestamp>,
    /// The latest wall clock of a commit; `None` if there was no commit.
    pub clock: Option<Timestamp>,
    /// All jobs of the partition, including deleted ones.
    pub jobs: Vec<JobRow>,
    /// How far the fires of single jobs are planned, if that is beyond the watermark.
    pub cursors: Vec<(JobId, Timestamp)>,
    /// All attempts that have not ended.
    pub open: Vec<OpenAttempt>,
    /// The latest attempts of shards that have ended, of tasks that have not.
    pub ended_shards: Vec<EndedShard>,
    /// The jobs whose last alarm of kind `Failed` or `Recovered` is `Failed`.
    pub failing: Vec<JobId>,
    /// The lives that the open attempts are placed on.
    pub lives: Vec<LifeRow>,
    /// An id above those of all lives in the store.
    pub next_life: i64,
    /// Children to start, in the order of their ids.
    pub child_starts: Vec<ChildStart>,
}
