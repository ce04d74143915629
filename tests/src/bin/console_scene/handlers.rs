//! The handlers of the services, as services have them: fast and slow ones, some that fail, some that
//! say much.

use std::time::Duration;

use fastjob_executor::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Waits, unless the attempt is asked to stop.
async fn pause(ctx: &JobContext, millis: u64) -> Result<(), JobError> {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(millis)) => Ok(()),
        () = ctx.stop_token().cancelled() => Err(JobError::retryable("asked to stop")),
    }
}

/// A number that differs between tasks, and is the same for the attempts of one.
fn dice(ctx: &JobContext, sides: u64) -> u64 {
    let task = ctx.task_id().0.unsigned_abs();
    (task.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % sides
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InvoiceRun {
    /// The month, as `2026-11`.
    month: String,
    customers: u64,
    dry_run: bool,
    pause_ms: u64,
}

#[derive(Serialize)]
struct Invoices {
    month: String,
    invoices: u64,
    total: String,
    dry_run: bool,
}

/// Writes the invoices of a month and passes them to the mail service
#[job(
    "invoice-run",
    service = "billing",
    cron = "0 0 2 1 * ?",
    zone = "Asia/Shanghai",
    retry = 2,
    timeout = "2h",
    param = r#"{"month": "2026-11", "customers": 40, "dry_run": false}"#,
    alarms = ["billing-hook", "oncall-pager"],
    labels(team = "billing", owner = "wang.fang")
)]
async fn invoice_run(ctx: &JobContext, run: InvoiceRun) -> Result<Invoices, JobError> {
    ctx.log(format_args!("INFO invoices of {} for {} customers", run.month, run.customers));
    for customer in 1..=run.customers {
        pause(ctx, run.pause_ms).await?;
        ctx.progress(customer, run.customers, format!("customer {customer}"));
        if customer % 10 == 0 {
            ctx.checkpoint(&json!({"customer": customer}))?;
            ctx.log(format_args!("INFO wrote {customer} of {} invoices", run.customers));
        }
    }
    let total = format!("{}.00 EUR", run.customers * 129);
    Ok(Invoices { month: run.month, invoices: run.customers, total, dry_run: run.dry_run })
}

/// Charges the cards of invoices that are due
#[job(
    "charge-cards",
    service = "billing",
    fixed_rate = "5s",
    retry(count = 3, delay = "1s", factor = 1.5),
    timeout = "30s",
    alarms = ["billing-hook"],
    labels(team = "billing", critical = "yes")
)]
async fn charge_cards(ctx: &JobContext) -> Result<String, JobError> {
    ctx.log("INFO connecting to payments.internal:8443");
    pause(ctx, 20 + dice(ctx, 80)).await?;
    if dice(ctx, 5) == 0 && ctx.attempt() == 1 {
        ctx.log("WARN the gateway answered 503, retry-after: 1");
        let cause = anyhow::anyhow!("HTTP 503 Service Unavailable: upstream connect error");
        return Err(cause.context("could not charge invoice 2026-11-004211").into());
    }
    if dice(ctx, 17) == 3 {
        ctx.log("ERROR merchant account 4711 is locked");
        return Err(Fatal::new("the gateway has locked merchant account 4711").into());
    }
    let charged = 3 + dice(ctx, 40);
    ctx.log(format_args!("INFO charged {charged} cards"));
    Ok(format!("{charged} cards charged"))
}

/// Reminds customers of unpaid invoices
#[job(
    "dunning-mail",
    service = "billing",
    cron = "0 30 8 ? * MON-FRI",
    zone = "Europe/Berlin",
    alarms = ["ops-chat", "billing-hook"],
    labels(team = "billing")
)]
async fn dunning_mail(ctx: &JobContext) -> Result<(), JobError> {
    ctx.log("INFO 12 reminders are due");
    ctx.log("ERROR smtp.internal: 550 5.7.1 sender address rejected: not owned by user billing");
    let cause = anyhow::anyhow!("550 5.7.1 sender address rejected: not owned by user billing");
    Err(Fatal::new(cause.context("could not send 12 reminders")).into())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sales {
    day: Option<String>,
    currency: Option<String>,
    regions: Vec<String>,
}

/// 每日销售报表: sums up the sales of a day for each region
#[job(
    "daily-sales",
    service = "reports",
    cron = "0 30 6 * * ?",
    zone = "Europe/Paris",
    retry = 1,
    param = r#"{"currency": "EUR", "regions": ["eu", "us", "asia"]}"#,
    labels(team = "analytics")
)]
async fn daily_sales(ctx: &JobContext, sales: Sales) -> Result<serde_json::Value, JobError> {
    let currency = sales.currency.unwrap_or_else(|| "EUR".to_owned());
    for region in &sales.regions {
        ctx.log(format_args!("INFO select sum(amount) from sales where region = '{region}'"));
        pause(ctx, 30).await?;
    }
    let rows = sales.regions.iter().zip(18_250..);
    let rows: Vec<_> = rows.map(|(region, sum)| json!({"region": region, "sum": sum})).collect();
    Ok(json!({"day": sales.day, "currency": currency, "rows": rows}))
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Export {
    table: String,
    rows: u64,
    seconds: u64,
}

impl Default for Export {
    fn default() -> Self {
        Self { table: "orders".to_owned(), rows: 2_000_000, seconds: 60 }
    }
}

/// Exports a table as CSV to the data lake
#[job("export-csv", service = "reports", timeout = "1h", labels(team = "analytics"))]
async fn export_csv(ctx: &JobContext, export: Export) -> JobResult {
    ctx.log(format_args!("INFO exporting {} rows of {}", export.rows, export.table));
    let steps = 100;
    for step in 1..=steps {
        pause(ctx, export.seconds * 1000 / steps).await?;
        let done = export.rows * step / steps;
        ctx.progress(done, export.rows, format!("{done} rows of {}", export.table));
        ctx.log(format_args!("DEBUG part-{step:05}.csv: {} rows", export.rows / steps));
    }
    Ok(format!("s3://lake/{}/2026-11-30.csv", export.table).into())
}

/// Rebuilds the cube of all sales, and logs every cell
#[job("rebuild-cube", service = "reports", labels(team = "analytics", verbose = "very"))]
async fn rebuild_cube(ctx: &JobContext, lines: u64) -> JobResult {
    let levels = ["INFO ", "DEBUG", "INFO ", "DEBUG", "\u{1b}[33mWARN\u{1b}[0m "];
    for line in 1..=lines {
        let level = levels[usize::try_from(line % 5).unwrap_or(0)];
        match line % 997 {
            0 => ctx.log(format_args!("\u{1b}[31mERROR\u{1b}[0m cell {line}: division by zero")),
            1 => ctx.log(format_args!("INFO  单元格 {line} 的数据已经写入 {}", "長".repeat(150))),
            _ => ctx.log(format_args!("{level} cell {line}: region=eu product={}", line % 4211)),
        }
        if line % 1000 == 0 {
            ctx.progress(line, lines, "cells");
            pause(ctx, 1).await?;
        }
    }
    Ok(json!({"cells": lines}).to_string().into())
}

/// Closes the month: starts the reports that depend on it
#[job(
    "month-end",
    service = "reports",
    cron = "0 0 1 1 * ?",
    zone = "Asia/Shanghai",
    children(success = ["daily-sales"], failure = ["rollback-month"]),
    exclude(days = ["12-25", "01-01"]),
    labels(team = "finance")
)]
async fn month_end(ctx: &JobContext) -> JobResult {
    ctx.log("INFO the month is closed");
    Ok("closed".into())
}

/// Opens the month again
#[job("rollback-month", service = "reports", labels(team = "finance"))]
async fn rollback_month() -> JobResult {
    Ok("opened again".into())
}

/// Compares the stock of a warehouse with the shop
#[job(
    "sync-inventory",
    service = "sync",
    cron = "0 0/10 * * * ?",
    shard(count = 8),
    retry(count = 1, delay = "1s"),
    labels(team = "logistics")
)]
async fn sync_inventory(ctx: &JobContext) -> Result<String, JobError> {
    let shard = ctx.shard();
    ctx.log(format_args!("INFO warehouse {} of {}", shard.index + 1, shard.total));
    pause(ctx, 40 + 25 * u64::from(shard.index)).await?;
    if shard.index == 5 && dice(ctx, 3) == 0 {
        let cause = anyhow::anyhow!("connection reset by peer (os error 104)");
        return Err(cause.context("could not read the stock of warehouse 6").into());
    }
    Ok(format!("{} articles", 120 + dice(ctx, 900)))
}

/// Copies customers that changed to the CRM
#[job(
    "sync-customers",
    service = "sync",
    fixed_delay = "10s",
    timeout = "1m",
    labels(team = "crm")
)]
async fn sync_customers(ctx: &JobContext) -> JobResult {
    pause(ctx, 300 + dice(ctx, 900)).await?;
    Ok(format!("{} customers", dice(ctx, 60)).into())
}

/// Pulls exchange rates from the central bank
#[job("pull-exchange-rates", service = "sync", fixed_rate = "3s", labels(team = "finance"))]
async fn pull_exchange_rates() -> JobResult {
    Ok(json!({"EUR/USD": 1.0841, "EUR/CNY": 7.8412}).to_string().into())
}

/// Pushes orders to the warehouse until it is stopped
#[job("push-orders", service = "sync", block = "skip_new", labels(team = "logistics"))]
async fn push_orders(ctx: &JobContext) -> JobResult {
    for order in 1_u64.. {
        pause(ctx, 700).await?;
        ctx.log(format_args!("INFO order {} pushed", 70_000 + order));
        ctx.progress(order, 0, format!("{order} orders"));
    }
    Ok("never".into())
}

/// Rebuilds the index of a search server, on every server
#[job(
    "reindex",
    service = "search",
    cron = "0 0 4 * * ?",
    shard = "all",
    timeout = "30m",
    labels(team = "search")
)]
async fn reindex(ctx: &JobContext, documents: Option<u64>) -> JobResult {
    let documents = documents.unwrap_or(50_000);
    for step in 1..=50 {
        pause(ctx, documents / 500).await?;
        ctx.progress(documents * step / 50, documents, "documents");
    }
    Ok(format!("{documents} documents").into())
}

/// Keeps the caches of the search servers warm
#[job("warm-cache", service = "search", fixed_rate = "2s", labels(team = "search"))]
async fn warm_cache(ctx: &JobContext) -> JobResult {
    pause(ctx, 5 + dice(ctx, 30)).await?;
    Ok(format!("hit rate {} %", 80 + dice(ctx, 19)).into())
}

/// Learns the spelling of new words
#[job("learn-words", service = "search", cron = "0 15 * * * ?", labels(team = "search"))]
async fn learn_words(ctx: &JobContext) -> JobResult {
    ctx.log("INFO reading words.txt");
    let words: Vec<&str> = Vec::new();
    Ok(words[usize::try_from(dice(ctx, 9)).unwrap_or(0)].into())
}

/// Does nothing, very often
#[job("drop", service = "storm")]
async fn drop_of_rain() {}
