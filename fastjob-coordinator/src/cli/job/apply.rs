//! `fastjob job apply`, `diff` and `check`: jobs from files.
//!
//! The coordinator merges the files into the existing jobs, and saves all of them or none. Nothing is
//! decided here.

use std::path::PathBuf;

use clap::Args;
use fastjob_client::{
    Call, Client,
    types::{Applied, AppliedJob, ApplyRequest, FieldChange, Saved, Word},
};
use serde_json::Value;

use super::{
    files::Files,
    prune::{Pruning, Selection},
};
use crate::cli::{
    error::{Error, Failure},
    out::{Out, remark},
    progress::Progress,
};

/// The status of `fastjob job diff --exit-code` if something differs.
pub(in crate::cli) const DIFFERS: u8 = 3;

#[derive(Args)]
pub(in crate::cli) struct Apply {
    #[command(flatten)]
    files: FileArgs,
    /// Only print what would change
    #[arg(long)]
    dry_run: bool,
    /// Also delete jobs that the files do not have, of those that --label and --service select;
    /// jobs that follow their code stay
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    selection: Selection,
    /// Delete without asking
    #[arg(long, requires = "prune")]
    yes: bool,
}

#[derive(Args)]
pub(in crate::cli) struct Diff {
    #[command(flatten)]
    files: FileArgs,
    /// Exit with status 3 if something differs
    #[arg(long)]
    exit_code: bool,
}

#[derive(Args)]
pub(in crate::cli) struct Check {
    /// TOML with [[job]] tables, or JSON; - is the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Args)]
struct FileArgs {
    /// TOML with [[job]] tables, or JSON; - is the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Reset fields that a file omits to their defaults, in existing jobs too
    #[arg(long)]
    replace: bool,
}

impl Apply {
    pub(super) async fn run(
        self,
        client: impl FnOnce() -> Result<Client, Error>,
        out: &mut Out<'_>,
    ) -> Result<(), Error> {
        let Self { files: args, dry_run, prune, selection, yes } = self;
        if prune && selection.is_empty() {
            return Err(Error::Misuse(
                "--prune needs --label or --service, which say whose jobs may be deleted".into(),
            ));
        }
        if !prune && !selection.is_empty() {
            return Err(Error::Misuse("--label and --service belong to --prune".into()));
        }
        let files = Files::read(&args.files)?;
        let client = client()?;
        let pruning = match prune {
            true => Some(Pruning::find(&client, &selection, &files.names()).await?),
            false => None,
        };
        if let Some(pruning) = &pruning {
            pruning.confirm(dry_run || yes)?;
        }
        let (mut answer, applied) = {
            let (verb, count) = (if dry_run { "checking" } else { "saving" }, files.names().len());
            let s = if count == 1 { "" } else { "s" };
            let _progress = Progress::begin(out.progress(), format!("{verb} {count} job{s}"));
            send(&client, &files, args.replace, dry_run).await?
        };
        // If the output has no reader, the rest is done all the same.
        let mut printed = match out.is_json() {
            true => Ok(()),
            false => print(&applied, dry_run, out),
        };
        let mut pruned = Ok(());
        if let Some(pruning) = pruning {
            let (deleted, result) = match dry_run {
                true => (pruning.jobs(), Ok(())),
                false => pruning.run(&client, out.progress()).await,
            };
            pruned = result;
            for job in deleted {
                let would = if dry_run { "would be deleted: " } else { "deleted " };
                if out.is_json() {
                    add(&mut answer, &job);
                } else {
                    printed = printed.and_then(|()| out.line(format_args!("{would}{job}")));
                }
            }
        }
        if out.is_json() {
            printed = out.json(&answer);
        }
        pruned.and(printed)
    }
}

/// Adds a deleted job to the items of an answer.
fn add(answer: &mut Value, job: &str) {
    if let Some(items) = answer.get_mut("items").and_then(Value::as_array_mut) {
        items.push(serde_json::json!({ "job": job, "saved": "deleted" }));
    }
}

impl Diff {
    pub(super) async fn run(
        self,
        client: impl FnOnce() -> Result<Client, Error>,
        out: &mut Out<'_>,
    ) -> Result<(), Error> {
        let files = Files::read(&self.files.files)?;
        let (answer, applied) = send(&client()?, &files, self.files.replace, true).await?;
        let differs = |job: &AppliedJob| !is(job, Saved::Unchanged);
        if out.is_json() {
            out.json(&answer)?;
        } else {
            for job in &applied.items {
                match differs(job) {
                    true => print_job(job, true, out)?,
                    false => note_ignored(job),
                }
            }
        }
        match self.exit_code && applied.items.iter().any(differs) {
            true => Err(Error::Status(DIFFERS)),
            false => Ok(()),
        }
    }
}

impl Check {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<(), Error> {
        let not_valid = |mut failure: Failure| {
            failure.title = failure.title.replace("nothing was applied: ", "");
            failure
        };
        let files = Files::read(&self.files).map_err(not_valid)?;
        files.check().map_err(not_valid)?;
        let count = files.names().len();
        if out.is_json() {
            return out.json(&serde_json::json!({ "jobs": count }));
        }
        let s = if count == 1 { "" } else { "s" };
        out.line(format_args!("{count} job{s}, no problems"))
    }
}

/// Sends the jobs, and returns the answer as it came and as this release reads it.
async fn send(
    client: &Client,
    files: &Files,
    replace: bool,
    dry_run: bool,
) -> Result<(Value, Applied), Error> {
    let request = ApplyRequest { jobs: files.fields(), replace, dry_run };
    let answer = client.answer(Call::apply_jobs(&request)).await.map_err(|err| {
        let mut failure = Failure::from(err);
        files.locate(&mut failure);
        failure
    })?;
    let json = serde_json::from_str(answer.text()).unwrap_or_default();
    Ok((json, answer.read()?))
}

fn is(job: &AppliedJob, saved: Saved) -> bool {
    matches!(&job.saved, Word::Known(word) if *word == saved)
}

fn print(applied: &Applied, dry_run: bool, out: &mut Out<'_>) -> Result<(), Error> {
    for job in &applied.items {
        print_job(job, dry_run, out)?;
    }
    if applied.items.len() > 1 {
        let count = |saved| applied.items.iter().filter(|job| is(job, saved)).count();
        let counts = [
            ("created", count(Saved::Created)),
            ("updated", count(Saved::Updated)),
            ("unchanged", count(Saved::Unchanged)),
        ];
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        let counts: Vec<_> = counts.map(|(word, count)| format!("{count} {word}")).collect();
        let only = if dry_run { ", nothing was saved" } else { "" };
        out.line(format_args!("{}{only}", counts.join(", ")))?;
    }
    Ok(())
}

fn print_job(job: &AppliedJob, dry_run: bool, out: &mut Out<'_>) -> Result<(), Error> {
    let name = &job.job;
    match (&job.saved, dry_run) {
        (Word::Known(Saved::Created), true) => out.line(format_args!("would be created: {name}")),
        (Word::Known(Saved::Updated), true) => out.line(format_args!("would be updated: {name}")),
        (saved, _) => out.line(format_args!("{saved} {name}")),
    }?;
    for change in &job.changes {
        out.line(format_args!("  {}", change_line(change)))?;
    }
    note_ignored(job);
    if job.was_code {
        let would = if dry_run { "would no longer follow" } else { "no longer follows" };
        remark(format_args!(
            "note: {name} {would} its code: `fastjob job release {name}` gives it back"
        ));
    }
    Ok(())
}

/// Says which fields of a file have no effect.
fn note_ignored(job: &AppliedJob) {
    if !job.ignored.is_empty() {
        let fields: Vec<_> = job.ignored.iter().map(|change| change.field.as_str()).collect();
        remark(format_args!(
            "note: {} follows its code, which differs in {}: remove `origin` from the file to edit \
             the job",
            job.job,
            fields.join(", ")
        ));
    }
}

/// A change of a field on one line.
pub(super) fn change_line(FieldChange { field, from, to }: &FieldChange) -> String {
    format!("{field} {} → {}", shown(from.as_ref()), shown(to.as_ref()))
}

/// A value of a field on one line.
fn shown(value: Option<&Value>) -> String {
    match value {
        None => "(not set)".to_owned(),
        Some(Value::String(text)) => crate::cli::text::one_line(text),
        Some(value) => crate::cli::text::one_line(&value.to_string()),
    }
}
