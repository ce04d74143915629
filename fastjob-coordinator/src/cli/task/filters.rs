//! Which tasks a command is about: the same options for each command that reads a list of tasks.

use std::time::Duration;

use clap::Args;
use fastjob_client::{List, types::TaskView};
use fastjob_core::{Cause, FailReason, TaskState};

use crate::cli::{
    error::Error,
    options::{job_name, span},
    times::{Moment, Times, moment},
};

#[derive(Args, Clone)]
pub(in crate::cli) struct Filters {
    /// Only tasks of this job
    #[arg(long, value_name = "NAME", value_parser = job_name)]
    job: Option<String>,
    /// Only tasks of the jobs of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Only tasks of jobs with this label; several are combined
    #[arg(long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// Only tasks in these states, such as failed,stopped: queued, running, stopping, succeeded,
    /// failed, stopped, skipped
    #[arg(long, value_delimiter = ',')]
    state: Vec<TaskState>,
    /// Only tasks started for these causes: schedule, misfire, manual, api, parent,
    /// backfill
    #[arg(long, value_delimiter = ',')]
    cause: Vec<Cause>,
    /// Only tasks with an attempt on this executor
    #[arg(long, value_name = "NAME")]
    executor: Option<String>,
    /// Only tasks created at or after this instant, such as yesterday, 24h, 18:00, 2026-12-01 or
    /// 2026-12-01T08:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<Moment>,
    /// Only tasks created before this instant
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Moment>,
    /// Only tasks with an error message that contains this text, in upper or lower case
    #[arg(long, value_name = "PART")]
    text: Option<String>,
    /// Only the task that was started with this key; needs --job
    #[arg(long, requires = "job")]
    key: Option<String>,
    /// Only tasks that have ended and took at least this long, such as 5m
    #[arg(long, value_name = "DURATION", value_parser = span)]
    min_run_time: Option<Duration>,
    /// Only tasks that started, or wait, at least so long after they were due, such as 5s
    #[arg(long, value_name = "DURATION", value_parser = span)]
    late: Option<Duration>,
    /// Only tasks with an attempt that failed for one of these reasons: error, fatal_error,
    /// timed_out, executor_lost, panicked, no_executor
    #[arg(long, value_delimiter = ',')]
    reason: Vec<FailReason>,
}

impl Filters {
    /// The states that are named.
    pub(in crate::cli) fn states(&self) -> &[TaskState] {
        &self.state
    }

    /// Whether they name all tasks.
    pub(in crate::cli) fn are_none(&self) -> bool {
        let Self { job, service, label, state, cause, executor, since, until, text, key, .. } =
            self;
        let texts = [job, service, executor, text, key];
        texts.into_iter().all(Option::is_none)
            && (label.is_empty() && state.is_empty() && cause.is_empty())
            && (since.is_none() && until.is_none() && !self.is_by_run_time())
    }

    /// Whether they name tasks by their run time.
    pub(in crate::cli) fn is_by_run_time(&self) -> bool {
        self.min_run_time.is_some()
    }

    /// The list with only what these options name.
    pub(in crate::cli) fn apply(
        self,
        mut list: List<TaskView>,
        times: &Times,
    ) -> Result<List<TaskView>, Error> {
        if let Some(job) = self.job {
            list = list.job(job);
        }
        if let Some(service) = self.service {
            list = list.service(service);
        }
        for label in self.label {
            list = list.label(label);
        }
        if !self.state.is_empty() {
            list = list.states(self.state);
        }
        if !self.cause.is_empty() {
            list = list.causes(self.cause);
        }
        if let Some(executor) = self.executor {
            list = list.executor(executor);
        }
        if let Some(since) = times.past_if(self.since.as_ref())? {
            list = list.since(since);
        }
        if let Some(until) = times.past_if(self.until.as_ref())? {
            list = list.until(until);
        }
        if let Some(text) = self.text {
            list = list.text(text);
        }
        if let Some(key) = self.key {
            list = list.key(key);
        }
        if let Some(least) = self.min_run_time {
            list = list.min_run_time(least);
        }
        if let Some(least) = self.late {
            list = list.late(least);
        }
        if !self.reason.is_empty() {
            list = list.reasons(self.reason);
        }
        Ok(list)
    }
}
