//! Tasks: show, stop.
//!
//! Ended tasks come from the store; the current state of open tasks comes from the engines.

use fastjob_core::{TaskId, TaskState};
use fastjob_engine::{Command, LiveTask};
use serde::{Deserialize, Serialize};

use super::{
    AttemptView, Error, Ops, ProgressView, StopAnswer, TaskView, live::Live, node_calls::NodeCall,
};
use crate::store::{AttemptRow, Partition, TaskRow};

/// Stops a task, and returns its state if it was still open.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct StopTask {
    task: TaskId,
    why: Option<String>,
}

impl NodeCall for StopTask {
    const NAME: &'static str = "stop-task";
    type Reply = Option<TaskState>;

    async fn answer(self, ops: &Ops, partition: Partition) -> Result<Option<TaskState>, Error> {
        let Self { task, why } = self;
        Ok(ops.engine(partition)?.ask(|answer| Command::Stop { task, why, answer }).await?)
    }
}

impl Ops {
    /// One task.
    pub(crate) async fn task(&self, task: i64) -> Result<TaskView, Error> {
        let row = self.store.task(TaskId(task)).await?.ok_or_else(|| unknown(task))?;
        let rerun_by = if row.state.is_final() { self.rerun_of(&row).await? } else { None };
        let mut views = self.with_live(vec![row]).await?;
        let view = views.pop().ok_or_else(|| unknown(task))?;
        Ok(TaskView { rerun_by, ..view })
    }

    /// Stops a task, and notes why, if the caller says it.
    pub(crate) async fn stop_task(
        &self,
        task: i64,
        why: Option<String>,
    ) -> Result<StopAnswer, Error> {
        let partition = Partition::of_id(task, self.engines.partitions());
        let stop = StopTask { task: TaskId(task), why };
        if let Some(state) = self.call_owner(partition, stop).await? {
            return Ok(StopAnswer { stopped: true, state: state.into() });
        }
        let row = self.store.task(TaskId(task)).await?.ok_or_else(|| unknown(task))?;
        Ok(StopAnswer { stopped: false, state: row.state.into() })
    }

    pub(super) async fn with_live(&self, rows: Vec<TaskRow>) -> Result<Vec<TaskView>, Error> {
        let open: Vec<_> =
            rows.iter().filter(|row| !row.state.is_final()).map(|row| row.task).collect();
        let mut live = match open.is_empty() {
            true => Live::default(),
            false => self.live(open).await?,
        };
        let view = |row: TaskRow| {
            let unanswered = live.unanswered.remove(&row.task);
            TaskView { unanswered, ..view_of(row, &live) }
        };
        Ok(rows.into_iter().map(view).collect())
    }
}

pub(super) fn view_of(row: TaskRow, live: &Live) -> TaskView {
    let live = live.tasks.get(&row.task);
    let attempts: Vec<_> = row.attempts.into_iter().map(|row| attempt(row, live)).collect();
    TaskView {
        id: row.task.0,
        job: row.name.to_string(),
        service: row.service.to_string(),
        state: live.map_or(row.state, |live| live.state).into(),
        cause: row.cause.into(),
        fire_at: row.fire_at,
        created_at: row.created_at,
        started_at: attempts.iter().filter_map(|attempt| attempt.started_at).min(),
        ended_at: row.ended_at,
        param: row.param,
        result: row.result,
        note: row.note,
        parent: row.parent.map(|task| task.0),
        reruns: row.reruns.map(|task| task.0),
        trace_id: row.trace,
        rerun_by: None,
        unanswered: None,
        attempts,
    }
}

fn attempt(row: AttemptRow, live: Option<&LiveTask>) -> AttemptView {
    let live = live.filter(|_| !row.state.is_final());
    let live = live.and_then(|live| live.attempts.iter().find(|at| at.attempt == row.attempt));
    let state = live.map_or(row.state, |live| live.state);
    let executor = match live {
        Some(live) => live.executor.clone(),
        None => row.executor,
    };
    AttemptView {
        id: row.attempt.0,
        number: row.number,
        shard: row.shard.index,
        shards: row.shard.total,
        state: state.into(),
        reason: row.reason.map(Into::into),
        message: row.message,
        executor: executor.map(|name| name.to_string()),
        progress: live.and_then(|live| live.progress.clone()).map(|progress| ProgressView {
            done: progress.done,
            total: progress.total,
            note: progress.note,
        }),
        waits_for: live.and_then(|live| live.waits_for.clone()),
        due_at: row.due_at,
        started_at: row.started_at.or_else(|| live.and_then(|live| live.started_at)),
        ended_at: row.ended_at,
    }
}

pub(super) fn unknown(task: i64) -> Error {
    Error::NotFound(format!("there is no task {task}"))
}
