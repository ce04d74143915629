//! `fastjob stats`.

use std::time::Duration;

use clap::Args;
use fastjob_client::{
    Call, Client,
    types::{DurationStats, JobStatsOrder, JobStatsQuery, StatsQuery, TaskStats},
};

use super::{
    error::Error,
    options::{job_name, span},
    out::{Out, remark},
    table::{Table, lasted},
    times::{Moment, moment},
};

#[derive(Args)]
pub(super) struct Stats {
    /// Only tasks of this job
    #[arg(long, value_name = "NAME", value_parser = job_name, conflicts_with = "service")]
    job: Option<String>,
    /// Only tasks of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// From this instant on, such as yesterday, 24h or 2026-12-01T08:00:00Z [default: a day before
    /// --until]
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<Moment>,
    /// Up to this instant [default: now]
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Moment>,
    /// The length of a bucket: whole minutes or hours [default: about 100 buckets]
    #[arg(long, value_name = "DURATION", value_parser = span)]
    bucket: Option<Duration>,
    /// Show the jobs that stand out, and not how the numbers change
    #[arg(long, value_parser = ["job"], conflicts_with_all = ["job", "bucket"])]
    by: Option<String>,
    /// With --by job: failed (most failures), run_time (longest runs, by the 95th percentile), or
    /// tasks (most tasks)
    #[arg(long, requires = "by", default_value_t)]
    order: JobStatsOrder,
    /// With --by job: show at most this many, up to 100 [default: 10]
    #[arg(long, requires = "by", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: Option<u32>,
}

impl Stats {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let Self { job, service, since, until, bucket, by, order, limit } = self;
        let times = out.times();
        let (since, until) = (times.past_if(since.as_ref())?, times.past_if(until.as_ref())?);
        if by.is_some() {
            let query = JobStatsQuery { service, since, until, order, limit };
            return by_job(&query, client, out).await;
        }
        let query = StatsQuery { job, service, since, until, bucket };
        let answer = client.answer(Call::stats(&query)).await?;
        if out.is_json() {
            return out.line(answer.text());
        }
        let stats = answer.read()?;
        if stats.total.ended() == 0 {
            return out.line("no tasks ended");
        }
        let mut table = table("AT");
        for bucket in stats.items.iter().filter(|bucket| bucket.tasks.ended() > 0) {
            table.row(cells(times.seconds(Some(bucket.at)), &bucket.tasks));
        }
        table.row(cells("total".to_owned(), &stats.total));
        out.table(&table)
    }
}

/// A table of statistics, which begins with this column.
fn table(first: &'static str) -> Table {
    Table::new(&[
        first,
        ">SUCCEEDED",
        ">FAILED",
        ">STOPPED",
        ">SKIPPED",
        ">P50",
        ">P95",
        ">P99",
        ">LATE P99",
    ])
}

/// The jobs that stand out.
async fn by_job(query: &JobStatsQuery, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.answer(Call::job_stats(query)).await?;
    if out.is_json() {
        return out.line(answer.text());
    }
    let (stats, times) = (answer.read()?, out.times());
    if stats.items.is_empty() {
        out.line("no jobs")?;
    } else {
        let mut table = table("JOB");
        for job in &stats.items {
            table.row(cells(format!("{}.{}", job.service, job.job), &job.tasks));
        }
        out.table(&table)?;
    }
    remark(format_args!(
        "tasks that ended from {} to {}",
        times.seconds(Some(stats.since)),
        times.seconds(Some(stats.until))
    ));
    Ok(())
}

fn cells(at: String, tasks: &TaskStats) -> [String; 9] {
    let time = |durations: &Option<DurationStats>, get: fn(&DurationStats) -> u64| {
        durations.as_ref().map(|durations| lasted(get(durations))).unwrap_or_default()
    };
    [
        at,
        tasks.succeeded.to_string(),
        tasks.failed.to_string(),
        tasks.stopped.to_string(),
        tasks.skipped.to_string(),
        time(&tasks.run_time, |run_time| run_time.p50_ms),
        time(&tasks.run_time, |run_time| run_time.p95_ms),
        time(&tasks.run_time, |run_time| run_time.p99_ms),
        time(&tasks.lateness, |lateness| lateness.p99_ms),
    ]
}
