//! `fastjob task`: tasks and their logs.

mod filters;
mod list;
mod log;
mod rerun;
mod show;

use clap::Subcommand;
use fastjob_client::Client;

pub(super) use self::filters::Filters;
use super::{error::Error, options::task_id, out::Out};

#[derive(Subcommand)]
pub(super) enum Task {
    /// List tasks, newest first
    List(Box<list::List>),
    /// Show a task with its attempts
    Show {
        /// The task's number, as `fastjob task list` shows it
        #[arg(value_parser = task_id)]
        task: i64,
    },
    /// Run tasks again that have ended, as new tasks: one, or all that the filters name
    Rerun(Box<rerun::Rerun>),
    /// Print the log of a task
    Log(log::Log),
}

impl Task {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        match self {
            Self::List(list) => list.run(client, out).await,
            Self::Show { task } => show::run(task, client, out).await,
            Self::Rerun(rerun) => rerun.run(client, out).await,
            Self::Log(log) => log.run(client, out).await,
        }
    }
}
