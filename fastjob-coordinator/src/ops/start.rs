//! Starts on request: one task, or one per fire of a past range.

use std::sync::Arc;

use fastjob_core::{Cause, ExecutorName, TaskId, instant};
use fastjob_engine::{Backfill, Command, JobPath, JobRefused, Start, StartKey, When};
use jiff::Timestamp;

use super::{
    Ask, BackfillRequest, Backfilled, Error, Ops, Reply, StartRequest, Started,
    forward::unexpected_reply,
};
use crate::shell::EngineHandle;

/// Maximum number of bytes of a key.
const KEY_MAX: usize = 256;
/// How often a key is looked up while the engine answers that the lookup was too early.
const LOOKS: u32 = 5;
/// Maximum number of tasks of one backfill.
const BACKFILL_MOST: u32 = 1_000;

impl Ops {
    /// Starts a task of a job and returns it once it is durable.
    pub(crate) async fn start(&self, path: &str, ask: StartRequest) -> Result<Started, Error> {
        let (partition, job) = self.place(path).await?;
        let Reply::Started(started) = self.ask(partition, Ask::Start { job, ask }).await? else {
            return Err(unexpected_reply());
        };
        Ok(started)
    }

    pub(super) async fn start_here(
        &self,
        engine: &EngineHandle,
        path: String,
        ask: StartRequest,
    ) -> Result<Started, Error> {
        let cause = cause(ask.cause.as_deref())?;
        let executor = ask
            .executor
            .as_deref()
            .map(|name| name.parse::<ExecutorName>().map_err(|err| Error::invalid("executor", err)))
            .transpose()?;
        if let Some(key) = &ask.key
            && (key.is_empty() || key.len() > KEY_MAX)
        {
            let message = format!("it has {} bytes, 1 to {KEY_MAX} are allowed", key.len());
            return Err(Error::invalid("key", message));
        }
        let param = fastjob_core::job::param_text(&ask.param);
        if let Some(long) =
            param.as_ref().map(String::len).filter(|len| *len > fastjob_core::job::PARAM_MAX)
        {
            let most = fastjob_core::job::PARAM_MAX;
            let message = format!("it has {long} bytes, at most {most} are allowed");
            return Err(Error::invalid("param", message));
        }
        let at = when(&ask)?;
        let param = param.map(Into::into);
        let start = Start { job: JobPath(path), cause, param, at, executor, key: None };
        let task = match ask.key {
            Some(key) => self.start_once(engine, start, key.into()).await?,
            None => engine.ask(|answer| Command::Start { ask: start, answer }).await??,
        };
        Ok(Started { task: task.0 })
    }

    /// Starts a task unless one with this key exists, and returns the existing or new task.
    async fn start_once(
        &self,
        engine: &EngineHandle,
        start: Start,
        text: Arc<str>,
    ) -> Result<TaskId, Error> {
        let job = self.find(&start.job.0).await?.id;
        for _ in 0..LOOKS {
            // The engine knows the keys that are too recent to be visible in the store.
            let looked_at = self.engines.uptime();
            if let Some(task) = self.store.task_of_key(job, &text).await? {
                return Ok(task);
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

    /// Starts one task per fire of a past range.
    pub(crate) async fn backfill(
        &self,
        path: &str,
        ask: BackfillRequest,
    ) -> Result<Backfilled, Error> {
        let (partition, job) = self.place(path).await?;
        let Reply::Backfilled(done) = self.ask(partition, Ask::Backfill { job, ask }).await? else {
            return Err(unexpected_reply());
        };
        Ok(done)
    }

    pub(super) async fn backfill_here(
        &self,
        engine: &EngineHandle,
        path: String,
        ask: BackfillRequest,
    ) -> Result<Backfilled, Error> {
        let from = instant::parse(&ask.from).map_err(|err| Error::invalid("from", err))?;
        let until = ask.until.as_deref().map(instant::parse).transpose();
        let until = until.map_err(|err| Error::invalid("until", err))?;
        // Only due fires are started, so this means up to now.
        let until = until.unwrap_or(Timestamp::MAX);
        if from >= until {
            return Err(Error::invalid("until", "it must be later than from"));
        }
        let most = ask.max.unwrap_or(100);
        if most == 0 || most > BACKFILL_MOST {
            let message = format!("{most} is out of bounds, 1 to {BACKFILL_MOST} are allowed");
            return Err(Error::invalid("max", message));
        }
        let cause = cause(ask.cause.as_deref())?;
        let ask = Backfill { job: JobPath(path), cause, from, until, most };
        let (tasks, more) = engine.ask(|answer| Command::Backfill { ask, answer }).await??;
        Ok(Backfilled { tasks: tasks.into_iter().map(|task| task.0).collect(), more })
    }
}

fn cause(word: Option<&str>) -> Result<Cause, Error> {
    match word {
        None | Some("api") => Ok(Cause::Api),
        Some("manual") => Ok(Cause::Manual),
        Some(other) => {
            let message = format!("`{other}` is unknown; use api or manual");
            Err(Error::invalid("cause", message))
        }
    }
}

fn when(ask: &StartRequest) -> Result<When, Error> {
    match (&ask.at, &ask.delay) {
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
