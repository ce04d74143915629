//! How late handlers start when many jobs are due in the same second.
//!
//! 6,000 jobs on `0/5 * * * * ?` for 30 s; lateness is the time from the fire's instant to the
//! handler's start, both by the clock of this machine. `--jobs N` sets the number of jobs.

use std::{
    io::Write,
    sync::Mutex,
    time::{Duration, Instant},
};

use fastjob_executor::prelude::*;
use fastjob_tests::bench::{self, Bench, Kind};
use serde_json::json;

/// Lateness in microseconds, until `flush` writes it to a file.
static LATE: Mutex<Vec<i64>> = Mutex::new(Vec::new());

#[job("late")]
async fn late(ctx: &JobContext) {
    let now = fastjob_tests::now();
    if let Some(fire_at) = ctx.fire_at() {
        let late = now.as_microsecond() - fire_at.as_microsecond();
        LATE.lock().expect("no panic before").push(late);
    }
}

/// Appends the values measured since the last call to the file that the param names.
#[job("flush")]
async fn flush(path: &JobContext) -> JobResult {
    let late = std::mem::take(&mut *LATE.lock().expect("no panic before"));
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path.param_text().ok_or_else(|| JobError::fatal("the param has to name a file"))?)?;
    for micros in late {
        writeln!(file, "{micros}")?;
    }
    Ok("written".into())
}

#[job("entered")]
async fn entered() -> JobResult {
    Ok(fastjob_tests::now().as_microsecond().to_string().into())
}

fn main() {
    if bench::play_role() {
        return;
    }
    let kind = Kind::asked();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure(kind));
}

async fn measure(kind: Kind) {
    let jobs: usize = bench::flag("--jobs").and_then(|jobs| jobs.parse().ok()).unwrap_or(6_000);
    let bench = Bench::start("lateness", kind).await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        let asked = fastjob_tests::now().as_microsecond();
        let task = bench.rest.start("entered", json!({})).await;
        let view = bench.rest.ended(task).await;
        let at = view["result"].as_str().and_then(|text| text.parse::<i64>().ok());
        idle.push(at.expect("an instant") - asked);
    }
    let job = |n: usize| json!({"name": format!("j{n}"), "handler": "late", "schedule": {"cron": "0/5 * * * * ?"}});
    bench.save_jobs(jobs, job).await;
    let path = bench.folder.join("late").display().to_string();
    tokio::time::sleep(Duration::from_secs(6)).await;
    flush_to(&bench, "/dev/null").await;
    let (cpu, started) = (bench.cpu(), Instant::now());
    tokio::time::sleep(Duration::from_secs(30)).await;
    let (after, took) = (bench.cpu(), started.elapsed().as_secs_f64());
    flush_to(&bench, &path).await;
    let text = std::fs::read_to_string(&path).expect("the figures were written");
    let late: Vec<i64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    bench::write(
        "lateness.json",
        &json!({
            "store": kind.name(), "nodes": kind.nodes(), "jobs": jobs, "measured": late.len(), "late_ms": figures(late),
            "start_to_entered_ms": figures(idle),
            "coordinator_cpu": (after.0 - cpu.0) / took, "executor_cpu": (after.1 - cpu.1) / took,
            "machine": bench::machine(),
        }),
    );
}

async fn flush_to(bench: &Bench, path: &str) {
    let task = bench.rest.start("flush", json!({"param": path})).await;
    assert_eq!(bench.rest.ended(task).await["state"], "succeeded");
}

fn figures(mut micros: Vec<i64>) -> serde_json::Value {
    micros.sort_unstable();
    let at = |part: f64| {
        let index = (micros.len().saturating_sub(1) as f64 * part).round() as usize;
        micros.get(index).map_or(0.0, |micros| *micros as f64 / 1_000.0)
    };
    json!({"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1.0)})
}
