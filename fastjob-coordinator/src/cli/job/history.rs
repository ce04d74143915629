//! `fastjob job history` and `fastjob job restore`: earlier versions of a job.

use clap::Args;
use fastjob_client::{
    Call, Client,
    types::{JobVersion, VersionView},
};
use fastjob_core::{
    Job,
    job::{FieldChange, differences},
};

use super::{
    apply::change_line,
    export::{as_toml, fields_of},
};
use crate::cli::{
    client::items,
    error::Error,
    options::{job_name, limit},
    out::{Out, remark},
    table::{Table, shortened},
};

/// Most characters of the changes of a version in the table.
const CHANGES: usize = 100;

#[derive(Args)]
pub(in crate::cli) struct History {
    /// The job, as name or service.name; a deleted one as service.name
    #[arg(value_parser = job_name)]
    name: String,
    /// Print the definition of this revision
    #[arg(long, value_name = "N", conflicts_with = "limit")]
    revision: Option<i64>,
    /// Print how two revisions differ
    #[arg(long, value_name = "A..B", value_parser = range, conflicts_with_all = ["revision", "limit"])]
    diff: Option<(i64, i64)>,
    /// Show at most this many versions
    #[arg(long, value_name = "N", default_value = "20", value_parser = limit)]
    limit: usize,
}

#[derive(Args)]
pub(in crate::cli) struct Restore {
    /// The job, as name or service.name; a deleted one as service.name
    #[arg(value_parser = job_name)]
    name: String,
    /// The revision to save again
    #[arg(long, value_name = "N")]
    revision: i64,
}

/// Parses two revisions, such as `3..5`.
fn range(text: &str) -> Result<(i64, i64), String> {
    let both = text.split_once("..");
    let both = both.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    both.ok_or_else(|| "write two revisions, such as 3..5".to_owned())
}

impl History {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        match (self.revision, self.diff) {
            (Some(revision), _) => self.show(revision, client, out).await,
            (None, Some(revisions)) => self.differ(revisions, client, out).await,
            (None, None) => self.list(client, out).await,
        }
    }

    async fn list(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let list = items(client.job(self.name).versions(), Some(self.limit)).await?;
        if out.is_json() {
            return out.json(&list);
        }
        let (times, mut table) =
            (out.times(), Table::new(&[">REVISION", "SAVED", "ORIGIN", "CHANGES"]));
        for version in list.read::<VersionView>()? {
            table.row([
                version.revision.to_string(),
                times.seconds(Some(version.saved_at)),
                version.origin.clone(),
                shortened(&changes(&version), CHANGES),
            ]);
        }
        out.table(&table)
    }

    async fn show(self, revision: i64, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let answer = client.answer(Call::version(&self.name, revision)).await?;
        if out.is_json() {
            return out.line(answer.text());
        }
        out.raw(&as_toml(&fields_of(answer.read()?.job)))
    }

    async fn differ(
        self,
        (from, to): (i64, i64),
        client: &Client,
        out: &mut Out<'_>,
    ) -> Result<(), Error> {
        let mut jobs = Vec::with_capacity(2);
        for revision in [from, to] {
            let JobVersion { job, .. } = client.call(Call::version(&self.name, revision)).await?;
            jobs.push(Job::try_from(job).map_err(|err| Error::from_chain(&err))?);
        }
        let changes: Vec<FieldChange> = differences(&jobs[0], &jobs[1]);
        if out.is_json() {
            let changes = serde_json::json!({ "from": from, "to": to, "changes": changes });
            return out.json(&changes);
        }
        if changes.is_empty() {
            return out.line("no differences");
        }
        changes.iter().try_for_each(|change| out.line(change_line(change)))
    }
}

/// What a version changed, on one line.
fn changes(version: &VersionView) -> String {
    let fields: Vec<_> = version.changes.iter().map(change_line).collect();
    match (version.deleted, version.unreadable, version.revision) {
        (true, _, _) => "deleted".to_owned(),
        (_, true, _) => "(saved by another release)".to_owned(),
        (_, _, 1) => "created".to_owned(),
        _ => fields.join("; "),
    }
}

impl Restore {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let Self { name, revision } = self;
        let answer = client.answer(Call::restore_job(&name, revision)).await?;
        if out.is_json() {
            return out.line(answer.text());
        }
        let view = answer.read()?;
        match answer.saved() {
            Some("unchanged") => {
                out.line(format_args!("unchanged: {name} is like revision {revision}"))
            }
            _ => out.line(format_args!(
                "restored revision {revision} of {name}, as revision {}",
                view.revision
            )),
        }?;
        if view.origin == "api" && view.declared.is_some() {
            remark(format_args!(
                "note: {name} does not follow its code: `fastjob job release {name}` gives it back"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_revisions_are_read() {
        assert_eq!(range("3..5"), Ok((3, 5)));
        for wrong in ["3", "3..", "..5", "a..b", "3-5", ""] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
