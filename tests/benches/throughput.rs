//! The highest rate of runs per second, end to end and recorded.
//!
//! N jobs with a no-op handler on `* * * * * ?`, for 20 s. The rate is sustained if every fire of
//! every second is recorded, and all but those of the last second have ended when the time is over.
//! `--rates 20000,40000` sets the rates to try, `--seconds 5` the duration. `--store postgres`
//! measures on a private PostgreSQL, and `--nodes 2` with two coordinators. The last measurement is
//! of tasks started over the API.

use std::time::{Duration, Instant};

use fastjob_executor::prelude::*;
use fastjob_tests::bench::{self, Bench, Kind};
use serde_json::{Value, json};

#[job("noop")]
async fn noop() {}

fn main() {
    if bench::play_role() {
        return;
    }
    let kind = Kind::asked();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure(kind));
}

async fn measure(kind: Kind) {
    let rates = bench::flag("--rates").unwrap_or_else(|| "20000,40000,60000,80000".to_owned());
    let seconds: u64 = bench::flag("--seconds").and_then(|s| s.parse().ok()).unwrap_or(20);
    let mut tried = Vec::new();
    let mut best = 0;
    for rate in rates.split(',').filter_map(|rate| rate.trim().parse::<usize>().ok()) {
        let figures = hold(kind, rate, seconds).await;
        println!("{figures}");
        let holds = figures["holds"] == true;
        tried.push(figures);
        if !holds {
            break;
        }
        best = rate;
    }
    let starts = starts(kind).await;
    bench::write(
        "throughput.json",
        &json!({
            "store": kind.name(), "nodes": kind.nodes(), "runs_per_s": best, "seconds": seconds, "starts_by_api_per_s": starts,
            "tried": tried, "machine": bench::machine(),
        }),
    );
}

async fn hold(kind: Kind, rate: usize, seconds: u64) -> Value {
    let bench = Bench::start("throughput", kind).await;
    let job = |n: usize| {
        json!({"name": format!("j{n}"), "handler": "noop", "enabled": true,
            "schedule": {"cron": "* * * * * ?"}})
    };
    bench.save_jobs(rate, job).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let now_ms = || fastjob_tests::now().as_millisecond();
    let (from, cpu) = ((now_ms() / 1_000 + 1) * 1_000, bench.cpu());
    let started = Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds + 1)).await;
    let (took, after, memory) = (started.elapsed().as_secs_f64(), bench.cpu(), bench.memory());
    let until = from + i64::try_from(seconds).unwrap_or(0) * 1_000;
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    let (fires, distinct, ended) = bench.count(from, until).await;
    let wanted = i64::try_from(rate).unwrap_or(0) * i64::try_from(seconds).unwrap_or(0);
    json!({
        "jobs": rate, "fires_wanted": wanted, "fires_recorded": fires, "distinct": distinct,
        "succeeded": ended,
        "holds": fires == wanted && distinct == wanted && ended == wanted,
        "coordinator_cpu": (after.0 - cpu.0) / took, "executor_cpu": (after.1 - cpu.1) / took,
        "coordinator_mib": memory.0, "executor_mib": memory.1,
    })
}

/// Tasks started by REST from 64 connections for 5 s.
async fn starts(kind: Kind) -> f64 {
    let bench = Bench::start("starts", kind).await;
    bench
        .rest
        .save(json!({"name": "s", "handler": "noop", "block": {"max_waiting": 100_000}}))
        .await;
    let until = Instant::now() + Duration::from_secs(5);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let rest = bench.rest.clone();
        callers.spawn(async move {
            let mut count = 0_u32;
            while Instant::now() < until {
                rest.start("s", json!({})).await;
                count += 1;
            }
            count
        });
    }
    let mut all = 0;
    while let Some(count) = callers.join_next().await {
        all += count.expect("a caller");
    }
    f64::from(all) / 5.0
}
