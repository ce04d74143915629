//! Starts on request: one task, or one per fire of a past range.

mod direct;

use std::sync::Arc;

use fastjob_core::{Cause, ExecutorName, JobPath, TaskId, Trace, instant};
use fastjob_engine::{
    Backfill, Command, JobRefused, Looked, OWN_KEYS, Start, StartKey, StartedTask, Target, When,
    backfill_key,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use self::direct::FullNames;
pub(super) use self::direct::StartWithService;
use super::{BackfillRequest, Backfilled, Error, Ops, StartRequest, Started, node_calls::NodeCall};
use crate::{
    clock::wall_now,
    shell::EngineHandle,
    store::{self, Partition},
    traces::Call,
};

/// Maximum number of bytes of a key.
const KEY_MAX: usize = 256;
/// How often a key is looked up while the engine answers that the lookup was too early.
pub(super) const LOOKS: u32 = 5;
/// Maximum number of tasks of one backfill.
const BACKFILL_MOST: u32 = 1_000;

/// Starts a task of a job.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct StartJob {
    job: JobPath,
    request: StartRequest,
    /// The trace that the start is part of, as in a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

impl NodeCall for StartJob {
    const NAME: &'static str = "start-job";
    type Reply = Started;

    async fn answer(self, ops: &Ops, partition: Partition) -> Result<Started, Error> {
        let trace = read_trace(self.trace.as_deref());
        ops.start_here(partition, Target::Path(self.job), self.request, trace).await
    }
}

/// Starts one task per fire of a past range.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct BackfillJob {
    job: JobPath,
    request: BackfillRequest,
    /// The trace that the call is part of, as in a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

impl NodeCall for BackfillJob {
    const NAME: &'static str = "backfill-job";
    type Reply = Backfilled;

    async fn answer(self, ops: &Ops, partition: Partition) -> Result<Backfilled, Error> {
        let (engine, request) = (ops.engine(partition)?, self.request);
        let from = instant::parse(&request.from).map_err(|err| Error::invalid("from", err))?;
        let until = request.until.as_deref().map(instant::parse).transpose();
        let until = until.map_err(|err| Error::invalid("until", err))?;
        // Only due fires are started, so this means up to now.
        let until = until.unwrap_or(Timestamp::MAX);
        if from >= until {
            return Err(Error::invalid("until", "it must be later than from"));
        }
        let most = request.max.unwrap_or(100);
        if most == 0 || most > BACKFILL_MOST {
            let message = format!("{most} is out of bounds, 1 to {BACKFILL_MOST} are allowed");
            return Err(Error::invalid("max", message));
        }
        checked_key(request.key.as_deref())?;
        if request.key.is_some() && request.again {
            let message = "it cannot be combined with a key: another key is another backfill";
            return Err(Error::invalid("again", message));
        }
        // As the store writes it: a key that is read back has to be the same.
        let key: Option<Arc<str>> =
            request.key.as_deref().map(|key| Arc::from(&*store::clean(key)));
        let checked = ops.check_start(&Target::Path(self.job.clone()), None).await;
        let (job, trace) = (self.job, read_trace(self.trace.as_deref()));
        let ask = Backfill { job, from, until, most, key, looked: None, trace };
        if let Err(refused) = checked {
            // What was started before is answered, as for a start with a key.
            let looked = if request.again { None } else { ops.looked_up(&ask).await?.looked };
            let found = looked.map(|looked| looked.found).unwrap_or_default();
            if found.is_empty() || found.values().any(Option::is_none) {
                return Err(refused);
            }
        }
        let done = match request.again {
            true => engine.ask(|answer| Command::Backfill { ask, answer }).await??,
            false => ops.backfill_once(&engine, ask).await?,
        };
        let numbers = |tasks: Vec<TaskId>| tasks.into_iter().map(|task| task.0).collect();
        Ok(Backfilled {
            tasks: numbers(done.tasks),
            existing: numbers(done.existing),
            more: done.more,
        })
    }
}

impl Ops {
    /// Starts a task of a job and returns it once it is durable.
    pub(crate) async fn start(
        &self,
        path: &str,
        request: StartRequest,
        caller: Option<Trace>,
    ) -> Result<Started, Error> {
        let call = self.traces.call(caller);
        let trace = written_trace(&call);
        let started = async {
            let direct = self.start_with_service(path, &request, trace.as_deref()).await?;
            if let Some(started) = direct {
                return Ok(started);
            }
            let (partition, job) = self.place(path).await?;
            if self.engines.partitions() > 1 {
                self.full_names.note(path, job.as_str() == path);
            }
            self.call_owner(partition, StartJob { job, request, trace }).await
        };
        let started: Result<Started, Error> = started.await;
        call.end("start", path.to_owned(), started.as_ref().map(|started| Some(started.task)));
        started
    }

    /// Starts a task of a job of a partition that this node owns. [`Error::NotFound`] means that there
    /// is no such job; nothing was done.
    async fn start_here(
        &self,
        partition: Partition,
        job: Target,
        request: StartRequest,
        trace: Option<Trace>,
    ) -> Result<Started, Error> {
        let engine = self.engine(partition)?;
        let cause = cause(request.cause.as_deref())?;
        let executor = executor(request.executor.as_deref())?;
        checked_key(request.key.as_deref())?;
        let param = param(&request.param)?;
        let at = when(&request)?;
        if let Err(refused) = self.check_start(&job, param.as_deref()).await {
            // A start that was made before is answered, whatever the handler accepts now.
            let Some(key) = &request.key else { return Err(refused) };
            let job = self.find_target(&job).await?.id;
            let Some(task) = self.store.task_of_key(job, key).await? else { return Err(refused) };
            return self.started_before(task.0, key, param.as_deref()).await;
        }
        let start = Start { job, cause, param: param.clone(), at, executor, key: None, trace };
        let started = match &request.key {
            Some(key) => self.start_once(&engine, start, key.as_str().into()).await?,
            None => engine.ask(|answer| Command::Start { ask: start, answer }).await??,
        };
        let task = started.task.0;
        match request.key.filter(|_| !started.is_new) {
            Some(key) => self.started_before(task, &key, param.as_deref()).await,
            None => Ok(Started { task, created: true, state: None }),
        }
    }

    /// Starts a task unless one with this key exists, and returns the existing or new task.
    async fn start_once(
        &self,
        engine: &EngineHandle,
        start: Start,
        text: Arc<str>,
    ) -> Result<StartedTask, Error> {
        let job = self.find_target(&start.job).await?.id;
        for _ in 0..LOOKS {
            // The engine knows the keys that are too recent to be visible in the store.
            let looked_at = self.engines.uptime();
            if let Some(task) = self.store.task_of_key(job, &text).await? {
                return Ok(StartedTask { task, is_new: false });
            }
            let key = Some(StartKey { text: Arc::clone(&text), looked_at });
            let ask = Start { key, ..start.clone() };
            match engine.ask(|answer| Command::Start { ask, answer }).await? {
                Err(JobRefused::LookAgain) => {}
                answer => return Ok(answer?),
            }
        }
        Err(JobRefused::LookAgain.into())
    }

    /// The answer to a start whose key has started a task before.
    async fn started_before(
        &self,
        task: i64,
        key: &str,
        param: Option<&str>,
    ) -> Result<Started, Error> {
        let state = match self.task(task).await {
            // The store replaces NUL.
            Ok(view) if view.param != param.map(|param| store::clean(param).into_owned()) => {
                return Err(Error::Conflict(format!(
                    "the key `{key}` has started task {task} with another param: use another key \
                     for another task"
                )));
            }
            Ok(view) => Some(view.state),
            // It has just ended, and its row is not visible yet.
            Err(Error::NotFound(_)) => None,
            Err(err) => return Err(err),
        };
        Ok(Started { task, created: false, state })
    }

    /// Starts the fires of a range that no backfill has started before.
    async fn backfill_once(
        &self,
        engine: &EngineHandle,
        ask: Backfill,
    ) -> Result<fastjob_engine::Backfilled, Error> {
        for _ in 0..LOOKS {
            let ask = self.looked_up(&ask).await?;
            match engine.ask(|answer| Command::Backfill { ask, answer }).await? {
                Err(JobRefused::LookAgain) => {}
                answer => return Ok(answer?),
            }
        }
        Err(JobRefused::LookAgain.into())
    }

    /// A backfill up to now, with the tasks that others have started for its fires.
    async fn looked_up(&self, ask: &Backfill) -> Result<Backfill, Error> {
        let row = self.find_path(&ask.job).await?;
        let at = self.engines.uptime();
        let until = ask.until.min(wall_now());
        let timetable = &row.job.timetable;
        // The engine reports a schedule without past fires.
        let fires = timetable
            .fires_between(ask.from, until, row.anchor, ask.most as usize)
            .map_or_else(|_| Vec::new(), |fires| fires.fires);
        let key = |fire: &Timestamp| backfill_key(*fire, ask.key.as_deref()).to_string();
        let keys: Vec<_> = fires.iter().map(key).collect();
        let tasks = self.store.tasks_of_keys(row.id, &keys).await?;
        let found = fires.iter().zip(&keys);
        let found = found.map(|(fire, key)| (*fire, tasks.get(key).copied())).collect();
        // The engine's clock may be ahead of this one.
        Ok(Backfill { until, looked: Some(Looked { at, found }), ..ask.clone() })
    }

    /// Starts one task per fire of a past range.
    pub(crate) async fn backfill(
        &self,
        path: &str,
        request: BackfillRequest,
        caller: Option<Trace>,
    ) -> Result<Backfilled, Error> {
        let call = self.traces.call(caller);
        let trace = written_trace(&call);
        let done = async {
            let (partition, job) = self.place(path).await?;
            self.call_owner(partition, BackfillJob { job, request, trace }).await
        };
        let done = done.await;
        call.end("backfill", path.to_owned(), done.as_ref().map(|_| None));
        done
    }
}

/// The trace of what a call starts, for the node that starts it.
pub(super) fn written_trace(call: &Call) -> Option<String> {
    call.trace().map(|trace| trace.to_string())
}

/// What [`written_trace`] has written on this or another node.
pub(super) fn read_trace(text: Option<&str>) -> Option<Trace> {
    text.and_then(|text| text.parse().ok())
}

pub(super) fn cause(word: Option<&str>) -> Result<Cause, Error> {
    match word {
        None | Some("api") => Ok(Cause::Api),
        Some("manual") => Ok(Cause::Manual),
        Some(other) => {
            let message = format!("`{other}` is unknown; use api or manual");
            Err(Error::invalid("cause", message))
        }
    }
}

/// The executor that a caller names.
pub(super) fn executor(name: Option<&str>) -> Result<Option<ExecutorName>, Error> {
    name.map(|name| name.parse().map_err(|err| Error::invalid("executor", err))).transpose()
}

/// Checks the idempotency key of a caller.
pub(super) fn checked_key(key: Option<&str>) -> Result<(), Error> {
    let Some(key) = key else { return Ok(()) };
    if key.is_empty() || key.len() > KEY_MAX {
        let message = format!("it has {} bytes, 1 to {KEY_MAX} are allowed", key.len());
        return Err(Error::invalid("key", message));
    }
    if key.starts_with(OWN_KEYS) {
        let message = format!("keys that begin with `{OWN_KEYS}` are used by the coordinator");
        return Err(Error::invalid("key", message));
    }
    Ok(())
}

/// The param that a caller gives to a task; `None` if it gives none.
pub(super) fn param(value: &serde_json::Value) -> Result<Option<Arc<str>>, Error> {
    let param = fastjob_core::job::param_text(value);
    let most = fastjob_core::job::PARAM_MAX;
    match param.as_ref().map(String::len).filter(|len| *len > most) {
        None => Ok(param.map(Into::into)),
        Some(long) => {
            let message = format!("it has {long} bytes, at most {most} are allowed");
            Err(Error::invalid("param", message))
        }
    }
}

fn when(request: &StartRequest) -> Result<When, Error> {
    match (&request.at, &request.delay) {
        (None, None) => Ok(When::Now),
        (Some(_), Some(_)) => Err(Error::invalid("at", "it cannot be combined with delay")),
        (Some(at), None) => {
            instant::parse(at).map(When::At).map_err(|err| Error::invalid("at", err))
        }
        (None, Some(delay)) => fastjob_core::duration::parse(delay)
            .map(When::After)
            .map_err(|err| Error::invalid("delay", err)),
    }
}
