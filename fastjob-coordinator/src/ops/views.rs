//! The JSON of the REST API for jobs, tasks and executors.

use std::collections::BTreeMap;

use fastjob_core::{JobDraft, TaskState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Page<T> {
    /// At most as many as requested.
    pub items: Vec<T>,
    /// Where the next page begins; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// A job with its metadata.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct JobView {
    /// Its number.
    pub id: i64,
    /// Counts saves, from 1.
    pub revision: i64,
    /// `code` while it follows the definition in its handler's code, `api` once it was saved by a
    /// caller.
    pub origin: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last saved.
    pub updated_at: Timestamp,
    /// When its schedule fires next, if it does.
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
    /// It was the same already.
    Unchanged,
}

/// The request to start a job.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StartAsk {
    /// Replaces the job's param: a text or any JSON.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub param: serde_json::Value,
    /// The executor to run it on, which overrides the job's route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<String>,
    /// When to start, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// How long from now to start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
    /// Idempotency key: repeated starts with the same key give one task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `manual` if a person requested it; `api` if omitted.
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
    /// Up to this instant, exclusive, or now if that is earlier or this is omitted; RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Maximum number of tasks, 1 to 1,000; 100 if omitted. The earliest fires are started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// `manual` if a person requested it; `api` if omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// The tasks of past fires.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Backfilled {
    /// Their numbers, the earliest fire first.
    pub tasks: Vec<i64>,
    /// Whether the range has more fires than `max` allowed.
    pub more: bool,
}

/// The result of stopping a task.
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
    /// Its current state.
    pub state: TaskState,
    /// Why it was started.
    pub cause: String,
    /// The fire of the schedule that started it.
    pub fire_at: Option<Timestamp>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When its handler first started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its own param, if it was started with one.
    pub param: Option<String>,
    /// What its handler returned.
    pub result: Option<String>,
    /// Additional information, such as which missed fires it replaces.
    pub note: Option<String>,
    /// The task whose end started this one.
    #[serde(default)]
    pub parent: Option<i64>,
    /// Ordered by shard and number.
    pub attempts: Vec<AttemptView>,
}

/// The progress that a handler reported.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ProgressView {
    /// Completed amount.
    pub done: u64,
    /// Total amount; 0 if unknown.
    pub total: u64,
    /// Progress in words.
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
    /// How many parts the task has; 0 while unknown.
    #[serde(default = "one")]
    pub shards: u32,
    /// Its current state.
    pub state: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// The handler's error message.
    pub message: Option<String>,
    /// The executor it was dispatched to.
    pub executor: Option<String>,
    /// The progress that its handler reported, while it runs.
    #[serde(default)]
    pub progress: Option<ProgressView>,
    /// When it was due to be dispatched.
    pub due_at: Timestamp,
    /// When its handler started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// One of the coordinators that share a store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct NodeView {
    /// The id of this run of its process.
    pub id: String,
    /// Where executors and the other nodes reach it.
    pub address: String,
    /// Its release.
    pub version: String,
    /// When it was started.
    pub since: Timestamp,
    /// How many partitions it acts on.
    pub partitions: u32,
    /// Whether it is the node that answered this request.
    pub answers: bool,
}

/// A piece of a log.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct LogView {
    /// The attempt that wrote it.
    pub attempt: i64,
    /// Its number within its shard, from 1.
    #[serde(default = "one")]
    pub number: u32,
    /// Which part of the task it is, from 0.
    #[serde(default)]
    pub shard: u32,
    /// How many parts the task has; 0 while unknown.
    #[serde(default = "one")]
    pub shards: u32,
    /// Where the piece begins, in bytes.
    pub offset: u64,
    /// Where the next piece begins.
    pub next_offset: u64,
    /// The text of the piece.
    pub text: String,
    /// Whether the log is complete.
    pub ended: bool,
    /// `executor` if the log was read from the executor, `tail` if only the tail in the outcome is
    /// left.
    pub source: String,
}

/// An executor that is connected, or was until recently.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct ExecutorView {
    /// Its name.
    pub name: String,
    /// The service it belongs to.
    pub service: String,
    /// Whether its session is open.
    pub connected: bool,
    /// Whether it is draining: it accepts no more work because it stops.
    pub leaving: bool,
    /// The id of this run of its process.
    pub incarnation: String,
    /// The address that it announced.
    pub address: String,
    /// The version of its library.
    pub version: String,
    /// Since when it is connected.
    pub since: Timestamp,
    /// Maximum number of concurrent attempts.
    pub capacity: u32,
    /// Attempts that were dispatched to it and have not ended.
    pub attempts: u32,
    /// Running handlers, by its last heartbeat.
    pub running: u32,
    /// Attempts waiting in its lanes, by its last heartbeat.
    pub waiting: u32,
    /// CPU load of its machine, 0 to 1.
    pub cpu: f64,
    /// Free memory of its machine in bytes.
    pub memory_free: u64,
    /// Total memory of its machine in bytes.
    pub memory_total: u64,
    /// Labels, used by filters.
    pub labels: BTreeMap<String, String>,
    /// Its handlers and their descriptions.
    pub handlers: BTreeMap<String, String>,
}

/// A channel over which alarms are sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ChannelView {
    /// The name that jobs use.
    pub name: String,
    /// Its kind: `email`, `webhook` and so on; `custom` if it was added by an embedding program.
    pub kind: String,
    /// How long the first message of a group waits for more alarms.
    pub group_wait: String,
    /// Minimum time between two messages of a group.
    pub group_interval: String,
}

/// The result of a test message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Tested {
    /// Whether it was accepted.
    pub sent: bool,
    /// Why it was not accepted.
    pub error: Option<String>,
}

/// An alarm on one channel, and its delivery state.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct AlarmView {
    /// Its number; later alarms have higher numbers.
    pub id: i64,
    /// What happened: `failed`, `recovered`, `runs_long` or `starts_late`.
    pub kind: String,
    /// The job as `service.name`.
    pub job: String,
    /// The task, if it is about one.
    pub task: Option<i64>,
    /// The channel it is sent to.
    pub channel: String,
    /// `waiting`, `sent`, `given_up` or `silenced`.
    pub state: String,
    /// Number of delivery attempts.
    pub tries: u32,
    /// Why the last delivery attempt failed.
    pub last_error: Option<String>,
    /// Why it was raised, in short.
    pub reason: String,
    /// The message of the handler or the coordinator.
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

/// The request for a silence of a job, a channel, or a job on a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SilenceAsk {
    /// The job, as name or `service.name`; every job if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The channel; every channel if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Its end, RFC 3339, at most 30 days away; alternative to `for`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Its length, such as `2h`, at most 30 days; alternative to `until`.
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
    /// The job as `service.name`; `null` means every job.
    pub job: Option<String>,
    /// The channel; `null` means every channel.
    pub channel: Option<String>,
    /// When it ends.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// The next fires of a schedule.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Fires {
    /// In order.
    pub fires: Vec<Timestamp>,
}
