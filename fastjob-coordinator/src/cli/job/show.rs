//! `fastjob job show`.

use clap::Args;
use fastjob_client::{Call, Client, types::JobView};
use fastjob_core::{JobDraft, job::param_text};
use serde::Serialize;

use super::list::schedule;
use crate::cli::{
    error::Error,
    options::job_name,
    out::Out,
    table::{Facts, seconds},
};

#[derive(Args)]
pub(in crate::cli) struct Show {
    /// The job, as name or service.name
    #[arg(value_parser = job_name)]
    name: String,
    /// Print the definition in the format of `fastjob job apply`
    #[arg(long, conflicts_with = "json")]
    toml: bool,
}

/// Fields that are shown separately.
const APART: [&str; 7] =
    ["name", "service", "handler", "description", "param", "enabled", "schedule"];

impl Show {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let answer = client.answer(Call::job(&self.name)).await?;
        if out.is_json() {
            return out.line(answer.text());
        }
        let view = answer.read()?;
        if self.toml { out.raw(&as_file(view.job)?) } else { out.line(facts(view)?) }
    }
}

/// A file with this one job.
pub(super) fn as_file(job: JobDraft) -> Result<String, Error> {
    #[derive(Serialize)]
    struct File {
        job: [JobDraft; 1],
    }
    toml::to_string(&File { job: [job] }).map_err(|err| Error::from_chain(&err))
}

fn facts(view: JobView) -> Result<Facts, Error> {
    let job = view.job;
    let table = toml::Table::try_from(&job).map_err(|err| Error::from_chain(&err))?;
    let enabled = if job.enabled.unwrap_or(true) { "yes" } else { "no" };
    let mut facts = Facts::default();
    facts.add("job", job.full_name());
    facts.add("schedule", schedule(&job));
    facts.add("enabled", enabled);
    facts.add("next fire", seconds(view.next_fire_at));
    facts.add("param", param_text(&job.param).unwrap_or_default());
    facts.add("description", job.description.unwrap_or_default());
    facts.add("handler", job.handler.unwrap_or(job.name));
    for (key, value) in table.into_iter().filter(|(key, _)| !APART.contains(&key.as_str())) {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        facts.add(key, shown);
    }
    facts.add("id", view.id.to_string());
    facts.add("revision", format!("{}, saved by {}", view.revision, view.origin));
    facts.add("created", seconds(Some(view.created_at)));
    facts.add("updated", seconds(Some(view.updated_at)));
    Ok(facts)
}
