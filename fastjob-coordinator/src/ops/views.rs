//! What is shown of jobs, tasks and executors: the JSON of the REST interface.

use std::collections::BTreeMap;

use fastjob_core::{JobDraft, TaskState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Page<T> {
    /// At most as many as asked for.
    pub items: Vec<T>,
    /// Where the next page begins; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// A job with what the coordinator knows of it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct JobView {
    /// Its number.
    pub id: i64,
    /// Counts saves, from 1.
    pub revision: i64,
    /// `code` while it follows the definition beside its handler, `api` once a person saved it.
    pub origin: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last saved.
    pub updated_at: Timestamp,
    /// The next moment its schedule fires, if it does.
    pub next_fire_at: Option<Timestamp>,
    /// The definition, defaults included.
    #[serde(flatten)]
    pub job: JobDraft,
}

/// What saving a job did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Saved {
    /// It is new.
    Created,
    /// It was changed.
    Updated,
    /// It was so already.
    Unchanged,
}

/// What starting a job wants to know.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StartAsk {
    /// In place of the job's param: a text or any JSON.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub param: serde_json::Value,
    /// The executor that is to run it, whatever the job's route says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<String>,
    /// When to start, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// How long from now to start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
    /// Makes repeated starts one task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `manual` when a person asks; `api` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// A task that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Started {
    /// Its number.
    pub task: i64,
}

/// Which past fires of a job to start now.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BackfillAsk {
    /// From this instant on, RFC 3339.
    pub from: String,
    /// Up to this instant, which is left out, or now if that is earlier or this is left out;
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Most tasks, 1 to 1,000; 100 if left out. The earliest fires are started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// `manual` when a person asks; `api` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// The tasks of past fires.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Backfilled {
    /// Their numbers, the earliest fire first.
    pub tasks: Vec<i64>,
    /// Whether the range has more fires than were allowed.
    pub more: bool,
}

/// A task that was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct StopAnswer {
    /// Whether the task was still open, so that there was something to stop.
    pub stopped: bool,
    /// The task's state now: `stopping` until its executor has answered.
    pub state: TaskState,
}

/// A task with its attempts.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct TaskView {
    /// Its number.
    pub id: i64,
    /// The job's name.
    pub job: String,
    /// The job's service.
    pub service: String,
    /// Where it is.
    pub state: TaskState,
    /// Why it was started.
    pub cause: String,
    /// The moment of the schedule that it stands for.
    pub fire_at: Option<Timestamp>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When its handler was first entered.
    pub started_at: Option<Timestamp>,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
    /// Its own param, where it was started with one.
    pub param: Option<String>,
    /// What its handler returned.
    pub result: Option<String>,
    /// What else there is to say, such as which missed fires it stands for.
    pub note: Option<String>,
    /// The task whose end started this one.
    #[serde(default)]
    pub parent: Option<i64>,
    /// In the order of their shards and numbers.
    pub attempts: Vec<AttemptView>,
}

/// How far a handler is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ProgressView {
    /// What is done.
    pub done: u64,
    /// Of how much; 0 where that is not known.
    pub total: u64,
    /// In words.
    pub note: String,
}

fn one() -> u32 {
    1
}

/// An attempt of a task.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct AttemptView {
    /// Its number among all attempts.
    pub id: i64,
    /// 1 for the first of its shard.
    pub number: u32,
    /// Which part of the task it is, from 0.
    #[serde(default)]
    pub shard: u32,
    /// How many parts the task has; 0 while that is not known.
    #[serde(default = "one")]
    pub shards: u32,
    /// Where it is.
    pub state: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// The failure in the handler's words.
    pub message: Option<String>,
    /// The executor it was given to.
    pub executor: Option<String>,
    /// How far its handler says it is, while it runs.
    #[serde(default)]
    pub progress: Option<ProgressView>,
    /// When it was to be dispatched.
    pub due_at: Timestamp,
    /// When its handler was entered.
    pub started_at: Option<Timestamp>,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
}

/// A coordinator of those that share a store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct NodeView {
    /// Names this run of its process.
    pub id: String,
    /// Where executors and the other nodes reach it.
    pub address: String,
    /// Its release.
    pub version: String,
    /// When it was started.
    pub since: Timestamp,
    /// How many partitions it acts on.
    pub partitions: u32,
    /// Whether it is the one that answers.
    pub answers: bool,
}

/// A piece of a log.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct LogView {
    /// The attempt that it is of.
    pub attempt: i64,
    /// Its number within its shard, from 1.
    #[serde(default = "one")]
    pub number: u32,
    /// Which part of the task it is, from 0.
    #[serde(default)]
    pub shard: u32,
    /// How many parts the task has; 0 while that is not known.
    #[serde(default = "one")]
    pub shards: u32,
    /// Where the piece begins, in bytes.
    pub offset: u64,
    /// Where the next one begins.
    pub next_offset: u64,
    /// The piece.
    pub text: String,
    /// Whether no more will come.
    pub ended: bool,
    /// `executor` where the log was read there, `tail` where only what came with the outcome is
    /// left.
    pub source: String,
}

/// An executor that is connected, or was until just now.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct ExecutorView {
    /// Its name.
    pub name: String,
    /// The service it belongs to.
    pub service: String,
    /// Whether its session is open.
    pub connected: bool,
    /// Whether it takes no more work because it stops.
    pub leaving: bool,
    /// This life of its process.
    pub incarnation: String,
    /// Where it says it is.
    pub address: String,
    /// The release of its library.
    pub version: String,
    /// Since when it is connected.
    pub since: Timestamp,
    /// Most attempts it takes at the same time.
    pub capacity: u32,
    /// Attempts it has been given that have not ended.
    pub attempts: u32,
    /// Handlers that run, by its last beat.
    pub running: u32,
    /// Attempts that wait in its lanes, by its last beat.
    pub waiting: u32,
    /// Load of its machine, 0 to 1.
    pub cpu: f64,
    /// Bytes of memory that its machine has free.
    pub memory_free: u64,
    /// Bytes of memory that its machine has.
    pub memory_total: u64,
    /// For filters.
    pub labels: BTreeMap<String, String>,
    /// Its handlers and their descriptions.
    pub handlers: BTreeMap<String, String>,
}

/// A channel over which alarms are sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ChannelView {
    /// As jobs name it.
    pub name: String,
    /// What it is: `email`, `webhook` and so on; `custom` where a program brought it.
    pub kind: String,
    /// How long a first message waits for more of its kind.
    pub group_wait: String,
    /// Shortest time between two messages of a kind.
    pub group_interval: String,
}

/// What became of a test message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Tested {
    /// Whether it was taken.
    pub sent: bool,
    /// Why not.
    pub error: Option<String>,
}

/// An alarm on one channel, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct AlarmView {
    /// Its number; those that were raised later have higher ones.
    pub id: i64,
    /// What happened: `failed`, `recovered`, `runs_long` or `starts_late`.
    pub kind: String,
    /// The job as `service.name`.
    pub job: String,
    /// The task, if it is about one.
    pub task: Option<i64>,
    /// Where it is sent to.
    pub channel: String,
    /// `waiting`, `sent`, `given_up` or `silenced`.
    pub state: String,
    /// How often it was sent, in vain or not.
    pub tries: u32,
    /// Why the last try was in vain.
    pub last_error: Option<String>,
    /// Why it was raised, in a word or two.
    pub reason: String,
    /// What the handler or the coordinator said about it.
    pub message: String,
    /// Where the task ran, if anywhere.
    pub executor: Option<String>,
    /// How many attempts the task had.
    pub attempts: u32,
    /// When it was raised.
    pub at: Timestamp,
    /// When it was sent, given up or silenced.
    pub done_at: Option<Timestamp>,
}

/// What to silence: a job, a channel, or a job on a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SilenceAsk {
    /// The job, as name or `service.name`; every job if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The channel; every channel if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Its end, RFC 3339, at most 30 days away; or `for`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// For how long, such as `2h`, at most 30 days.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub span: Option<String>,
    /// Why, in at most 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A silence.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SilenceView {
    /// Its number.
    pub id: i64,
    /// The job as `service.name`; `null` stands for every job.
    pub job: Option<String>,
    /// The channel; `null` stands for every channel.
    pub channel: Option<String>,
    /// When it ends.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// Since when it is there.
    pub created_at: Timestamp,
}

/// The next fires of a schedule.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Fires {
    /// In order.
    pub fires: Vec<Timestamp>,
}
