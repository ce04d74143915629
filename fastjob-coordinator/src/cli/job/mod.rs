//! `fastjob job`: job definitions.

mod apply;
mod backfill;
mod bulk;
mod export;
mod files;
mod filters;
mod history;
mod list;
mod next;
pub(super) mod places;
mod prune;
mod show;
mod switch;

use clap::Subcommand;

pub(super) use self::list::zone;
use fastjob_client::{Client, types::JobAction};

use super::{error::Error, out::Out};

#[derive(Subcommand)]
pub(super) enum Job {
    /// Create and update jobs from files: all of them, or none; other jobs stay unchanged
    Apply(apply::Apply),
    /// Show what applying files would change
    Diff(apply::Diff),
    /// Check files without a coordinator
    Check(apply::Check),
    /// Write jobs as a file that `apply` accepts
    Export(export::Export),
    /// List jobs
    List(list::List),
    /// Show a job
    Show(show::Show),
    /// Enable the schedule of a job, or of all that filters name
    Enable(bulk::Jobs),
    /// Disable the schedule of a job, or of all that filters name
    Disable(bulk::Jobs),
    /// Give the definition of an edited job back to the code that declares it; or of all that filters
    /// name
    Release(bulk::Jobs),
    /// Delete a job, or all that filters name: waiting tasks are stopped, running ones may finish
    Delete(bulk::Jobs),
    /// Start a task of a job, or of each that filters name
    Start(bulk::Start),
    /// Show the versions of a job, a version, or how two differ
    History(history::History),
    /// Save an earlier version of a job again
    Restore(history::Restore),
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
            Self::Diff(diff) => diff.run(client, out).await,
            Self::Check(check) => check.run(out),
            Self::Export(export) => export.run(&client()?, out).await,
            Self::List(list) => list.run(&client()?, out).await,
            Self::Show(show) => show.run(&client()?, out).await,
            Self::Enable(jobs) => jobs.run(JobAction::Enable, &client()?, out).await,
            Self::Disable(jobs) => jobs.run(JobAction::Disable, &client()?, out).await,
            Self::Release(jobs) => jobs.run(JobAction::Release, &client()?, out).await,
            Self::Delete(jobs) => jobs.run(JobAction::Delete, &client()?, out).await,
            Self::Start(start) => start.run(&client()?, out).await,
            Self::History(history) => history.run(&client()?, out).await,
            Self::Restore(restore) => restore.run(&client()?, out).await,
            Self::Next(next) => next.run(&client()?, out).await,
            Self::Backfill(backfill) => backfill.run(&client()?, out).await,
        }
    }
}

/// Reads a file of jobs.
#[cfg(feature = "fuzzing")]
pub(super) fn fuzz_file(path: &std::path::Path, text: &str) {
    match files::Files::read_text(path, text) {
        Ok(files) => {
            assert_eq!(files.fields().len(), files.names().len(), "each job has a name");
            // Errors are formatted, too.
            drop(files.check().map_err(|failure| failure.to_string()));
        }
        Err(failure) => drop(failure.to_string()),
    }
}
