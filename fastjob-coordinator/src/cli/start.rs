//! `fastjob start`: a task of a job, now or later.

use fastjob_client::{
    Call, Client, ClientError, Polling,
    types::{AttemptView, ProgressView, StartRequest, Started, TaskView},
};
use std::{fs, io::Read, path::PathBuf, time::Duration};

use clap::Args;
use fastjob_core::{ExecutorName, duration};

use super::{
    error::{Error, Failure},
    options::{job_name, span},
    out::Out,
    progress::Progress,
    table::shortened,
    times::{Moment, moment},
    wait::answered,
};

#[derive(Args)]
pub(super) struct Start {
    /// The job, as name or service.name
    #[arg(value_parser = job_name)]
    job: String,
    /// Use this text in place of the job's param
    #[arg(long, short, value_name = "TEXT", conflicts_with = "param_file")]
    param: Option<String>,
    /// Use the text of this file in place of the job's param; - is the standard input
    #[arg(long, value_name = "FILE")]
    param_file: Option<PathBuf>,
    /// Run on this executor, regardless of the job's route
    #[arg(long, value_name = "NAME")]
    executor: Option<ExecutorName>,
    /// Start after this time, such as 5m
    #[arg(long, value_name = "SPAN", value_parser = span, conflicts_with = "at")]
    delay: Option<Duration>,
    /// Start at this instant, such as 18:00, "tomorrow 08:00" or 2026-12-01T08:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    at: Option<Moment>,
    /// Start only one task for all starts of the job with this key, as long as it is retained
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
    /// Wait for the task to end: exit with 0 if it succeeded, else with 1
    #[arg(long, short)]
    wait: bool,
    /// Stop waiting after this time, such as 5m; the task continues
    #[arg(long, value_name = "SPAN", value_parser = span, requires = "wait")]
    timeout: Option<Duration>,
}

impl Start {
    pub(super) async fn run(
        self,
        client: impl FnOnce() -> Result<Client, Error>,
        out: &mut Out<'_>,
    ) -> Result<(), Error> {
        let param = match &self.param_file {
            Some(path) => Some(read_param(path)?),
            None => self.param,
        };
        let at = out.times().future_if(self.at.as_ref())?;
        let ask = StartRequest {
            param: param.map_or(serde_json::Value::Null, Into::into),
            executor: self.executor.map(|name| name.to_string()),
            at: at.map(|at| at.to_string()),
            delay: self.delay.map(duration::to_text),
            key: self.key,
            cause: Some("manual".to_owned()),
            ..StartRequest::default()
        };
        let client = client()?;
        let answer = client.answer(Call::start(&self.job, &ask)).await;
        let answer = answer.map_err(|err| {
            lost(err, || match &ask.key {
                Some(_) => "run this again: with the same key it is one task".to_owned(),
                None => format!(
                    "the task may have been started: see `fastjob task list --job {}` before you \
                     start it again; a start with --key is safe to repeat",
                    self.job
                ),
            })
        })?;
        let Started { task, created, state, .. } = answer.read()?;
        if !out.is_json() {
            match (created, state) {
                (true, _) => out.line(format_args!("task {task} started"))?,
                (false, _) if answer.was_sent_before() => {
                    out.line(format_args!("task {task} was started, now or before"))?;
                }
                (false, Some(state)) => {
                    out.line(format_args!("task {task} was started before: {state}"))?;
                }
                (false, None) => out.line(format_args!("task {task} was started before"))?,
            }
        } else if !self.wait {
            return out.line(answer.text());
        }
        if !self.wait {
            return Ok(());
        }
        let end = wait(&client, task, out);
        match self.timeout {
            None => end.await,
            Some(most) => tokio::time::timeout(most, end).await.unwrap_or_else(|_| {
                let most = duration::to_text(most);
                Err(Error::failed(format!("task {task} has not ended after {most}; it continues")))
            }),
        }
    }
}

/// The param in a file, or on the standard input.
pub(super) fn read_param(path: &std::path::Path) -> Result<String, Error> {
    let read = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    read.map_err(|err| Error::failed(format!("could not read {}: {err}", path.display())))
}

/// The error of a start or a rerun. If its answer was lost, the task may have been started: then it
/// has the advice.
pub(super) fn lost(err: ClientError, advice: impl FnOnce() -> String) -> Error {
    let is_unknown = err.may_have_had_effect();
    let mut failure = Failure::from(err);
    if is_unknown {
        failure.hint(advice());
    }
    failure.into()
}

async fn wait(client: &Client, task: i64, out: &mut Out<'_>) -> Result<(), Error> {
    let mut polling = Polling::new(Duration::from_millis(100), Duration::from_secs(1));
    let mut progress = Progress::new(out.progress());
    loop {
        let answer = answered(&mut polling, client.answer(Call::task(task)).await);
        let answer = answer.map_err(|mut failure| {
            if failure.is_outage {
                failure.hint(format!("task {task} continues: see `fastjob task show {task}`"));
            }
            failure
        })?;
        if let Some(answer) = answer {
            let view = answer.read()?;
            if view.has_ended() {
                drop(progress);
                match out.is_json() {
                    true => out.line(answer.text())?,
                    false => out.line(end(&view))?,
                }
                return if view.has_succeeded() { Ok(()) } else { Err(Error::Reported) };
            }
            say(&mut progress, &view);
        }
        polling.pause().await;
    }
}

/// The longest note of a handler that is shown, in characters.
const NOTE: usize = 60;

/// Shows the state of a task, and how far its handlers have come.
fn say(progress: &mut Progress, task: &TaskView) {
    let reported = |attempt: &AttemptView| attempt.progress.clone();
    let all: Vec<_> = task.attempts.iter().filter_map(reported).collect();
    let sum =
        |amount: fn(&ProgressView) -> u64| all.iter().map(amount).fold(0_u64, u64::saturating_add);
    // Without the total of one shard, there is no total of all.
    let has_total = all.iter().all(|shard| shard.total > 0);
    let (done, total) = (sum(|it| it.done), if has_total { sum(|it| it.total) } else { 0 });
    progress.amount(done, total);
    let note = all.iter().rev().map(|it| it.note.as_str()).find(|note| !note.is_empty());
    let mut detail = match (done, total) {
        (0, 0) => String::new(),
        (_, 0) => done.to_string(),
        _ if progress.has_bar() => String::new(),
        _ => format!("{done}/{total}"),
    };
    if let Some(note) = note {
        let gap = if detail.is_empty() { "" } else { " " };
        detail = format!("{detail}{gap}{}", shortened(note, NOTE));
    }
    progress.say(&format!("task {} {}", task.id, task.state), &detail);
}

/// How a task ended, as a sentence.
fn end(task: &TaskView) -> String {
    let mut text = format!("task {} {}", task.id, task.state);
    // With several shards, one that did not succeed gives the reason.
    let failed = task.attempts.iter().rev().find(|attempt| attempt.reason.is_some());
    let last = failed.or(task.attempts.last());
    let why = if task.has_succeeded() {
        vec![task.result.as_deref()]
    } else {
        vec![
            last.and_then(|last| Some(last.reason.as_ref()?.as_str())),
            last.and_then(|last| last.message.as_deref()),
            task.note.as_deref(),
        ]
    };
    for part in why.into_iter().flatten().filter(|part| !part.is_empty()) {
        text = format!("{text}: {part}");
    }
    super::text::one_line(&text)
}
