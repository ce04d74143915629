//! `fastjob job enable`, `disable`, `release`, `delete` and `start`: one job, or all that filters
//! name.

use std::path::PathBuf;

use clap::Args;
use fastjob_client::{
    Call, Client,
    types::{BulkJob, JobAction, JobsRequest},
};

use super::{filters::Filters, switch};
use crate::cli::{error::Error, many::Words, options::job_name, out::Out, start::read_param};

/// Which jobs.
#[derive(Args)]
pub(in crate::cli) struct Jobs {
    /// The job, as name or service.name; without it, every job that the filters name
    #[arg(value_parser = job_name, conflicts_with_all = ["JobFilters", "all", "yes", "dry_run"])]
    name: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// Every job, if there is no filter
    #[arg(long)]
    all: bool,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Only show which jobs the filters name
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
pub(in crate::cli) struct Start {
    #[command(flatten)]
    jobs: Jobs,
    /// Use this text in place of each job's param
    #[arg(long, short, value_name = "TEXT", conflicts_with = "param_file")]
    param: Option<String>,
    /// Use the text of this file in place of each job's param; - is the standard input
    #[arg(long, value_name = "FILE")]
    param_file: Option<PathBuf>,
    /// Start one task of each job with this key, however often this command runs
    #[arg(long)]
    key: Option<String>,
}

fn words(request: &JobsRequest) -> Words {
    let (verb, past) = match request.action {
        JobAction::Enable => ("enable", "enabled"),
        JobAction::Disable => ("disable", "disabled"),
        JobAction::Start => ("start", "started"),
        JobAction::Delete => ("delete", "deleted"),
        JobAction::Release => ("release", "released"),
    };
    // Without a key, each start is one more task.
    let repeats = request.action != JobAction::Start || request.key.is_some();
    Words { verb, past, noun: "job", repeats }
}

impl Jobs {
    pub(super) async fn run(
        self,
        action: JobAction,
        client: &Client,
        out: &mut Out<'_>,
    ) -> Result<(), Error> {
        match (&self.name, action) {
            (Some(name), JobAction::Enable) => switch::enable(name, client, out).await,
            (Some(name), JobAction::Disable) => switch::disable(name, client, out).await,
            (Some(name), JobAction::Release) => switch::release(name, client, out).await,
            (Some(name), JobAction::Delete) => switch::delete(name, client, out).await,
            (Some(_), JobAction::Start) | (None, _) => {
                self.many(JobsRequest::named(action, Vec::new()), client, out).await
            }
        }
    }

    /// Does what the request says to the jobs that are named, or that the filters name.
    async fn many(
        self,
        request: JobsRequest,
        client: &Client,
        out: &mut Out<'_>,
    ) -> Result<(), Error> {
        let (how, words) = ((self.dry_run, self.yes || self.name.is_some()), words(&request));
        let found = match self.name {
            Some(name) => vec![name],
            None if self.filters.are_none() && !self.all => {
                return Err(Error::Misuse(
                    "name a job, or jobs by filters such as --service or --label, or every job \
                     with --all"
                        .to_owned(),
                ));
            }
            None => {
                let jobs = self.filters.apply(client.jobs(), &out.times())?.all().await?;
                jobs.into_iter().map(|view| view.job.full_name()).collect()
            }
        };
        let call = async |names: Vec<String>| {
            let request = JobsRequest { jobs: Some(names), ..request.clone() };
            client.call(Call::bulk_jobs(&request)).await
        };
        words.run::<BulkJob>(found, how, call, out).await
    }
}

impl Start {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let param = match &self.param_file {
            Some(path) => Some(read_param(path)?),
            None => self.param,
        };
        let request = JobsRequest {
            param: param.map_or(serde_json::Value::Null, Into::into),
            key: self.key,
            cause: Some("manual".to_owned()),
            ..JobsRequest::named(JobAction::Start, Vec::new())
        };
        self.jobs.many(request, client, out).await
    }
}
