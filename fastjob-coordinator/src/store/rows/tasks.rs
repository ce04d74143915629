//! Tasks for display.

use std::collections::HashMap;

use fastjob_core::{
    AttemptId, AttemptState, ExecutorName, JobId, JobName, ServiceName, Shard, TaskId,
};

use super::{Columns, Reading};
use crate::store::{
    AttemptRow, LifeId, Result, TaskRow,
    codes::{attempt_state, cause, reason, task_state},
    journal::OpenTask,
};

/// The columns of [`ended`]: `t` is the task, `jobs` its job, and `lives` the life of its only
/// attempt.
pub(crate) const ENDED: &str = "t.id, t.job, jobs.service, jobs.name, t.state, t.cause, t.fire_at, \
                                t.created_at, t.ended_at, t.param, t.result, t.note, t.parent, \
                                t.attempt_state, t.reason, t.message, lives.executor, t.due_at, \
                                t.started_at, t.reruns, t.trace";

/// Reads a task that has ended, with its attempt if it is the only one.
pub(crate) fn ended<R: Columns>(columns: &R) -> Result<TaskRow> {
    let row = Reading::new(columns, "read a task");
    let task = TaskId(row.int(0)?);
    let only = match row.maybe_int(13)? {
        Some(state) => Some(AttemptRow {
            attempt: task.first_attempt(),
            number: 1,
            shard: Shard::WHOLE,
            state: attempt_state(state)?,
            reason: row.maybe_int(14)?.map(reason).transpose()?,
            message: row.maybe_text(15)?,
            executor: row.maybe_name(16)?,
            due_at: row.instant(17)?,
            started_at: row.maybe_instant(18)?,
            ended_at: Some(row.instant(8)?),
        }),
        None => None,
    };
    Ok(TaskRow {
        task,
        job: JobId(row.int(1)?),
        service: row.name(2)?,
        name: row.name(3)?,
        state: task_state(row.int(4)?)?,
        cause: cause(row.int(5)?)?,
        fire_at: row.maybe_instant(6)?,
        created_at: row.instant(7)?,
        ended_at: Some(row.instant(8)?),
        param: row.maybe_text(9)?,
        result: row.maybe_text(10)?,
        note: row.maybe_text(11)?,
        parent: row.maybe_int(12)?.map(TaskId),
        reruns: row.maybe_int(19)?.map(TaskId),
        trace: row.maybe_text(20)?,
        attempts: only.into_iter().collect(),
    })
}

/// The columns of [`attempt`]: `a` is the attempt, and `lives` its life.
pub(crate) const ATTEMPT: &str = "a.id, a.task, a.number, a.shard_index, a.shard_total, a.state, \
                                  a.reason, a.message, lives.executor, a.due_at, a.started_at, \
                                  a.ended_at";

/// Reads an attempt that has a row of its own, with its task.
pub(crate) fn attempt<R: Columns>(columns: &R) -> Result<(TaskId, AttemptRow)> {
    let row = Reading::new(columns, "read an attempt");
    let attempt = AttemptRow {
        attempt: AttemptId(row.int(0)?),
        number: row.number(2)?,
        shard: row.shard(3)?,
        state: attempt_state(row.int(5)?)?,
        reason: row.maybe_int(6)?.map(reason).transpose()?,
        message: row.maybe_text(7)?,
        executor: row.maybe_name(8)?,
        due_at: row.instant(9)?,
        started_at: row.maybe_instant(10)?,
        ended_at: Some(row.instant(11)?),
    };
    Ok((TaskId(row.int(1)?), attempt))
}

/// The names that open tasks refer to by id.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) jobs: HashMap<JobId, (ServiceName, JobName)>,
    pub(crate) executors: HashMap<LifeId, ExecutorName>,
}

impl Names {
    /// Adds the job of a row with its id, its service and its name.
    pub(crate) fn add_job<R: Columns>(&mut self, columns: &R) -> Result<()> {
        let row = Reading::new(columns, "read a job");
        self.jobs.insert(JobId(row.int(0)?), (row.name(1)?, row.name(2)?));
        Ok(())
    }

    /// Adds the life of a row with its id and its executor.
    pub(crate) fn add_life<R: Columns>(&mut self, columns: &R) -> Result<()> {
        let row = Reading::new(columns, "read an executor");
        self.executors.insert(LifeId(row.int(0)?), row.name(1)?);
        Ok(())
    }

    /// An open task with its open attempts; `None` if the store does not have its job.
    pub(crate) fn open(&self, task: &OpenTask) -> Option<TaskRow> {
        let head = task.head;
        let (service, name) = self.jobs.get(&head.job).cloned()?;
        let open = |open: &crate::store::journal::Open| AttemptRow {
            attempt: open.row.attempt,
            number: open.row.number,
            shard: open.row.shard,
            state: AttemptState::Planned,
            reason: None,
            message: None,
            executor: open.life.and_then(|life| self.executors.get(&life).cloned()),
            due_at: open.row.due_at,
            started_at: None,
            ended_at: None,
        };
        Some(TaskRow {
            task: head.task,
            job: head.job,
            service,
            name,
            state: task.state,
            cause: head.cause,
            fire_at: head.fire_at,
            created_at: head.created_at,
            ended_at: None,
            param: task.param.as_deref().map(str::to_owned),
            result: None,
            note: task.note.clone(),
            parent: task.parent,
            reruns: task.rerun.as_ref().map(|rerun| rerun.task),
            trace: task.trace_id().map(|id| id.to_string()),
            attempts: task.open.iter().map(open).collect(),
        })
    }
}

/// Sorts tasks, newest first, and adds the attempts that have rows of their own.
pub(crate) fn with_attempts(
    mut tasks: Vec<TaskRow>,
    attempts: Vec<(TaskId, AttemptRow)>,
) -> Vec<TaskRow> {
    let mut of_task: HashMap<TaskId, Vec<AttemptRow>> = HashMap::new();
    for (task, attempt) in attempts {
        of_task.entry(task).or_default().push(attempt);
    }
    for task in &mut tasks {
        if let Some(ended) = of_task.remove(&task.task) {
            // One that was open when the journal was read may have ended since.
            let has_ended =
                |open: &AttemptRow| ended.iter().any(|ended| ended.attempt == open.attempt);
            task.attempts.retain(|open| !has_ended(open));
            task.attempts.extend(ended);
        }
        task.attempts.sort_by_key(|attempt| (attempt.shard.index, attempt.number));
    }
    tasks.sort_by_key(|task| std::cmp::Reverse(task.task));
    tasks
}
