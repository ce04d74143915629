//! `fastjob job list`.

use clap::Args;
use fastjob_client::{Client, types::JobView};
use fastjob_core::{JobDraft, job::WordOr};

use crate::cli::{
    client::items,
    error::Error,
    options::limit,
    out::Out,
    table::Table,
    times::{Moment, moment},
};

#[derive(Args)]
pub(in crate::cli) struct List {
    /// Only jobs of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Only jobs with this label; several are combined
    #[arg(long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// Only jobs that have never run, as far as the history goes
    #[arg(long, conflicts_with = "idle_since")]
    never_run: bool,
    /// Only jobs that have not run since this instant, such as 7d or yesterday; `release` is when the
    /// newest executor with their handler started
    #[arg(long, value_name = "WHEN", value_parser = idle_since)]
    idle_since: Option<IdleSince>,
    /// Only jobs with this text in their name, description, handler or param, in upper or lower case
    #[arg(long, value_name = "PART")]
    text: Option<String>,
    /// Only jobs that are enabled
    #[arg(long, conflicts_with = "disabled")]
    enabled: bool,
    /// Only jobs that are disabled
    #[arg(long)]
    disabled: bool,
    /// Only jobs whose definition is owned by code, or by api: a person or a program
    #[arg(long, value_parser = ["code", "api"])]
    origin: Option<String>,
    /// Only jobs with this kind of schedule
    #[arg(long, value_parser = ["none", "cron", "fixed_rate", "fixed_delay", "once"])]
    schedule: Option<String>,
    /// Only jobs whose last task ended like this; `none` if none has ended
    #[arg(long, value_parser = ["succeeded", "failed", "stopped", "skipped", "none"])]
    last_state: Option<String>,
    /// Only jobs with a task that runs
    #[arg(long)]
    running: bool,
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
        let mut list = client.jobs().ends(1);
        if let Some(service) = self.service {
            list = list.service(service);
        }
        for label in self.label {
            list = list.label(label);
        }
        if let Some(text) = self.text {
            list = list.text(text);
        }
        if self.enabled || self.disabled {
            list = list.enabled(self.enabled);
        }
        if let Some(origin) = self.origin {
            list = list.origin(origin);
        }
        if let Some(kind) = self.schedule {
            list = list.schedule(kind);
        }
        if let Some(state) = self.last_state {
            list = list.last_state(state);
        }
        if self.running {
            list = list.running(true);
        }
        if let Some(order) = self.order {
            list = list.order(order);
        }
        list = match (self.never_run, &self.idle_since) {
            (true, _) => list.never_run(),
            (false, Some(IdleSince::Release)) => list.idle_since_release(),
            (false, Some(IdleSince::Moment(at))) => list.idle_since(times.past(at)?),
            (false, None) => list,
        };
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

/// Since when a job has not run.
#[derive(Clone, Debug)]
pub(in crate::cli) enum IdleSince {
    Release,
    Moment(Moment),
}

fn idle_since(text: &str) -> Result<IdleSince, String> {
    match text {
        "release" => Ok(IdleSince::Release),
        text => moment(text).map(IdleSince::Moment),
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
