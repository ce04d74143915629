//! `fastjob task rerun`: runs tasks again that have ended, one or all that filters name.

mod many;

use std::path::PathBuf;

use clap::Args;
use fastjob_client::{
    Call, Client,
    types::{RerunRequest, Started},
};

use super::filters::Filters;
use crate::cli::{
    error::Error,
    options::{limit, task_id},
    out::Out,
    start::{lost, read_param},
};

#[derive(Args)]
pub(in crate::cli) struct Rerun {
    /// The task's number; without it, every task that the filters name runs again
    #[arg(value_parser = task_id, conflicts_with = "Filters")]
    task: Option<i64>,
    /// Use this text in place of the old task's param
    // An option that requires the task also conflicts with the filters: clap does not require what
    // they rule out.
    #[arg(long, short, value_name = "TEXT", requires = "task")]
    #[arg(conflicts_with_all = ["param_file", "Filters"])]
    param: Option<String>,
    /// Use the text of this file in place of the old task's param; - is the standard input
    #[arg(long, value_name = "FILE", requires = "task", conflicts_with = "Filters")]
    param_file: Option<PathBuf>,
    /// Only some shards, with their places in the whole: failed, or their numbers, such as 0,3
    #[arg(long, value_name = "WHICH", value_parser = shards)]
    shards: Option<String>,
    /// Rerun tasks also if they were rerun before
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    filters: Filters,
    /// Rerun at most this many, up to 10000, the oldest first
    #[arg(long, value_name = "N", default_value = "10000", value_parser = limit)]
    limit: usize,
    /// Rerun what the filters name without asking
    #[arg(long, conflicts_with = "task")]
    yes: bool,
    /// Only show how many tasks the filters name, of which jobs
    #[arg(long, conflicts_with = "task")]
    dry_run: bool,
}

/// Parses which shards run again.
fn shards(text: &str) -> Result<String, String> {
    let is_number = |part: &str| part.trim().parse::<u32>().is_ok();
    match text {
        "failed" | "all" => Ok(text.to_owned()),
        numbers if numbers.split(',').all(is_number) => Ok(numbers.to_owned()),
        _ => Err("write failed, all, or numbers such as 0,3".to_owned()),
    }
}

impl Rerun {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let Some(task) = self.task else { return self.many(client, out).await };
        let param = match &self.param_file {
            Some(path) => Some(read_param(path)?),
            None => self.param.clone(),
        };
        let param = param.map_or(serde_json::Value::Null, Into::into);
        let ask = RerunRequest { param, ..self.request() };
        let answer = client.answer(Call::rerun(task, &ask)).await;
        let answer = answer.map_err(|err| {
            lost(err, || match self.again {
                false => "run this again: it is one rerun".to_owned(),
                true => {
                    "the task may have been started: see `fastjob task list --since 5m` before \
                     you run this again"
                        .to_owned()
                }
            })
        })?;
        if out.is_json() {
            return out.line(answer.text());
        }
        let Started { task: new, created, state, .. } = answer.read()?;
        if created {
            return out.line(format_args!("task {new} started, which reruns task {task}"));
        }
        if answer.was_sent_before() {
            return out.line(format_args!("task {task} was rerun, now or before, as task {new}"));
        }
        let state = state.map(|state| format!(", which is {state}")).unwrap_or_default();
        out.line(format_args!(
            "task {task} was rerun before, as task {new}{state}: --again reruns it another time"
        ))
    }

    /// What is the same for every task.
    fn request(&self) -> RerunRequest {
        RerunRequest {
            shards: self.shards.clone(),
            again: self.again,
            cause: Some("manual".to_owned()),
            ..RerunRequest::default()
        }
    }
}
