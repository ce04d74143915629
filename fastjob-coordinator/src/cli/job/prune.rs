//! Which jobs a command is about, and deleting those that files no longer have.

use std::{
    collections::HashSet,
    io::{self, BufRead, IsTerminal, Write},
};

use clap::Args;
use fastjob_client::{Call, Client, ClientError, types::JobView};

use crate::cli::{
    error::{Error, Failure},
    out::remark,
    progress::{Progress, Shown},
};

/// Selects jobs by service and labels.
#[derive(Args)]
pub(super) struct Selection {
    /// Only jobs of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Only jobs with this label, as key=value; of several, all
    #[arg(long = "label", short = 'l', value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Selection {
    pub(super) fn is_empty(&self) -> bool {
        self.service.is_none() && self.labels.is_empty()
    }

    /// The selected jobs, by service and name.
    pub(super) async fn jobs(&self, client: &Client) -> Result<Vec<JobView>, Error> {
        let mut jobs = client.jobs().all().await?;
        jobs.retain(|view| {
            let service = self.service.as_deref();
            service.is_none_or(|service| view.job.service_or_default() == service)
                && self.labels.iter().all(|(key, value)| view.job.labels.get(key) == Some(value))
        });
        Ok(jobs)
    }
}

/// The jobs to delete.
pub(super) struct Pruning(Vec<(i64, String)>);

impl Pruning {
    /// The selected jobs that are not among those `kept`. Jobs that follow their code stay.
    pub(super) async fn find(
        client: &Client,
        selection: &Selection,
        kept: &[String],
    ) -> Result<Self, Error> {
        let kept: HashSet<_> = kept.iter().map(String::as_str).collect();
        let jobs = selection.jobs(client).await?.into_iter();
        let owned = jobs.filter(|view| view.origin == "api");
        let owned = owned.map(|view| (view.id, view.job.full_name()));
        Ok(Self(owned.filter(|(_, name)| !kept.contains(name.as_str())).collect()))
    }

    /// Shows the jobs, and asks whether to delete them, unless that `is_clear`.
    pub(super) fn confirm(&self, is_clear: bool) -> Result<(), Error> {
        if self.0.is_empty() || is_clear {
            return Ok(());
        }
        remark(format_args!("these jobs are not in the files, and would be deleted:"));
        for (_, name) in &self.0 {
            remark(format_args!("  {name}"));
        }
        if !io::stdin().is_terminal() {
            return Err(Failure {
                title:
                    "nothing was applied: there is no terminal to confirm the deletion of these \
                        jobs"
                        .to_owned(),
                hints: vec!["add --yes to delete them, or --dry-run to see all changes".to_owned()],
                ..Failure::default()
            }
            .into());
        }
        let mut answer = String::new();
        write!(io::stderr(), "delete {} jobs? [y/N] ", self.0.len()).ok();
        // Without an answer, nothing is deleted.
        io::stdin().lock().read_line(&mut answer).ok();
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Error::failed("nothing was applied")),
        }
    }

    pub(super) fn jobs(self) -> Vec<String> {
        self.0.into_iter().map(|(_, name)| name).collect()
    }

    /// Deletes the jobs. Returns those that are deleted, and the first error.
    pub(super) async fn run(
        self,
        client: &Client,
        shown: Shown,
    ) -> (Vec<String>, Result<(), Error>) {
        let (mut left, mut deleted) = (self.0, Vec::new());
        let total = left.len();
        let progress = Progress::begin(shown, format!("deleting {total} jobs"));
        loop {
            let (all, mut refused, mut failed) = (left.len(), Vec::new(), None);
            for (id, name) in left {
                match client.call(Call::delete_this_job(&name, id)).await {
                    Ok(()) => {
                        deleted.push(name);
                        progress.amount(deleted.len() as u64, total as u64);
                    }
                    // Another caller has deleted it, and may have created another one.
                    Err(ClientError::NotFound(_)) => {}
                    // A job is deleted after its parents, of which some may be in the list.
                    Err(err) => {
                        failed.get_or_insert(err);
                        refused.push((id, name));
                    }
                }
            }
            let Some(err) = failed else { return (deleted, Ok(())) };
            left = refused;
            if left.len() == all {
                let mut failure = Failure::from(err);
                let names: Vec<_> = left.into_iter().map(|(_, name)| name).collect();
                failure.title = format!("could not delete {}: {}", names.join(", "), failure.title);
                return (deleted, Err(failure.into()));
            }
        }
    }
}
