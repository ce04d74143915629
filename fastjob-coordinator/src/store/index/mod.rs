//! The index of the history: the tasks of a job and of a service, those that did not succeed, those
//! that ended at an instant, and [statistics](super::stats).
//!
//! An index of the database would change a page of its own for nearly every task, because the tasks
//! of a transaction are of many jobs. Instead a transaction writes one small *segment*, with sorted
//! entries for all tasks that it ends. Segments are merged in the background, so that an entry is
//! written a few times, each time beside many others. A list searches all segments of a partition,
//! newest first. So it shows a task as soon as that has ended.
//!
//! The entries of a segment never change. Those of removed tasks stay until the segment is removed as
//! a whole: readers check that a task exists. Retention follows the entries by end, so it finds the oldest
//! ends without an index of the history, and without reading what it keeps.
//!
//! Statistics are entries by subject and minute that have a content, which merges add up. A merged segment
//! also has them by hour, if it spans hours.

mod block;
mod buckets;
mod by_job;
mod find;
mod merge;
mod plan;
mod rebuild;
mod recent;
mod remove;
mod sample;
mod segment;
mod sums;
#[cfg(test)]
mod tests;

use fastjob_core::{JobId, ServiceKey, TaskId, TaskState};
use jiff::Timestamp;

pub(super) use self::{
    block::Block,
    buckets::buckets,
    by_job::by_job,
    find::{Found, IndexReader, list},
    merge::{MERGED, Merge, Unreadable, choose, merge},
    plan::Range,
    rebuild::Rebuild,
    recent::last_ends,
    remove::{Due, Removal, due},
    segment::NewSegment,
};
use self::{find::search, plan::Plan};
use super::{
    Error, Partition, Result, TaskFilter,
    codes::task_state_code,
    stats::{Subject, Times},
};

/// What tasks are found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// One of the constants below.
    pub(super) kind: u8,
    pub(super) value: i64,
}

const JOB: u8 = 1;
const STATE: u8 = 2;
const FAILURES: u8 = 3;
const SERVICE: u8 = 4;
const SERVICE_FAILURES: u8 = 5;
/// Statistics by minute of a job, of a service and of all, and the same by hour, which only segments
/// that span hours have.
const JOB_MINUTES: u8 = 6;
const SERVICE_MINUTES: u8 = 7;
const ALL_MINUTES: u8 = 8;
const JOB_HOURS: u8 = 9;
const ALL_HOURS: u8 = 11;
/// The last, so that readers of it read nothing else.
pub(super) const END: u8 = 16;

impl Key {
    /// The tasks of a job.
    pub(super) const fn job(job: JobId) -> Self {
        Self { kind: JOB, value: job.0 }
    }

    /// The tasks that ended in a state. Those that succeeded are not indexed.
    const fn state(state: TaskState) -> Self {
        Self { kind: STATE, value: task_state_code(state) }
    }

    /// The tasks of a job that did not succeed.
    const fn failures(job: JobId) -> Self {
        Self { kind: FAILURES, value: job.0 }
    }

    /// The tasks of a service.
    pub(super) const fn service(service: ServiceKey) -> Self {
        Self { kind: SERVICE, value: service.0 }
    }

    /// The tasks of a service that did not succeed.
    pub(super) const fn service_failures(service: ServiceKey) -> Self {
        Self { kind: SERVICE_FAILURES, value: service.0 }
    }

    /// The statistics of a subject by minute.
    const fn minutes(subject: Subject) -> Self {
        match subject {
            Subject::Job(job) => Self { kind: JOB_MINUTES, value: job.0 },
            Subject::Service(service) => Self { kind: SERVICE_MINUTES, value: service.0 },
            Subject::All => Self { kind: ALL_MINUTES, value: 0 },
        }
    }

    /// Of a key of statistics by minute, that by hour.
    const fn hours(self) -> Self {
        Self { kind: self.kind + (JOB_HOURS - JOB_MINUTES), ..self }
    }

    const fn has_hours(self) -> bool {
        self.kind >= JOB_HOURS && self.kind <= ALL_HOURS
    }

    const fn has_minutes(self) -> bool {
        self.kind >= JOB_MINUTES && self.kind <= ALL_MINUTES
    }

    /// Whether its entries have statistics.
    const fn has_stats(self) -> bool {
        self.kind >= JOB_MINUTES && self.kind <= ALL_HOURS
    }
}

const fn is_indexed(state: TaskState) -> bool {
    state.is_final() && !matches!(state, TaskState::Succeeded)
}

/// A task under a key. Segments have them in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) key: Key,
    /// The task. Entries with statistics have a minute since the Unix epoch here, the first one if
    /// they are of an hour.
    pub(super) task: i64,
}

/// What the index says of a task that ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) task: TaskId,
    pub(super) job: JobId,
    /// `None` if the job was not known any more when the task ended.
    pub(super) service: Option<ServiceKey>,
    pub(super) state: TaskState,
    pub(super) created_at: Timestamp,
    pub(super) ended_at: Timestamp,
    /// How long it took; `None` if it did not start.
    pub(super) times: Option<Times>,
}

/// A segment, without its blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) partition: Partition,
    /// Segments of one level are merged, into one of a higher level. With the number it identifies
    /// the segment.
    pub(super) level: i16,
    /// The number of the journal's record in whose transaction its newest entries were written;
    /// negative if the index was rebuilt since.
    pub(super) number: i64,
    /// How many tasks it has.
    pub(super) tasks: i64,
    /// How many of them did not succeed.
    pub(super) not_succeeded: i64,
    pub(super) first_task: i64,
    pub(super) last_task: i64,
    pub(super) first_created: i64,
    pub(super) last_created: i64,
    /// The first end that retention has not removed, and its task.
    pub(super) end_at: i64,
    pub(super) end_task: i64,
    pub(super) last_end: i64,
}

impl Segment {
    /// The columns of a segment besides its partition, in the order of the fields.
    pub(super) const COLUMNS: &str = "level, number, tasks, not_succeeded, first_task, last_task, \
                                      first_created, last_created, end_at, end_task, last_end";

    /// Whether it may have entries with this key.
    const fn may_have(&self, key: Key) -> bool {
        !matches!(key.kind, STATE | FAILURES | SERVICE_FAILURES) || self.not_succeeded > 0
    }
}

/// Runs work that takes long on a thread of its own: the runtime has others to serve.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|err| match err.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Error::TimedOut { doing: "merge the index of tasks" },
    })
}

/// Logs that a segment cannot be read. It is left as it is from then on, so that others are merged.
pub(super) fn unreadable(Unreadable { segment, why }: &Unreadable) {
    let Segment { partition, number, .. } = segment;
    tracing::error!(
        partition = partition.0,
        segment = number,
        error = why as &dyn std::error::Error,
        "a segment of the index of tasks cannot be read: statistics and lists by job, by service \
         and by state fail, and its tasks are not removed; stop all coordinators and run fastjob repair index"
    );
}

/// Whether the history has tasks of a job that has had no new ones since an instant.
pub(super) async fn has_tasks(
    reader: &mut impl IndexReader,
    job: JobId,
    since: Timestamp,
) -> Result<bool> {
    let mut segments = reader.segments(Some(job)).await?;
    // Nearly all segments are newer than a job that was deleted long ago.
    segments.retain(|segment| segment.first_created <= since.as_millisecond());
    let most = Some(usize::MAX);
    let filter = TaskFilter { job: Some(job), limit: 1, most, ..TaskFilter::default() };
    Ok(!search(reader, segments, Plan::of(&filter), &filter).await?.places.is_empty())
}
