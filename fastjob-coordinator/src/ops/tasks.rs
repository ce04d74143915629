//! Tasks: list, show, stop.
//!
//! Ended tasks come from the store; the current state of open tasks comes from the engines.

use std::collections::HashMap;

use fastjob_core::{TaskId, TaskState, instant};
use fastjob_engine::{Command, LiveTask, OpenAsk};

use super::{
    Ask, AttemptView, Error, Ops, Page, ProgressView, Reply, StopAnswer, TaskView,
    forward::{left_out, unexpected_reply},
    jobs::page,
    pages::fit,
};
use crate::{
    cluster::Owner,
    shell::{AskError, EngineHandle},
    store::{AttemptRow, NodeId, NodeRow, Partition, TaskFilter, TaskRow},
};

/// The filters of a list of tasks, as the caller wrote them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListTasks {
    pub(crate) job: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) limit: Option<u32>,
}

impl Ops {
    /// Tasks, newest first.
    pub(crate) async fn list_tasks(&self, ask: ListTasks) -> Result<Page<TaskView>, Error> {
        let limit = page(ask.limit)?;
        let job = match &ask.job {
            Some(path) => Some(self.find(path).await?.id),
            None => None,
        };
        let state = ask
            .state
            .map(|text| text.parse::<TaskState>().map_err(|err| Error::invalid("state", err)))
            .transpose()?;
        let since = ask
            .since
            .map(|text| instant::parse(&text).map_err(|err| Error::invalid("since", err)))
            .transpose()?;
        let below = ask.cursor.map(|text| cursor(&text)).transpose()?;
        let mut ids = match state.filter(|state| !state.is_final()) {
            Some(state) => {
                let ask = OpenAsk { state, job, since, below, limit: limit + 1 };
                self.open(&ask).await?
            }
            None => {
                let filter = TaskFilter { job, state, since, below, limit: limit + 1 };
                self.store.task_ids(&filter).await?
            }
        };
        let bytes = self.store.task_bytes(&ids).await?;
        let bytes = ids.iter().map(|task| bytes.get(task).copied().unwrap_or_default());
        let fit = fit(bytes, limit as usize);
        let more = ids.len() > fit;
        ids.truncate(fit);
        let last = ids.last().copied().filter(|_| more);
        let rows = self.store.tasks_by_id(&ids).await?;
        let items = self.with_live(rows).await?;
        Ok(Page { items, next_cursor: last.map(|task| task.to_string()) })
    }

    /// One task.
    pub(crate) async fn task(&self, task: i64) -> Result<TaskView, Error> {
        let row = self.store.task(TaskId(task)).await?.ok_or_else(|| unknown(task))?;
        let mut views = self.with_live(vec![row]).await?;
        views.pop().ok_or_else(|| unknown(task))
    }

    /// Stops a task.
    pub(crate) async fn stop_task(&self, task: i64) -> Result<StopAnswer, Error> {
        let partition = Partition::of_id(task, self.engines.partitions());
        let Reply::Stopped(stopped) = self.ask(partition, Ask::Stop { task }).await? else {
            return Err(unexpected_reply());
        };
        if let Some(state) = stopped {
            return Ok(StopAnswer { stopped: true, state: state.into() });
        }
        let row = self.store.task(TaskId(task)).await?.ok_or_else(|| unknown(task))?;
        Ok(StopAnswer { stopped: false, state: row.state.into() })
    }

    pub(super) async fn stop_here(
        &self,
        engine: &EngineHandle,
        task: TaskId,
    ) -> Result<Option<TaskState>, Error> {
        Ok(engine.ask(|answer| Command::Stop { task, answer }).await?)
    }

    /// Open tasks of all nodes, newest first.
    async fn open(&self, ask: &OpenAsk) -> Result<Vec<TaskId>, Error> {
        let mut open = self.open_here(ask).await?;
        let others = Ask::Open {
            state: ask.state,
            job: ask.job.map(|job| job.0),
            since: ask.since,
            below: ask.below.map(|task| task.0),
            limit: ask.limit,
        };
        for reply in self.ask_others(&others).await {
            if let Reply::Open(tasks) = reply {
                open.extend(tasks.into_iter().map(TaskId));
            }
        }
        open.sort_unstable_by(|a, b| b.cmp(a));
        open.dedup();
        open.truncate(ask.limit as usize);
        Ok(open)
    }

    pub(super) async fn open_here(&self, ask: &OpenAsk) -> Result<Vec<TaskId>, Error> {
        let mut open = Vec::new();
        for engine in self.engines.all() {
            let ask = ask.clone();
            match engine.query(|answer| Command::Open { ask, answer }).await {
                Ok(page) => open.extend(page.tasks),
                Err(AskError::Moved) => {}
                Err(err) => return Err(err.into()),
            }
        }
        open.sort_unstable_by(|a, b| b.cmp(a));
        open.truncate(ask.limit as usize);
        Ok(open)
    }

    /// The current states of these tasks on all nodes; tasks of partitions without an owner are
    /// omitted.
    async fn live(&self, tasks: Vec<TaskId>) -> Result<Vec<LiveTask>, Error> {
        let mut live = self.live_here(tasks.clone()).await?;
        let mut by_node: HashMap<NodeId, (NodeRow, Vec<i64>)> = HashMap::new();
        for task in tasks {
            let partition = Partition::of_id(task.0, self.engines.partitions());
            if let Owner::There(node) = self.map.owner(partition) {
                let new = || (node.clone(), Vec::new());
                by_node.entry(node.id.clone()).or_insert_with(new).1.push(task.0);
            }
        }
        for (node, tasks) in by_node.into_values() {
            match self.peers.ask(&node, Partition::default(), &Ask::Live { tasks }).await {
                Ok(Reply::Live(there)) => live.extend(there.into_iter().map(LiveTask::from)),
                Ok(_) => return Err(unexpected_reply()),
                Err(err) => left_out(&node, &err),
            }
        }
        Ok(live)
    }

    pub(super) async fn live_here(&self, tasks: Vec<TaskId>) -> Result<Vec<LiveTask>, Error> {
        let mut by_partition: HashMap<Partition, Vec<TaskId>> = HashMap::new();
        for task in tasks {
            let partition = Partition::of_id(task.0, self.engines.partitions());
            by_partition.entry(partition).or_default().push(task);
        }
        let mut live = Vec::new();
        for (partition, tasks) in by_partition {
            let Ok(engine) = self.engine(partition) else { continue };
            match engine.query(|answer| Command::Live { tasks, answer }).await {
                Ok(here) => live.extend(here),
                Err(AskError::Moved) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Ok(live)
    }

    async fn with_live(&self, rows: Vec<TaskRow>) -> Result<Vec<TaskView>, Error> {
        let open: Vec<_> =
            rows.iter().filter(|row| !row.state.is_final()).map(|row| row.task).collect();
        let live: HashMap<_, _> = if open.is_empty() {
            HashMap::new()
        } else {
            let live = self.live(open).await?;
            live.into_iter().map(|live| (live.task, live)).collect()
        };
        Ok(rows
            .into_iter()
            .map(|row| {
                let live = live.get(&row.task);
                view(row, live)
            })
            .collect())
    }
}

fn view(row: TaskRow, live: Option<&LiveTask>) -> TaskView {
    let attempts: Vec<_> = row.attempts.into_iter().map(|row| attempt(row, live)).collect();
    TaskView {
        id: row.task.0,
        job: row.name.to_string(),
        service: row.service.to_string(),
        state: live.map_or(row.state, |live| live.state).into(),
        cause: row.cause.into(),
        fire_at: row.fire_at,
        created_at: row.created_at,
        started_at: attempts.iter().find_map(|attempt| attempt.started_at),
        ended_at: row.ended_at,
        param: row.param,
        result: row.result,
        note: row.note,
        parent: row.parent.map(|task| task.0),
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
        due_at: row.due_at,
        started_at: row.started_at.or_else(|| live.and_then(|live| live.started_at)),
        ended_at: row.ended_at,
    }
}

pub(super) fn unknown(task: i64) -> Error {
    Error::NotFound(format!("there is no task {task}"))
}

fn cursor(text: &str) -> Result<TaskId, Error> {
    match text.parse() {
        Ok(id @ 1..) => Ok(TaskId(id)),
        _ => Err(Error::invalid("cursor", "it did not come from a list of tasks")),
    }
}
