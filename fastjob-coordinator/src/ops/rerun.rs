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
mod tests {
    use fastjob_core::{AttemptId, Cause, JobId, Shard};
    use jiff::Timestamp;

    use super::*;
    use crate::ops::{live::Live, tasks::view_of};

    use AttemptState::{Failed, Skipped, Stopped, Succeeded};

    /// A task that ended, with these last attempts: shard and state.
    fn row(state: TaskState, total: u32, shards: &[(u32, AttemptState)]) -> TaskRow {
        let attempt = |(index, state): &(u32, AttemptState)| AttemptRow {
            attempt: AttemptId(7 + i64::from(*index)),
            number: 1,
            shard: Shard { index: *index, total },
            state: *state,
            reason: None,
            message: None,
            executor: Some(format!("e{index}").parse().unwrap()),
            due_at: Timestamp::UNIX_EPOCH,
            started_at: None,
            ended_at: Some(Timestamp::UNIX_EPOCH),
        };
        TaskRow {
            task: TaskId(7),
            job: JobId(1),
            service: "default".parse().unwrap(),
            name: "a".parse().unwrap(),
            state,
            cause: Cause::Schedule,
            fire_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            ended_at: Some(Timestamp::UNIX_EPOCH),
            param: None,
            result: None,
            note: None,
            parent: None,
            reruns: None,
            trace: None,
            attempts: shards.iter().map(attempt).collect(),
        }
    }

    #[track_caller]
    fn indexes(row: &TaskRow, which: Option<&str>) -> Option<Vec<u32>> {
        part(row, which).unwrap().map(|part| part.indexes().to_vec())
    }

    #[track_caller]
    fn refused(row: &TaskRow, which: &str, why: &str) {
        let err = part(row, Some(which)).unwrap_err().to_string();
        assert!(err.contains(why), "{err}");
    }

    #[test]
    fn failed_shards_are_those_whose_last_attempt_did_not_succeed() {
        let states = [(0, Succeeded), (1, Failed), (2, Stopped), (3, Skipped), (4, Succeeded)];
        let mut task = row(TaskState::Failed, 5, &states);
        assert_eq!(indexes(&task, Some("failed")), Some(vec![1, 2, 3]));
        let retried = AttemptRow { number: 2, state: Succeeded, ..task.attempts[1].clone() };
        task.attempts.insert(2, retried);
        let found = part(&task, Some("failed")).unwrap().unwrap();
        assert_eq!((found.total(), &*found.indexes()), (5, &[2, 3][..]));
        assert_eq!(found.shards()[0].1.as_ref().unwrap().as_str(), "e2");
        assert_eq!(indexes(&task, Some("all")), None, "it is spread again, as a start is");
        assert_eq!(indexes(&task, None), None);
        assert_eq!(indexes(&task, Some("4, 0,4")), Some(vec![0, 4]));
        refused(&task, "5", "task 7 has no shard 5: it has 0, 1, 2, 3, 4");
        refused(&task, "some", "`some` is neither all nor failed, nor numbers");
        refused(&task, "-1", "neither");
        refused(&task, "", "neither");
    }

    #[test]
    fn an_earlier_rerun_with_other_shards_or_elsewhere_is_not_the_answer() {
        let row = row(TaskState::Failed, 5, &[(1, Failed), (3, Succeeded)]);
        let before = view_of(row, &Live::default());
        let [here, there]: [ExecutorName; 2] = ["e1", "e9"].map(|name| name.parse().unwrap());
        let none = || Asked { param: None, part: None, executor: None };
        let some = |indexes: &[u32]| Asked { part: Some(Some(indexes.into())), ..none() };
        assert_eq!(none().differs_in(&before), None);
        assert_eq!(some(&[1, 3]).differs_in(&before), None);
        assert_eq!(some(&[1]).differs_in(&before), Some("with other shards"));
        let whole = Asked { part: Some(None), ..none() };
        assert_eq!(whole.differs_in(&before), Some("with other shards"));
        let param = Asked { param: Some("x"), ..none() };
        assert_eq!(param.differs_in(&before), Some("with another param"));
        let on = |name| Asked { executor: Some(name), ..none() };
        assert_eq!(on(&there).differs_in(&before), Some("on another executor"));
        let mut planned = before.clone();
        planned.attempts.truncate(1);
        assert_eq!(on(&here).differs_in(&planned), None);
        planned.attempts.clear();
        for asked in [some(&[1]), Asked { part: Some(None), ..none() }, on(&there)] {
            assert_eq!(asked.differs_in(&planned), None, "nothing is known of it");
        }
    }

    #[test]
    fn a_task_without_several_shards_runs_as_a_whole() {
        let task = row(TaskState::Failed, 1, &[(0, Failed)]);
        for which in [None, Some("all"), Some("failed"), Some("0")] {
            assert_eq!(indexes(&task, which), None);
        }
        refused(&task, "1", "task 7 has no shard 1: it has 0");
        assert_eq!(indexes(&row(TaskState::Stopped, 0, &[(0, Stopped)]), Some("failed")), None);
        assert_eq!(indexes(&row(TaskState::Skipped, 1, &[]), Some("failed")), None);
        let task = row(TaskState::Succeeded, 1, &[(0, Succeeded)]);
        refused(&task, "failed", "task 7 has succeeded");
        assert_eq!(indexes(&task, None), None);
    }

    #[test]
    fn a_rerun_of_some_shards_has_these_shards_when_it_runs_again() {
        let task = row(TaskState::Failed, 8, &[(2, Succeeded), (5, Failed)]);
        assert_eq!(indexes(&task, None), Some(vec![2, 5]));
        assert_eq!(indexes(&task, Some("all")), Some(vec![2, 5]));
        assert_eq!(indexes(&task, Some("failed")), Some(vec![5]));
        refused(&task, "3", "task 7 has no shard 3: it has 2, 5");
    }
}
