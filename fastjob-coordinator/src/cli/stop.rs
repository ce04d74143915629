//! `fastjob stop`: stops a task.

use clap::Args;
use fastjob_client::{Call, Client, types::StopAnswer};

use super::{error::Error, options::task_id, out::Out};

#[derive(Args)]
pub(super) struct Stop {
    /// The task's number, as `fastjob task list` shows it
    #[arg(value_parser = task_id)]
    task: i64,
}

impl Stop {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let task = self.task;
        let answer = client.answer(Call::stop(task)).await?;
        if out.is_json() {
            return out.line(answer.text());
        }
        match answer.read()? {
            StopAnswer { stopped: true, state } => out.line(format_args!("task {task} is {state}")),
            StopAnswer { stopped: false, state } => {
                out.line(format_args!("task {task} has already ended: {state}"))
            }
        }
    }
}
