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
}

impl Filters {
    /// Whether they name all jobs.
    pub(super) fn are_none(&self) -> bool {
        let Self { service, label, never_run, idle_since } = self;
        service.is_none() && label.is_empty() && !never_run && idle_since.is_none()
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
