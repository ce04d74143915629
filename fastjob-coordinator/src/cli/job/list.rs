//! `fastjob job list`.

use clap::Args;
use fastjob_client::{Client, types::JobView};
use fastjob_core::{JobDraft, job::WordOr};

use super::filters::Filters;
use crate::cli::{client::items, error::Error, options::limit, out::Out, table::Table};

#[derive(Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    filters: Filters,
    /// By name, by when they fire next, or the last changed first
    #[arg(long, value_parser = ["name", "next_fire", "changed"])]
    order: Option<String>,
    /// Show at most this many, up to 10000 [default: all]
    #[arg(long, value_name = "N", value_parser = limit)]
    limit: Option<usize>,
}

impl List {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let times = out.times();
        let mut list = self.filters.apply(client.jobs().ends(1), &times)?;
        if let Some(order) = self.order {
            list = list.order(order);
        }
        let list = items(list, self.limit).await?;
        if out.is_json() {
            return out.json(&list);
        }
        let jobs: Vec<JobView> = list.read()?;
        if jobs.is_empty() {
            return out.line("no jobs");
        }
        let mut table = Table::new(&[
            "JOB",
            "HANDLER",
            "SCHEDULE",
            "ENABLED",
            "ORIGIN",
            ">OPEN",
            "LAST",
            "ENDED",
            "NEXT FIRE",
        ]);
        for view in jobs {
            let (schedule, origin) = (schedule(&view.job), origin(&view));
            let activity = view.activity.as_ref();
            let last = activity.and_then(|activity| activity.ends.first());
            let open = activity.and_then(|activity| Some(activity.queued? + activity.running?));
            let open = open.map(|open| open.to_string()).unwrap_or_default();
            table.row([
                view.job.full_name(),
                view.job.handler.unwrap_or(view.job.name),
                schedule,
                if view.job.enabled.unwrap_or(true) { "yes" } else { "no" }.to_owned(),
                origin,
                open,
                last.map(|end| end.state.to_string()).unwrap_or_default(),
                times.seconds(last.map(|end| end.ended_at)),
                times.seconds(view.next_fire_at),
            ]);
        }
        out.table(&table)
    }
}

/// The time zone of a job's schedule.
pub(in crate::cli) fn zone(job: &JobDraft) -> Option<&str> {
    match &job.schedule {
        Some(WordOr::Table(table)) => table.zone.as_deref(),
        Some(WordOr::Word(_)) | None => None,
    }
}

/// Who owns the definition, and whether the code declares another one.
pub(super) fn origin(view: &JobView) -> String {
    match view.origin.as_str() {
        "code" if !view.overrides.is_empty() => "code, overridden".to_owned(),
        "api" if view.declared.is_some() => "api, edited".to_owned(),
        origin => origin.to_owned(),
    }
}

/// A schedule in short form.
pub(super) fn schedule(job: &JobDraft) -> String {
    let table = match &job.schedule {
        None => return "none".to_owned(),
        Some(WordOr::Word(word)) => return word.clone(),
        Some(WordOr::Table(table)) => table,
    };
    let parts = [
        ("cron", &table.cron),
        ("fixed_rate", &table.fixed_rate),
        ("fixed_delay", &table.fixed_delay),
        ("once", &table.once),
        ("zone", &table.zone),
    ];
    let given = parts.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let words: Vec<_> = given.map(|(name, value)| format!("{name} {value}")).collect();
    words.join(", ")
}
