//! `fastjob start`: a task of a job, now or later.

use fastjob_client::{
    Call, Client, Polling,
    types::{StartRequest, Started, TaskView},
};
use std::{fs, io::Read, path::PathBuf, time::Duration};

use clap::Args;
use fastjob_core::{ExecutorName, duration};
use jiff::Timestamp;

use super::{
    error::Error,
    options::{instant, job_name, span},
    out::Out,
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
    /// Start at this instant, such as 2026-12-01T08:00:00Z
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    at: Option<Timestamp>,
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
        let ask = StartRequest {
            param: param.map_or(serde_json::Value::Null, Into::into),
            executor: self.executor.map(|name| name.to_string()),
            at: self.at.map(|at| at.to_string()),
            delay: self.delay.map(duration::to_text),
            key: self.key,
            cause: Some("manual".to_owned()),
        };
        let client = client()?;
        let answer = client.answer(Call::start(&self.job, &ask)).await?;
        let Started { task, created, state, .. } = answer.read()?;
        if !out.is_json() {
            match (created, state) {
                (true, _) => out.line(format_args!("task {task} started"))?,
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

async fn wait(client: &Client, task: i64, out: &mut Out<'_>) -> Result<(), Error> {
    let mut polling = Polling::new(Duration::from_millis(100), Duration::from_secs(1));
    loop {
        if let Some(answer) = answered(&mut polling, client.answer(Call::task(task)).await)? {
            let view = answer.read()?;
            if view.has_ended() {
                match out.is_json() {
                    true => out.line(answer.text())?,
                    false => out.line(end(&view))?,
                }
                return if view.has_succeeded() { Ok(()) } else { Err(Error::Reported) };
            }
        }
        polling.pause().await;
    }
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
