//! What is recorded, in plain words: what the engine writes down and carries on from.
//!
//! A [`Commit`] is applied whole or not at all, and every part of it can be repeated without harm,
//! so that a commit whose answer was lost is sent again. Inserts ignore what is there, the
//! watermark only grows, an outcome is taken only by an attempt that is still open.

use std::sync::Arc;

use fastjob_core::{
    AttemptId, AttemptState, Cause, ChannelName, ExecutorName, FailReason, Incarnation, Job, JobId,
    JobName, ServiceName, Shard, TaskId, TaskState,
};
use jiff::Timestamp;

/// A slice of the jobs, and of all that belongs to them. What has an id is in the partition that the
/// id leaves when it is divided by the number of partitions. A store that one coordinator uses has
/// one partition.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Partition(pub(crate) u32);

impl Partition {
    /// That of an attempt, a task or a job by its id.
    pub(crate) fn of_id(id: i64, partitions: u32) -> Self {
        Self(u32::try_from(id.rem_euclid(i64::from(partitions.max(1)))).unwrap_or_default())
    }

    /// That of a job by its name.
    pub(crate) fn of_name(service: &ServiceName, name: &JobName, partitions: u32) -> Self {
        Self::of_text(&format!("{service}.{name}"), partitions)
    }

    /// That of a text: FNV-1a, which will be the same in every release.
    pub(crate) fn of_text(text: &str, partitions: u32) -> Self {
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // The low bits of FNV are its weakest.
        let mixed = hash ^ (hash >> 32);
        Self(u32::try_from(mixed % u64::from(partitions.max(1))).unwrap_or_default())
    }
}

/// The right to act on a partition.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Lease {
    pub(crate) partition: Partition,
    /// Counts the holdings of the partition: whoever has a lower term has lost it.
    pub(crate) term: i64,
}

/// Names one life of an executor's process in the store, for ever.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct LifeId(pub(crate) i64);

/// Who made a job what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Declared beside its handler; follows the code until a person touches it.
    Code,
    /// Saved by a person or a program over the API; no code changes it.
    Api,
}

/// A job as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JobRow {
    pub(crate) id: JobId,
    pub(crate) job: Arc<Job>,
    /// The jobs that its children's names meant when it was saved, in the same order.
    pub(crate) children: Arc<[JobId]>,
    pub(crate) origin: Origin,
    /// Counts saves, from 1.
    pub(crate) revision: i64,
    /// Where its schedule counts from: when it was set or, for a fixed delay, the last end.
    pub(crate) anchor: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// A deleted job keeps its row: its tasks refer to it, and code does not bring it back.
    pub(crate) deleted_at: Option<Timestamp>,
}

/// A living job and the jobs that follow it: all that is needed to follow chains of children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobLink {
    pub(crate) id: JobId,
    pub(crate) service: ServiceName,
    pub(crate) name: JobName,
    /// As in [`JobRow`].
    pub(crate) children: Arc<[JobId]>,
}

impl JobLink {
    /// That of a job; `None` if the job is deleted.
    pub(crate) fn of(row: &JobRow) -> Option<Self> {
        row.deleted_at.is_none().then(|| Self {
            id: row.id,
            service: row.job.service.clone(),
            name: row.job.name.clone(),
            children: Arc::clone(&row.children),
        })
    }
}

/// Where a task is in the tree of tasks that followed from one start.
///
/// The root of the tree has none. Each task divides what is left of its budget among its children,
/// so that the limit holds for the whole tree without a counter that its tasks share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lineage {
    /// How many tasks are above it: 1 for a child of the root.
    pub(crate) depth: u32,
    /// How many tasks may still follow from it.
    pub(crate) budget: u32,
}

/// About how many bytes a definition takes: its texts, and something for the rest.
pub(crate) fn definition_bytes(job: &Job) -> usize {
    const REST: usize = 1024;
    let labels = job.labels.iter().map(|(key, value)| key.len() + value.len());
    let children = job.children.iter().map(|child| child.job.as_str().len());
    let alarms = job.alarms.iter().map(|channel| channel.as_str().len());
    REST + job.description.len()
        + job.param.as_ref().map_or(0, |param| param.len())
        + labels.chain(children).chain(alarms).sum::<usize>()
}

/// The shard of a head whose task is not laid out over executors yet.
pub(crate) const NOT_SPREAD: Shard = Shard { index: 0, total: 0 };

/// One life of an executor's process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LifeRow {
    pub(crate) id: LifeId,
    pub(crate) service: ServiceName,
    pub(crate) executor: ExecutorName,
    pub(crate) incarnation: Incarnation,
    pub(crate) since: Timestamp,
}

/// An attempt to insert. The first attempt of a task (`attempt.0 == task.0`) is also its head.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewAttempt {
    pub(crate) attempt: AttemptId,
    pub(crate) task: TaskId,
    pub(crate) job: JobId,
    /// Counts the attempts of its shard, from 1.
    pub(crate) number: u32,
    /// Which part of the task it is; [`NOT_SPREAD`] on a head that waits to be laid out.
    pub(crate) shard: Shard,
    pub(crate) cause: Cause,
    /// The task whose end started this one; on heads.
    pub(crate) parent: Option<TaskId>,
    /// On the heads of children. Loaded with every open attempt of such a task.
    pub(crate) lineage: Option<Lineage>,
    /// The executor that whoever started the task asked for; on heads.
    pub(crate) wanted: Option<ExecutorName>,
    /// Makes repeated starts of the job one task; on heads.
    pub(crate) key: Option<Arc<str>>,
    /// The moment of the schedule, for tasks that a schedule started.
    pub(crate) fire_at: Option<Timestamp>,
    /// When it is to be dispatched: the fire, or the end of a retry's delay.
    pub(crate) due_at: Timestamp,
    pub(crate) created_at: Timestamp,
    /// Where it was placed, if anywhere yet.
    pub(crate) life: Option<LifeId>,
    /// The task's own param; `None` on retries and where the job's param holds.
    pub(crate) param: Option<Arc<str>>,
    /// For people: what this task stands for.
    pub(crate) note: Option<String>,
    /// `Planned`, or `Skipped` for a task that records missed fires.
    pub(crate) state: AttemptState,
    /// `Queued` or `Skipped`, on a head; ignored on retries.
    pub(crate) task_state: TaskState,
}

/// A planned attempt that was placed anew.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) attempt: AttemptId,
    pub(crate) life: Option<LifeId>,
}

/// How an attempt ended; taken only if it is still open in the store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EndedAttempt {
    pub(crate) attempt: AttemptId,
    pub(crate) task: TaskId,
    /// `Succeeded`, `Failed`, `Stopped` or `Skipped`.
    pub(crate) state: AttemptState,
    pub(crate) reason: Option<FailReason>,
    pub(crate) message: Option<String>,
    pub(crate) result: Option<String>,
    /// Empty where the attempt logged nothing.
    pub(crate) log_tail: String,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Timestamp,
    /// Where the task goes with it, if it moves: the head gets this state and, if it is final,
    /// `ended_at` and the result as the task's.
    pub(crate) task_state: Option<TaskState>,
    /// The task's result where it is not the attempt's: the list of all shards' results.
    pub(crate) task_result: Option<String>,
}

/// A head that was laid out over executors after it was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SpreadTask {
    pub(crate) task: TaskId,
    /// Of how many shards the head is the first.
    pub(crate) total: u32,
}

/// How far a shard of a task has come, in its handler's words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Checkpoint {
    pub(crate) task: TaskId,
    pub(crate) shard: u32,
    pub(crate) value: Arc<str>,
}

/// A task that moves without the end of an attempt: to `Stopping`, say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MovedTask {
    pub(crate) task: TaskId,
    pub(crate) state: TaskState,
}

/// What an alarm tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlarmKind {
    /// A task failed for good: no attempt is left.
    Failed,
    /// A task of a job that had failed succeeded.
    Recovered,
    /// A task runs longer than the job says.
    RunsLong,
    /// A task did not start when it should have.
    StartsLate,
}

/// An alarm to send, once for each channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlarmRow {
    /// Never used twice.
    pub(crate) id: i64,
    pub(crate) job: JobId,
    pub(crate) task: Option<TaskId>,
    pub(crate) kind: AlarmKind,
    pub(crate) channels: Vec<ChannelName>,
    pub(crate) at: Timestamp,
    /// `service.name`.
    pub(crate) job_name: String,
    pub(crate) reason: String,
    /// At most 1 KiB.
    pub(crate) message: String,
    pub(crate) executor: Option<String>,
    pub(crate) attempts: u32,
}

/// A child whose job is in another partition, to be started by whoever holds that.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChildStart {
    /// Never used twice; from the ids of the parent's partition. The child's head has the key that
    /// is made of it, so that it is started once.
    pub(crate) id: i64,
    /// The child's.
    pub(crate) partition: Partition,
    pub(crate) job: JobId,
    pub(crate) parent: TaskId,
    /// The parent's result, if the child is to have it.
    pub(crate) param: Option<Arc<str>>,
    /// The child's; `None` on one that a release before this limit wrote.
    pub(crate) lineage: Option<Lineage>,
}

impl ChildStart {
    /// The key of the child's head. The store looks for it by this form.
    pub(crate) fn key(&self) -> Arc<str> {
        format!("fastjob:child:{}", self.id).into()
    }
}

/// Everything that goes into one transaction, in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Commit {
    /// Refused, whole, if this is not the partition's lease any more.
    pub(crate) lease: Lease,
    /// Ids below this may have been handed out; only grows.
    pub(crate) ids_until: Option<i64>,
    /// Inserted, or replaced where the revision is not lower.
    pub(crate) jobs: Vec<JobRow>,
    /// Inserted; what is there is left.
    pub(crate) lives: Vec<LifeRow>,
    /// Inserted; what is there is left.
    pub(crate) planned: Vec<NewAttempt>,
    /// Removed if still planned, with the task if it is its head.
    pub(crate) taken_back: Vec<AttemptId>,
    /// Applied to heads that are not spread yet.
    pub(crate) spread: Vec<SpreadTask>,
    pub(crate) placed: Vec<Placed>,
    /// The latest of a shard stays.
    pub(crate) checkpoints: Vec<Checkpoint>,
    pub(crate) ended: Vec<EndedAttempt>,
    /// Applied to heads that are not final.
    pub(crate) moved: Vec<MovedTask>,
    /// What else people should know of tasks. Appended to the note of the head, unless that says it
    /// already.
    pub(crate) notes: Vec<(TaskId, String)>,
    /// New anchors of fixed-delay jobs; only grow.
    pub(crate) anchors: Vec<(JobId, Timestamp)>,
    /// Up to where the fires of single jobs are planned, where that is beyond the watermark. The
    /// last of a job replaces what is there.
    pub(crate) cursors: Vec<(JobId, Timestamp)>,
    /// Inserted, a row a channel; what is there is left.
    pub(crate) alarms: Vec<AlarmRow>,
    /// Inserted; what is there is left.
    pub(crate) child_starts: Vec<ChildStart>,
    /// Child starts of this partition that are tasks with this commit; removed.
    pub(crate) children_started: Vec<i64>,
    /// Every fire up to here is recorded; only grows.
    pub(crate) watermark: Option<Timestamp>,
    /// The engine's wall clock when this was handed over; only grows.
    pub(crate) clock: Option<Timestamp>,
}

impl Commit {
    /// How many rows it touches, about.
    pub(crate) fn rows(&self) -> usize {
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

    /// How many bytes of text it carries, about; rows have a few more.
    pub(crate) fn bytes(&self) -> usize {
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

/// An open attempt, as a coordinator finds it when it starts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OpenAttempt {
    pub(crate) planned: NewAttempt,
    /// The head's state.
    pub(crate) task_state: TaskState,
    /// The param of the task's head.
    pub(crate) task_param: Option<Arc<str>>,
    /// The latest of its shard.
    pub(crate) checkpoint: Option<Arc<str>>,
    /// Where the attempt before it ran, if there was one.
    pub(crate) failed_on: Option<ExecutorName>,
}

/// A shard that has ended for good, of a task that has not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EndedShard {
    pub(crate) task: TaskId,
    pub(crate) shard: Shard,
    /// That of its last attempt.
    pub(crate) number: u32,
    /// `Succeeded`, `Failed`, `Stopped` or `Skipped`.
    pub(crate) state: AttemptState,
    pub(crate) result: Option<String>,
}

/// What a coordinator needs to carry on with a partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Loaded {
    /// Every id below may have been handed out.
    pub(crate) ids_until: i64,
    /// `None` in a store in which nothing was ever planned.
    pub(crate) watermark: Option<Timestamp>,
    /// The latest clock of a commit.
    pub(crate) clock: Option<Timestamp>,
    /// All its jobs, deleted ones too.
    pub(crate) jobs: Vec<JobRow>,
    /// Up to where the fires of single jobs are planned, where that is beyond the watermark.
    pub(crate) cursors: Vec<(JobId, Timestamp)>,
    /// All attempts that have not ended.
    pub(crate) open: Vec<OpenAttempt>,
    /// The latest attempts of shards that have ended, of tasks that have not.
    pub(crate) ended_shards: Vec<EndedShard>,
    /// The jobs whose last alarm says that they failed.
    pub(crate) failing: Vec<JobId>,
    /// The lives that the open attempts are placed on.
    pub(crate) lives: Vec<LifeRow>,
    /// Above every life that is kept.
    pub(crate) next_life: i64,
    /// Children to start, in the order of their ids.
    pub(crate) child_starts: Vec<ChildStart>,
}
