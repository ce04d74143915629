//! `fastjob job show`.

use clap::Args;
use fastjob_client::{
    Call, Client,
    types::{JobEndView, JobView},
};
use fastjob_core::{
    Job, JobDraft,
    job::{FieldChange, differences, param_text},
};

use super::{
    export::{as_toml, fields},
    list::{origin, schedule, zone},
};
use crate::cli::{
    error::Error,
    options::job_name,
    out::Out,
    table::{Facts, Table, took},
    times::Times,
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

/// How many of its last tasks are shown.
const ENDS: u32 = 5;

/// Fields that are shown separately.
const APART: [&str; 7] =
    ["name", "service", "handler", "description", "param", "enabled", "schedule"];

impl Show {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let mut call = Call::job(&self.name);
        if !self.toml {
            call = call.with("ends", ENDS);
        }
        let answer = client.answer(call).await?;
        if out.is_json() {
            return out.line(answer.text());
        }
        let (view, times) = (answer.read()?, out.times());
        if self.toml {
            return out.raw(&as_toml(&fields(view)));
        }
        let ends = view.activity.as_ref().map(|activity| ended(&activity.ends, &times));
        out.facts(&facts(view, &times)?)?;
        match ends.flatten() {
            Some(ends) => {
                out.line("")?;
                out.table(&ends)
            }
            None => Ok(()),
        }
    }
}

/// How the last tasks ended; `None` if there are none.
fn ended(ends: &[JobEndView], times: &Times) -> Option<Table> {
    let mut table = Table::new(&[">TASK", "STATE", "STARTED", "ENDED", ">TOOK"]);
    for end in ends {
        table.row([
            end.task.to_string(),
            end.state.to_string(),
            times.seconds(end.started_at),
            times.seconds(Some(end.ended_at)),
            took(end.started_at, Some(end.ended_at)),
        ]);
    }
    (!ends.is_empty()).then_some(table)
}

/// What the code declares, where that differs from the job in effect.
fn of_the_code(job: &JobDraft, declared: Option<Box<JobDraft>>) -> Option<String> {
    let [job, code] = [job.clone(), *declared?].map(Job::try_from);
    let changes = differences(&job.ok()?, &code.ok()?).into_iter();
    let changes = changes.map(|FieldChange { field, to, .. }| {
        let value = to.as_ref().and_then(param_text);
        let value = value.unwrap_or_else(|| "(not set)".to_owned());
        format!("{field} {value}")
    });
    Some(changes.collect::<Vec<_>>().join(", "))
}

fn facts(view: JobView, times: &Times) -> Result<Facts, Error> {
    let origin = origin(&view);
    let job = view.job;
    let code = of_the_code(&job, view.declared);
    let table = toml::Table::try_from(&job).map_err(|err| Error::from_chain(&err))?;
    let enabled = if job.enabled.unwrap_or(true) { "yes" } else { "no" };
    let mut facts = Facts::default();
    facts.add("job", job.full_name());
    facts.add("schedule", schedule(&job));
    facts.add("enabled", enabled);
    let zone = zone(&job);
    facts.add("next fire", times.seconds_and_in(view.next_fire_at, zone));
    let open = view.activity.and_then(|it| Some((it.running?, it.queued?)));
    facts.add("open", open.map(|(a, b)| format!("{a} running, {b} queued")).unwrap_or_default());
    facts.add("param", param_text(&job.param).unwrap_or_default());
    facts.add("description", job.description.unwrap_or_default());
    facts.add("handler", job.handler.unwrap_or(job.name));
    for (key, value) in table.into_iter().filter(|(key, _)| !APART.contains(&key.as_str())) {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        facts.add(key, shown);
    }
    facts.add("id", view.id.to_string());
    let overrides = match view.overrides.as_slice() {
        [] => String::new(),
        set => format!(": {}", set.join(", ")),
    };
    facts.add("origin", format!("{origin}{overrides}"));
    facts.add("in code", code.unwrap_or_default());
    facts.add("revision", view.revision.to_string());
    facts.add("created", times.seconds(Some(view.created_at)));
    facts.add("updated", times.seconds(Some(view.updated_at)));
    Ok(facts)
}
