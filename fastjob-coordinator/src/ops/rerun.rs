//! Reruns: a task that has ended runs again, as a new task.
//!
//! Unless the caller says otherwise, a task has one rerun: its key is made from the number of the old
//! task. So a request that is repeated, or that two people send, starts nothing twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use fastjob_core::{AttemptState, ExecutorName, TaskId, TaskState, Trace};
use fastjob_engine::{Command, JobRefused, Part, Rerun, StartKey, StartedTask, rerun_key};
use serde::{Deserialize, Serialize};

use super::{
    Error, Ops, RerunRequest, Started, TaskView,
    node_calls::NodeCall,
    start::{LOOKS, cause, checked_key, executor, param, read_trace, written_trace},
    tasks::unknown,
};
use crate::{
    shell::EngineHandle,
    store::{self, AttemptRow, Partition, TaskRow},
};

/// Runs a task again that has ended.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct RerunTask {
    task: TaskId,
    request: RerunRequest,
    /// The trace that the rerun is part of, as in a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

impl NodeCall for RerunTask {
    const NAME: &'static str = "rerun-task";
    type Reply = Started;

    async fn answer(self, ops: &Ops, partition: Partition) -> Result<Started, Error> {
        let (engine, of, request) = (ops.engine(partition)?, self.task, self.request);
        let cause = cause(request.cause.as_deref())?;
        let executor = executor(request.executor.as_deref())?;
        checked_key(request.key.as_deref())?;
        let own = param(&request.param)?;
        let row = ops.store.task(of).await?.ok_or_else(|| unknown(of.0))?;
        if !row.state.is_final() {
            return Err(Error::Conflict(format!(
                "task {of} has not ended, and only a task that has ended runs again: wait for its \
                 end, or stop it first"
            )));
        }
        let part = part(&row, request.shards.as_deref())?;
        if part.is_some() && executor.is_some() {
            let message = "it cannot be combined with some of the shards: leave one of them out";
            return Err(Error::invalid("executor", message));
        }
        let asked_part = request.shards.is_some().then(|| part.as_ref().map(Part::indexes));
        let key = request.key.as_deref();
        let text: Arc<str> = key.map_or_else(|| rerun_key(of), Into::into);
        if let Err(refused) = ops.check_rerun(&row, own.as_deref()).await {
            // A rerun that was made before is answered, whatever the handler accepts now.
            let before = match request.again {
                true => None,
                false => ops.store.task_of_key(row.job, &text).await?,
            };
            let Some(task) = before else { return Err(refused) };
            let (param, executor) = (own.as_deref(), executor.as_ref());
            let asked = Asked { param, part: asked_part, executor };
            return ops.rerun_before(of, task.0, key, asked).await;
        }
        let asked_executor = executor.clone();
        let rerun = Rerun {
            task: of,
            job: row.job,
            cause,
            fire_at: row.fire_at,
            param: own.clone().or_else(|| row.param.as_deref().map(Into::into)),
            executor,
            part,
            key: None,
            trace: read_trace(self.trace.as_deref()),
        };
        let started = match (key, request.again) {
            (Some(_), true) => {
                let message = "it cannot be combined with a key: another key is another rerun";
                return Err(Error::invalid("again", message));
            }
            (_, false) => ops.rerun_once(&engine, rerun, text).await?,
            (None, true) => {
                // The first rerun has the key, so that the old task shows it.
                let first = ops.rerun_once(&engine, rerun.clone(), text).await?;
                if first.is_new {
                    first
                } else {
                    engine.ask(|answer| Command::Rerun { ask: rerun, answer }).await??
                }
            }
        };
        let task = started.task.0;
        match started.is_new {
            true => Ok(Started { task, created: true, state: None }),
            false => {
                let (param, executor) = (own.as_deref(), asked_executor.as_ref());
                let asked = Asked { param, part: asked_part, executor };
                ops.rerun_before(of, task, key, asked).await
            }
        }
    }
}

/// What a request asks for explicitly. An earlier rerun that did something else is not its result.
struct Asked<'a> {
    param: Option<&'a str>,
    /// The indexes of some of the shards, or `None` for the whole task.
    part: Option<Option<Box<[u32]>>>,
    executor: Option<&'a ExecutorName>,
}

impl Asked<'_> {
    /// What an earlier rerun did otherwise, as far as that is recorded.
    fn differs_in(&self, before: &TaskView) -> Option<&'static str> {
        // The store replaces NUL.
        let is_other = |param: &str| before.param.as_deref() != Some(&*store::clean(param));
        if self.param.is_some_and(is_other) {
            return Some("with another param");
        }
        let shards: BTreeSet<_> = before.attempts.iter().map(|attempt| attempt.shard).collect();
        let total = before.attempts.iter().map(|attempt| attempt.shards).max().unwrap_or(0);
        // Without an attempt, or before its shards are determined, they are unknown.
        let has_others = |part: &Option<Box<[u32]>>| match part {
            _ if total == 0 => false,
            Some(indexes) => !shards.iter().eq(indexes.iter()),
            None => shards.len() < total as usize,
        };
        if self.part.as_ref().is_some_and(has_others) {
            return Some("with other shards");
        }
        let mut executors = before.attempts.iter().filter_map(|at| at.executor.as_deref());
        let has_other = |name: &ExecutorName| executors.any(|other| other != name.as_str());
        self.executor.is_some_and(has_other).then_some("on another executor")
    }
}

impl Ops {
    /// Runs a task again that has ended, and returns the new task once it is durable.
    pub(crate) async fn rerun(
        &self,
        task: i64,
        request: RerunRequest,
        caller: Option<Trace>,
    ) -> Result<Started, Error> {
        let call = self.traces.call(caller);
        let trace = written_trace(&call);
        // A task is in the partition of its job.
        let partition = Partition::of_id(task, self.engines.partitions());
        let started =
            self.call_owner(partition, RerunTask { task: TaskId(task), request, trace }).await;
        let outcome = started.as_ref().map(|started| Some(started.task));
        call.end("rerun", format!("task {task}"), outcome);
        started
    }

    /// The task that has run this one again; without those of an explicit `again` or key.
    pub(super) async fn rerun_of(&self, row: &TaskRow) -> Result<Option<i64>, Error> {
        let by = self.store.task_of_key(row.job, &rerun_key(row.task)).await?;
        Ok(by.map(|task| task.0))
    }

    /// Starts the new task unless one with this key exists, and returns the existing or new task.
    async fn rerun_once(
        &self,
        engine: &EngineHandle,
        rerun: Rerun,
        text: Arc<str>,
    ) -> Result<StartedTask, Error> {
        for _ in 0..LOOKS {
            // As for starts: the engine knows the keys that are too recent to be visible.
            let looked_at = self.engines.uptime();
            if let Some(task) = self.store.task_of_key(rerun.job, &text).await? {
                return Ok(StartedTask { task, is_new: false });
            }
            let key = Some(StartKey { text: Arc::clone(&text), looked_at });
            let ask = Rerun { key, ..rerun.clone() };
            match engine.ask(|answer| Command::Rerun { ask, answer }).await? {
                Err(JobRefused::LookAgain) => {}
                answer => return Ok(answer?),
            }
        }
        Err(JobRefused::LookAgain.into())
    }

    /// The answer to a rerun whose key has started a task before.
    async fn rerun_before(
        &self,
        of: TaskId,
        task: i64,
        key: Option<&str>,
        asked: Asked<'_>,
    ) -> Result<Started, Error> {
        let view = match self.task(task).await {
            Ok(view) => view,
            // It has just ended, and its row is not visible yet.
            Err(Error::NotFound(_)) => return Ok(Started { task, created: false, state: None }),
            Err(err) => return Err(err),
        };
        if let Some(key) = key.filter(|_| view.reruns != Some(of.0)) {
            return Err(Error::Conflict(format!(
                "the key `{key}` has started task {task}, which is no rerun of task {of}: use \
                 another key"
            )));
        }
        if let Some(otherwise) = asked.differs_in(&view) {
            let instead = match key {
                Some(_) => "use another key for another rerun",
                None => "set `again` to rerun it another time",
            };
            return Err(Error::Conflict(format!(
                "task {of} was rerun before {otherwise}, as task {task}: {instead}"
            )));
        }
        Ok(Started { task, created: false, state: Some(view.state) })
    }
}

/// The shards that run again; `None` if the task runs as a whole.
fn part(row: &TaskRow, which: Option<&str>) -> Result<Option<Part>, Error> {
    // Ordered by shard and number: the last attempt of each shard stays.
    let last: BTreeMap<u32, &AttemptRow> =
        row.attempts.iter().map(|attempt| (attempt.shard.index, attempt)).collect();
    let total = last.values().map(|attempt| attempt.shard.total).max().unwrap_or(1);
    let has_several = total > 1;
    let wanted: Vec<u32> = match which {
        // A task that had some shards of another one has these again.
        None | Some("all") if has_several && last.len() < total as usize => {
            last.keys().copied().collect()
        }
        None | Some("all") => return Ok(None),
        Some("failed") => {
            if row.state == TaskState::Succeeded {
                let message = format!("task {} has succeeded: none of its shards failed", row.task);
                return Err(Error::Conflict(message));
            }
            if !has_several {
                return Ok(None);
            }
            let failed = last.iter().filter(|(_, at)| at.state != AttemptState::Succeeded);
            failed.map(|(index, _)| *index).collect()
        }
        Some(numbers) => {
            let numbers = numbers.split(',').map(|number| number.trim().parse::<u32>());
            let mut numbers: Vec<_> = numbers.collect::<Result<_, _>>().map_err(|_| {
                let text = which.unwrap_or_default();
                let message =
                    format!("`{text}` is neither all nor failed, nor numbers such as 0,3");
                Error::invalid("shards", message)
            })?;
            numbers.sort_unstable();
            numbers.dedup();
            if let Some(unknown) = numbers.iter().find(|number| !last.contains_key(number)) {
                let has: Vec<_> = last.keys().take(20).map(ToString::to_string).collect();
                let more = if last.len() > has.len() { " and more" } else { "" };
                let message = format!(
                    "task {} has no shard {unknown}: it has {}{more}",
                    row.task,
                    if has.is_empty() { "none".to_owned() } else { has.join(", ") }
                );
                return Err(Error::invalid("shards", message));
            }
            if !has_several {
                return Ok(None);
            }
            numbers
        }
    };
    let place = |index: u32| -> (u32, Option<ExecutorName>) {
        (index, last.get(&index).and_then(|attempt| attempt.executor.clone()))
    };
    match Part::new(total, wanted.into_iter().map(place).collect()) {
        Some(part) => Ok(Some(part)),
        None => Err(Error::Conflict(format!("none of the shards of task {} failed", row.task))),
    }
}

#[cfg(test)]
mod tests;
