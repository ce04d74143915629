//! `fastjob task list`.

use clap::Args;
use fastjob_client::{Client, types::TaskView};
use fastjob_core::TaskState;
use jiff::Timestamp;

use crate::cli::{
    client::items,
    error::Error,
    options::{instant, job_name, limit},
    out::Out,
    table::{Table, seconds, took},
};

#[derive(Args)]
pub(in crate::cli) struct List {
    /// Only tasks of this job
    #[arg(long, value_name = "NAME", value_parser = job_name)]
    job: Option<String>,
    /// Only tasks in this state: queued, running, stopping, succeeded, failed, stopped, skipped
    #[arg(long)]
    state: Option<TaskState>,
    /// Only tasks created at or after this instant, such as 2026-12-01T08:00:00Z
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    since: Option<Timestamp>,
    /// Show at most this many, up to 10000
    #[arg(long, value_name = "N", default_value = "50", value_parser = limit)]
    limit: usize,
}

impl List {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let mut list = client.tasks();
        if let Some(job) = self.job {
            list = list.job(job);
        }
        if let Some(state) = self.state {
            list = list.state(state);
        }
        if let Some(since) = self.since {
            list = list.since(since);
        }
        let list = items(list, Some(self.limit)).await?;
        if out.is_json() {
            return out.json(&list);
        }
        let tasks: Vec<TaskView> = list.read()?;
        if tasks.is_empty() {
            return out.line("no tasks");
        }
        let mut table =
            Table::new(&[">TASK", "JOB", "STATE", "CAUSE", "CREATED", "STARTED", ">TOOK"]);
        for task in tasks {
            table.row([
                task.id.to_string(),
                format!("{}.{}", task.service, task.job),
                task.state.to_string(),
                task.cause.to_string(),
                seconds(Some(task.created_at)),
                seconds(task.started_at),
                took(task.started_at, task.ended_at),
            ]);
        }
        out.line(table)
    }
}
