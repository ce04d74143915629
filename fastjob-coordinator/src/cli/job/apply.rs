//! `fastjob job apply`: creates and updates jobs from files.
//!
//! All files are read and checked before anything is sent. Children are saved before their parents,
//! whatever their order and files.

use fastjob_client::{Call, Client};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::files::{self, Definition};
use crate::cli::{
    error::{Error, Failure},
    out::Out,
};

#[derive(Args)]
pub(in crate::cli) struct Apply {
    /// TOML with [[job]] tables, or JSON; - is the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Apply {
    pub(super) async fn run(
        self,
        client: impl FnOnce() -> Result<Client, Error>,
        out: &mut Out<'_>,
    ) -> Result<(), Error> {
        let jobs = files::read_all(&self.files).map_err(|problems| {
            let title = match problems.len() {
                1 => "nothing was applied: there is a problem".to_owned(),
                many => format!("nothing was applied: there are {many} problems"),
            };
            Failure { title, problems, ..Failure::default() }
        })?;
        let client = client()?;
        let mut done = Vec::new();
        // If the output has no reader, the remaining jobs are applied all the same.
        let mut printed = Ok(());
        let mut failed = None;
        for job in &jobs {
            let Definition { name, draft, .. } = job;
            match client.answer(Call::save_job(name, draft)).await {
                Ok(answer) => {
                    let saved = answer.saved().unwrap_or("saved");
                    if !out.is_json() {
                        printed = printed.and_then(|()| out.line(format_args!("{saved} {name}")));
                    }
                    done.push(json!({ "job": name, "saved": saved }));
                }
                Err(err) => {
                    failed = Some(partly_applied(err.into(), &jobs, done.len()));
                    break;
                }
            }
        }
        if out.is_json() {
            printed = out.json(&json!({ "items": done }));
        }
        failed.map_or(printed, Err)
    }
}

/// The error that lists which jobs were applied and which were not when job number `at` failed.
fn partly_applied(err: Error, jobs: &[Definition], at: usize) -> Error {
    let Error::Failed(mut failure) = err else { return err };
    let names = |jobs: &[Definition]| jobs.iter().map(|job| job.name.clone()).collect::<Vec<_>>();
    let (applied, failed, left) =
        (names(&jobs[..at]), jobs[at].name.clone(), names(&jobs[at + 1..]));
    let mut details = failure.as_details();
    details.insert("applied".to_owned(), json!(applied));
    details.insert("failed".to_owned(), json!(failed));
    details.insert("not_applied".to_owned(), json!(left));
    failure.details = details;
    failure.title = format!("could not apply {failed}: {}", failure.title);
    for (what, names) in [("already applied", applied), ("not applied", left)] {
        if !names.is_empty() {
            failure.hints.push(format!("{what}: {}", names.join(", ")));
        }
    }
    Error::Failed(failure)
}
