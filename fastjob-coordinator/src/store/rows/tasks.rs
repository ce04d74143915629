//! Tasks for display.

use std::collections::HashMap;

use fastjob_core::{AttemptId, JobId, TaskId};

use super::{Columns, Reading};
use crate::store::{
    AttemptRow, Result, TaskRow,
    codes::{attempt_state, cause, reason, task_state},
};

/// The columns of [`head`]: those of its attempt, of its task, and of its shard. `a` is the head,
/// `jobs` its job, and `lives` the life that it is placed on.
pub(crate) const HEAD: &str = "a.id, a.task, a.number, a.state, a.reason, a.message, \
                               lives.executor, a.due_at, a.started_at, a.ended_at, a.job, \
                               jobs.service, jobs.name, a.task_state, a.cause, a.fire_at, \
                               a.created_at, a.task_ended_at, a.param, \
                               coalesce(a.task_result, a.result), a.note, a.parent, \
                               a.shard_index, a.shard_total";

/// Reads a task with its first attempt.
pub(crate) fn head<R: Columns>(columns: &R) -> Result<TaskRow> {
    let first = attempt(columns, 22)?;
    let row = Reading::new(columns, "read a task");
    Ok(TaskRow {
        task: TaskId(row.int(1)?),
        job: JobId(row.int(10)?),
        service: row.name(11)?,
        name: row.name(12)?,
        state: task_state(row.int(13)?)?,
        cause: cause(row.int(14)?)?,
        fire_at: row.maybe_instant(15)?,
        created_at: row.instant(16)?,
        ended_at: row.maybe_instant(17)?,
        param: row.maybe_text(18)?,
        result: row.maybe_text(19)?,
        note: row.maybe_text(20)?,
        parent: row.maybe_int(21)?.map(TaskId),
        attempts: vec![first],
    })
}

/// Adds the retries and shards of the tasks. Their columns are those of [`HEAD`] up to `ended_at`,
/// followed by the shard.
pub(crate) fn with_retries<R: Columns>(
    mut tasks: Vec<TaskRow>,
    retries: &[R],
) -> Result<Vec<TaskRow>> {
    let mut of_task: HashMap<TaskId, Vec<AttemptRow>> = HashMap::new();
    for row in retries {
        let task = TaskId(Reading::new(row, "read attempts").int(1)?);
        of_task.entry(task).or_default().push(attempt(row, 10)?);
    }
    for task in &mut tasks {
        task.attempts.extend(of_task.remove(&task.task).unwrap_or_default());
        task.attempts.sort_by_key(|attempt| (attempt.shard.index, attempt.number));
    }
    Ok(tasks)
}

/// Reads an attempt; the columns of its shard begin at `shard`.
fn attempt(row: &impl Columns, shard: usize) -> Result<AttemptRow> {
    let row = Reading::new(row, "read an attempt");
    Ok(AttemptRow {
        attempt: AttemptId(row.int(0)?),
        number: row.number(2)?,
        shard: row.shard(shard)?,
        state: attempt_state(row.int(3)?)?,
        reason: row.maybe_int(4)?.map(reason).transpose()?,
        message: row.maybe_text(5)?,
        executor: row.maybe_name(6)?,
        due_at: row.instant(7)?,
        started_at: row.maybe_instant(8)?,
        ended_at: row.maybe_instant(9)?,
    })
}
