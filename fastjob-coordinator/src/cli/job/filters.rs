//! Which jobs a command is about: the same options for each command that reads a list of jobs.

use clap::Args;
use fastjob_client::{List, types::JobView};

use crate::cli::{
    error::Error,
    times::{Moment, Times, moment},
};

#[derive(Args, Clone)]
#[group(id = "JobFilters")]
pub(super) struct Filters {
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
}

impl Filters {
    /// Whether they name all jobs.
    pub(super) fn are_none(&self) -> bool {
        let texts = [&self.service, &self.text, &self.origin, &self.schedule, &self.last_state];
        let flags = [self.never_run, self.enabled, self.disabled, self.running];
        texts.into_iter().all(Option::is_none)
            && !flags.contains(&true)
            && self.label.is_empty()
            && self.idle_since.is_none()
    }

    /// The list with only what these options name.
    pub(super) fn apply(
        self,
        mut list: List<JobView>,
        times: &Times,
    ) -> Result<List<JobView>, Error> {
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
        Ok(match (self.never_run, &self.idle_since) {
            (true, _) => list.never_run(),
            (false, Some(IdleSince::Release)) => list.idle_since_release(),
            (false, Some(IdleSince::Moment(at))) => list.idle_since(times.past(at)?),
            (false, None) => list,
        })
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
