//! An executor with handlers for the tests.

use std::{io::Write, time::Duration};

use fastjob_client::Client;
use fastjob_executor::prelude::*;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider},
};
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Records in a file, which survives a kill, that an attempt has started.
fn record(ctx: &JobContext) {
    let Ok(path) = std::env::var("TEST_RECORDS") else { return };
    let line = format!("{} {}\n", std::process::id(), ctx.attempt_id());
    let file = std::fs::File::options().create(true).append(true).open(path);
    if let Err(err) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
        eprintln!("cannot record: {err}");
    }
}

#[job("noop")]
async fn noop(ctx: &JobContext) -> JobResult {
    record(ctx);
    Ok("done".into())
}

/// Takes as many milliseconds as the variable `TEST_PACE` says.
#[job("paced")]
async fn paced(ctx: &JobContext) -> JobResult {
    record(ctx);
    let millis = std::env::var("TEST_PACE").ok().and_then(|millis| millis.parse().ok());
    tokio::time::sleep(Duration::from_millis(millis.unwrap_or(0))).await;
    Ok("done".into())
}

#[job("slow")]
async fn slow(ctx: &JobContext, millis: u64) -> JobResult {
    record(ctx);
    ctx.log(format_args!("sleeping {millis} ms"));
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(millis)) => Ok("slept".into()),
        () = ctx.stop_token().cancelled() => Err(JobError::retryable("asked to stop")),
    }
}

#[job("flaky")]
async fn flaky(ctx: &JobContext, failures: u32) -> JobResult {
    record(ctx);
    if ctx.attempt() <= failures {
        return Err(JobError::retryable(format!("failure {}", ctx.attempt())));
    }
    Ok(format!("after {} attempts", ctx.attempt()).into())
}

#[job("fatal")]
async fn fatal() -> JobResult {
    Err(JobError::fatal("no use"))
}

/// Fails with its param as the reason.
#[job("complains")]
async fn complains(ctx: &JobContext) -> JobResult {
    Err(JobError::fatal(ctx.param_text().unwrap_or("nothing").to_owned()))
}

#[job("panics")]
async fn panics() -> JobResult {
    panic!("oh no");
}

#[job("stubborn")]
async fn stubborn(ctx: &JobContext) -> JobResult {
    record(ctx);
    tokio::time::sleep(Duration::from_secs(600)).await;
    Ok("never".into())
}

/// Blocks its thread until the file that the param names exists.
#[job("blocks")]
async fn blocks(ctx: &JobContext) -> JobResult {
    record(ctx);
    ctx.log("blocks");
    while !ctx.param_text().is_some_and(|path| std::path::Path::new(path).exists()) {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok("let go".into())
}

/// Logs as many lines as the param says, with pauses.
#[job("talks")]
async fn talks(ctx: &JobContext, lines: u32) -> JobResult {
    for line in 1..=lines {
        ctx.log(format_args!("line {line}"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok("said".into())
}

/// Logs as many MiB as the param says, and then waits to be stopped.
#[job("floods")]
async fn floods(ctx: &JobContext, mib: u64) -> JobResult {
    let (mut bytes, mut line) = (0, 0_u64);
    while bytes < mib << 20 {
        for _ in 0..64 {
            line += 1;
            // Some of it does not compress well.
            let noise = line.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ctx.log(format_args!("line {line} 語 {noise:0512x} {noise:0500b}"));
            bytes += 1024;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    ctx.log("flooded");
    ctx.stop_token().cancelled().await;
    Err(JobError::fatal("was stopped"))
}

/// Does nothing and records nothing, for load tests.
#[job("quick")]
async fn quick() {}

/// Returns which shard it was.
#[job("part")]
async fn part(ctx: &JobContext) -> JobResult {
    record(ctx);
    let shard = ctx.shard();
    Ok(format!("{} of {}", shard.index, shard.total).into())
}

/// Returns which shard it was. Odd shards fail until the file that the param names exists.
#[job("odd_part")]
async fn odd_part(ctx: &JobContext) -> JobResult {
    let shard = ctx.shard();
    let may_run = ctx.param_text().is_some_and(|path| std::path::Path::new(path).exists());
    if shard.index % 2 == 1 && !may_run {
        return Err(JobError::fatal(format!("shard {} may not run", shard.index)));
    }
    Ok(format!("{} of {}", shard.index, shard.total).into())
}

/// Returns its param.
#[job("echo")]
async fn echo(ctx: &JobContext) -> JobResult {
    Ok(ctx.param_text().unwrap_or("nothing").into())
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Month {
    /// 1 to 12.
    #[schemars(range(min = 1, max = 12))]
    month: u8,
    #[serde(default)]
    note: Option<String>,
}

/// Writes the report of a month.
#[job("monthly", service = "reports")]
async fn monthly(month: Month) -> JobResult {
    Ok(format!("month {} {}", month.month, month.note.unwrap_or_default()).into())
}

/// Counts to ten. The first attempt fails at five, and the next one resumes from there.
#[job("counts")]
async fn counts(ctx: &JobContext, millis: u64) -> JobResult {
    let from = ctx.last_checkpoint::<u64>()?.unwrap_or(0);
    for step in from + 1..=10 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        ctx.progress(step, 10, format!("step {step}"));
        ctx.checkpoint(&step)?;
        if step == 5 && ctx.attempt() == 1 {
            return Err(JobError::retryable("half way"));
        }
    }
    Ok(format!("resumed from {from}").into())
}

/// Starts the job that the param names, and waits for its end.
#[job("starts")]
async fn starts(ctx: &JobContext) -> JobResult {
    let server = std::env::var("TEST_SERVER").map_err(JobError::fatal)?;
    let client = Client::builder(server).build().map_err(JobError::fatal)?;
    let job = client.job(ctx.param_text().unwrap_or_default());
    let ended = job.start().send_and_wait(Duration::from_secs(20)).await;
    Ok(ended.map_err(JobError::retryable)?.state.to_string().into())
}

/// Returns the trace that it is part of.
#[job("says_trace")]
async fn says_trace(ctx: &JobContext) -> JobResult {
    Ok(ctx.traceparent().unwrap_or_else(|| "none".to_owned()).into())
}

/// Sends spans ten times a second.
fn soon(exporter: SpanExporter) -> BatchSpanProcessor {
    let delay = Duration::from_millis(100);
    let config = BatchConfigBuilder::default().with_scheduled_delay(delay).build();
    BatchSpanProcessor::builder(exporter).with_batch_config(config).build()
}

/// Writes events to stderr, and sends spans to the collector that `TEST_OTLP` names, as services do.
fn observe() -> Option<SdkTracerProvider> {
    let printed = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let Ok(collector) = std::env::var("TEST_OTLP") else {
        tracing_subscriber::registry().with(printed.with_filter(LevelFilter::INFO)).init();
        return None;
    };
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(collector).build();
    let resource = Resource::builder().with_service_name("test-executor").build();
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_span_processor(soon(exporter.expect("an exporter of spans")))
        .build();
    let traced = tracing_opentelemetry::layer().with_tracer(provider.tracer("test-executor"));
    tracing_subscriber::registry()
        .with(printed.with_filter(LevelFilter::INFO))
        .with(traced.with_filter(filter_fn(|metadata| metadata.target().starts_with("fastjob"))))
        .init();
    Some(provider)
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let _provider = observe();
    let run = async {
        let mut executor = Executor::configured()?.stop_grace(Duration::from_secs(4));
        if let Ok(zone) = std::env::var("TEST_ZONE") {
            executor = executor.label("zone", zone);
        }
        executor.run().await
    };
    match run.await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("error: {err:?}");
            std::process::ExitCode::FAILURE
        }
    }
}
