//! The three jobs of the pipeline. Each one starts the next when it has succeeded, and hands its
//! result on as the next one's param:
//!
//! ```text
//! nightly-collect ──day──▶ nightly-sum, in four shards ──sums of the shards──▶ nightly-report
//! ```

use fastjob_executor::{
    jiff::{civil::Date, tz::TimeZone},
    prelude::*,
};
use serde::{Deserialize, Serialize};

use crate::files::{Files, Totals, parse};

/// How many lines are read between two checkpoints.
const PAGE: usize = 100;

/// The day whose sales are summed.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Day {
    day: Date,
}

/// Waits until all shops have delivered the sales of a day.
// The day follows from the fire, not from the clock: so a night that was missed, and a backfill, sum
// their own day. A shop that is late is an error that is retried, each time after twice the delay,
// for about an hour.
#[job(
    "nightly-collect",
    cron = "0 0 2 * * ?",
    misfire(fire_all(max = 7, window = "7d")),
    block(strategy = "serial", scope = "cluster"),
    retry(count = 15, delay = "1s", factor = 2.0, max_delay = "10m", jitter = 0.1),
    children(success = ["nightly-sum"], pass_result = true),
    alarms = ["ops"]
)]
async fn collect(ctx: &JobContext, files: State<Files>, day: Option<Day>) -> Result<Day, JobError> {
    let day = match (day, ctx.fire_at()) {
        (Some(Day { day }), _) => day,
        (None, Some(fire)) => fire.to_zoned(TimeZone::UTC).date().yesterday()?,
        (None, None) => return Err(JobError::fatal(r#"which day? {"day": "2026-11-29"}"#)),
    };
    for shop in &files.shops {
        let file = files.delivery(day, shop);
        if !tokio::fs::try_exists(&file).await? {
            let file = file.display();
            return Err(JobError::retryable(format!("{shop} has not delivered {file} yet")));
        }
    }
    Ok(Day { day })
}

/// How far a shard has come: all that its next attempt needs.
#[derive(Default, Deserialize, Serialize)]
struct Summed {
    /// Files that are complete.
    files: usize,
    /// Lines of the next file.
    lines: usize,
    totals: Totals,
}

/// The result of a shard.
#[derive(Deserialize, Serialize)]
struct Sum {
    day: Date,
    totals: Totals,
}

/// Sums the files of some shops: shard `i` of `n` takes each `n`-th file, from the `i`-th on.
// The sums are part of the checkpoint, and nothing else is written. So an attempt that resumes at a
// checkpoint counts no line twice, and none is missing.
#[job(
    "nightly-sum",
    shard(count = 4),
    block(strategy = "parallel", max_running = 4),
    retry(count = 5, delay = "1s", factor = 2.0, max_delay = "10m", jitter = 0.1),
    children(success = ["nightly-report"], pass_result = true),
    alarms = ["ops"],
    alarm_when(runs_longer = "1h")
)]
async fn sum(ctx: &JobContext, files: State<Files>, Day { day }: Day) -> Result<Sum, JobError> {
    let shard = ctx.shard();
    let (index, total) = (usize::try_from(shard.index)?, usize::try_from(shard.total)?);
    let mut summed: Summed = ctx.last_checkpoint()?.unwrap_or_default();
    ctx.log(format_args!("begins at file {}, line {}", summed.files, summed.lines));
    let mine: Vec<_> = files.shops.iter().skip(index).step_by(total).collect();
    for shop in mine.iter().skip(summed.files) {
        let file = files.delivery(day, shop);
        let text = tokio::fs::read_to_string(&file).await?;
        let lines: Vec<_> = text.lines().skip(1).collect();
        let rest = lines.get(summed.lines..).ok_or("the file has become shorter").fatal()?;
        for page in rest.chunks(PAGE) {
            for line in page {
                let (article, cents) = parse(line, &file)?;
                *summed.totals.entry(article.to_owned()).or_default() += cents;
            }
            summed.lines += page.len();
            ctx.checkpoint(&summed)?;
            ctx.progress(summed.lines as u64, lines.len() as u64, shop.as_str());
            tokio::select! {
                () = tokio::time::sleep(files.pause) => {}
                // The executor is about to exit: the retry resumes here.
                () = ctx.stop_token().cancelled() => {
                    return Err(JobError::retryable("stopped at a checkpoint"));
                }
            }
        }
        summed.files += 1;
        summed.lines = 0;
        ctx.checkpoint(&summed)?;
    }
    Ok(Sum { day, totals: summed.totals })
}

/// Writes the report of the day.
#[job(
    "nightly-report",
    retry(count = 5, delay = "1s", factor = 2.0, max_delay = "10m"),
    alarms = ["ops"]
)]
async fn report(
    ctx: &JobContext,
    files: State<Files>,
    sums: Vec<Option<Sum>>,
) -> Result<String, JobError> {
    let (mut day, mut totals) = (None, Totals::new());
    for sum in sums {
        // After a rerun of some shards, the others are null.
        let sum = sum.ok_or("a sum is missing: run all of nightly-sum again").fatal()?;
        day = Some(sum.day);
        for (article, cents) in sum.totals {
            *totals.entry(article).or_default() += cents;
        }
    }
    let day = day.ok_or("there are no sums").fatal()?;
    let report = files.report(day, &totals, ctx.attempt_id()).await?;
    Ok(format!("{} articles in {}", totals.len(), report.display()))
}
