//! Alarms to send.

use fastjob_core::{ChannelName, JobId, TaskId};
use jiff::Timestamp;

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
    /// The number of the attempt that it is about; 0 if it is about fires that did not run.
    pub attempts: u32,
}
