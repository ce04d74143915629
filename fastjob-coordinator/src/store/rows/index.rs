//! The index of the history.

use fastjob_core::{JobId, ServiceName, TaskId};

use super::{Columns, Reading};
use crate::store::{
    JobEnd, Partition, Result,
    codes::{cause, task_state},
    index::{Block, Ended, Entry, Found, Key, Segment},
    stats::{LastAttempt, Times},
    while_doing,
};

const READ: &str = "read the index of tasks";

/// Reads a segment with the columns of [`Segment::COLUMNS`].
pub(crate) fn segment<R: Columns>(columns: &R, partition: Partition) -> Result<Segment> {
    let row = Reading::new(columns, READ);
    Ok(Segment {
        partition,
        level: i16::try_from(row.int(0)?).unwrap_or(i16::MAX),
        number: row.int(1)?,
        tasks: row.int(2)?,
        not_succeeded: row.int(3)?,
        first_task: row.int(4)?,
        last_task: row.int(5)?,
        first_created: row.int(6)?,
        last_created: row.int(7)?,
        end_at: row.int(8)?,
        end_task: row.int(9)?,
        last_end: row.int(10)?,
    })
}

/// Reads a block with its kind, its value, its task and its entries, which begin at the column `at`.
pub(crate) fn block<R: Columns>(columns: &R, at: usize) -> Result<Block> {
    let row = Reading::new(columns, READ);
    let kind = u8::try_from(row.int(at)?).unwrap_or(u8::MAX);
    let first = Entry { key: Key { kind, value: row.int(at + 1)? }, task: row.int(at + 2)? };
    let bytes = columns.bytes(at + 3).map_err(while_doing(READ))?;
    Ok(Block { first, bytes: bytes.to_vec() })
}

/// Reads a task of the history with its job, its state, its cause, its creation, its run time, and
/// whether it is of the service, was on the executor and has an attempt that a filter asks for.
pub(crate) fn found<R: Columns>(columns: &R) -> Result<Found> {
    let row = Reading::new(columns, READ);
    Ok(Found {
        task: TaskId(row.int(0)?),
        job: JobId(row.int(1)?),
        state: task_state(row.int(2)?)?,
        cause: cause(row.int(3)?)?,
        created_at: row.instant(4)?,
        run_time: row.maybe_int(5)?,
        has_service: row.flag(6)?,
        has_executor: row.flag(7)?,
        has_attempt: row.flag(8)?,
    })
}

/// The columns of [`job_end`], of `tasks` as `t`.
pub(crate) const JOB_END: &str = "t.id, t.job, t.state, \
    coalesce(t.started_at, (select min(a.started_at) from attempts a where a.task = t.id)), \
    t.ended_at";

/// Reads how a task ended, and its job.
pub(crate) fn job_end<R: Columns>(columns: &R) -> Result<(JobId, JobEnd)> {
    let row = Reading::new(columns, "read the history");
    let end = JobEnd {
        task: TaskId(row.int(0)?),
        state: task_state(row.int(2)?)?,
        started_at: row.maybe_instant(3)?,
        ended_at: row.instant(4)?,
    };
    Ok((JobId(row.int(1)?), end))
}

/// Reads a task, and whether one of its attempts was on the executor and has the text that a filter
/// asks for.
pub(crate) fn attempted<R: Columns>(columns: &R) -> Result<(TaskId, bool, bool)> {
    let row = Reading::new(columns, READ);
    Ok((TaskId(row.int(0)?), row.flag(1)?, row.flag(2)?))
}

/// Reads a task of the history as the index has it.
pub(crate) fn indexed<R: Columns>(columns: &R) -> Result<Ended> {
    let row = Reading::new(columns, "read the history");
    let last = LastAttempt {
        cause: cause(row.int(6)?)?,
        fire_at: row.maybe_instant(7)?,
        number: row.number(8)?,
        due_at: row.instant(9)?,
        started_at: row.maybe_instant(10)?,
        ended_at: row.instant(4)?,
    };
    Ok(Ended {
        task: TaskId(row.int(0)?),
        job: JobId(row.int(1)?),
        state: task_state(row.int(2)?)?,
        created_at: row.instant(3)?,
        ended_at: row.instant(4)?,
        service: row.maybe_name::<ServiceName>(5)?.map(|service| service.key()),
        times: Times::of(&last),
    })
}
