//! `fastjob job`: job definitions.

mod apply;
mod backfill;
mod files;
mod lines;
mod list;
mod next;
mod order;
mod show;
mod switch;

use clap::Subcommand;
use fastjob_client::Client;

use super::{error::Error, options::job_name, out::Out};

#[derive(Subcommand)]
pub(super) enum Job {
    /// Create and update jobs from files; other jobs stay unchanged
    Apply(apply::Apply),
    /// List jobs
    List(list::List),
    /// Show a job
    Show(show::Show),
    /// Enable a job's schedule
    Enable {
        /// The job, as name or service.name
        #[arg(value_parser = job_name)]
        name: String,
    },
    /// Disable a job's schedule
    Disable {
        /// The job, as name or service.name
        #[arg(value_parser = job_name)]
        name: String,
    },
    /// Delete a job: waiting tasks are stopped, running ones may finish
    Delete {
        /// The job, as name or service.name
        #[arg(value_parser = job_name)]
        name: String,
    },
    /// Show the next fires of a job
    Next(next::Next),
    /// Start tasks for the fires of a past range
    Backfill(backfill::Backfill),
}

impl Job {
    pub(super) async fn run(
        self,
        client: impl FnOnce() -> Result<Client, Error>,
        out: &mut Out<'_>,
    ) -> Result<(), Error> {
        match self {
            Self::Apply(apply) => apply.run(client, out).await,
            Self::List(list) => list.run(&client()?, out).await,
            Self::Show(show) => show.run(&client()?, out).await,
            Self::Enable { name } => switch::enable(&name, &client()?, out).await,
            Self::Disable { name } => switch::disable(&name, &client()?, out).await,
            Self::Delete { name } => switch::delete(&name, &client()?, out).await,
            Self::Next(next) => next.run(&client()?, out).await,
            Self::Backfill(backfill) => backfill.run(&client()?, out).await,
        }
    }
}

/// Reads a file of jobs.
#[cfg(feature = "fuzzing")]
pub(super) fn fuzz_file(path: &std::path::Path, text: &str) {
    if let Ok(jobs) = files::read_text(path, text) {
        for job in jobs {
            let read = fastjob_core::Job::try_from(job.draft.clone());
            assert!(read.is_ok(), "{} is valid once only: {read:?}", job.name);
        }
    }
}
