//! Checks that a coordinator's memory stays flat with 100,000 jobs on SQLite, under every load that
//! has ever caused growth.
//!
//! `FASTJOB_SOAK=1 cargo run --release -p fastjob-tests --bin soak -- --minutes 60 [--jobs 100000]`
//! prints the coordinator's resident memory every minute and writes `target/bench/soak.json`. It
//! exits with 0 if the memory was flat: after the first ten minutes, the maximum of the last third
//! is at most 5 % above that of the second third. It removes its processes and files at the end.
//!
//! The load: jobs of every kind of schedule; tasks that wait for an executor that never connects;
//! delayed starts that are stopped again; handlers that send checkpoints and progress all the time;
//! a store that rejects writes for one minute in ten; executors that are replaced, each by one with
//! a new name, with SIGTERM and SIGKILL in turn.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use fastjob_executor::prelude::*;
use fastjob_tests::{
    bench,
    process::{Coordinator, Process},
    rest::Rest,
};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep},
};

/// The variable that makes this process one of the executors.
const EXECUTOR: &str = "SOAK_EXECUTOR";
const MINUTE: Duration = Duration::from_secs(60);
/// The minutes until caches and pools have reached their size.
const WARM_UP: usize = 10;
/// By how much the last third may exceed the second, in percent.
const FLAT: u64 = 5;

#[job("quick")]
async fn quick() {}

/// Sends a checkpoint and its progress twenty times a second, for half a minute.
#[job("checkpoints")]
async fn checkpoints(ctx: &JobContext) -> JobResult {
    for step in 1..=600_u64 {
        ctx.checkpoint(&json!({"step": step, "state": "x".repeat(2_000)}))?;
        ctx.progress(step, 600, format!("step {step}"));
        tokio::select! {
            () = sleep(Duration::from_millis(50)) => {}
            () = ctx.stop_token().cancelled() => {
                return Err(JobError::retryable("asked to stop"));
            }
        }
    }
    Ok("done".into())
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(err) => {
            eprintln!("soak: could not start the runtime: {err}");
            return ExitCode::FAILURE;
        }
    };
    // This program also runs the coordinator and the executors, so that all are the same build.
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return runtime.block_on(fastjob_coordinator::cli::main());
    }
    if std::env::var_os(EXECUTOR).is_some() {
        return runtime.block_on(execute());
    }
    if std::env::var_os("FASTJOB_SOAK").is_none() {
        eprintln!("soak: this takes an hour and two CPUs; set FASTJOB_SOAK=1 to run it");
        return ExitCode::from(2);
    }
    let number = |flag: &str, default: usize| match bench::flag(flag) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| format!("{flag} takes a number, not `{text}`")),
    };
    match number("--minutes", 60).and_then(|minutes| Ok((minutes, number("--jobs", 100_000)?))) {
        Ok((minutes, jobs)) => runtime.block_on(soak(minutes, jobs)),
        Err(why) => {
            eprintln!("soak: {why}");
            ExitCode::from(2)
        }
    }
}

async fn execute() -> ExitCode {
    let run = async { Executor::configured()?.stop_grace(Duration::from_secs(2)).run().await };
    match run.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("error: {err:?}");
            ExitCode::FAILURE
        }
    }
}

/// Counts for the figures.
#[derive(Default)]
struct Done {
    waits: AtomicU64,
    stopped: AtomicU64,
    refused: AtomicU64,
    outages: AtomicU64,
    executors: AtomicU64,
}

async fn soak(minutes: usize, jobs: usize) -> ExitCode {
    let program = std::env::current_exe().expect("this program");
    // A short retention keeps the file small.
    let coordinator = Coordinator::prepare(&program).env("FASTJOB_HISTORY", "10m");
    let mut coordinator = coordinator.env("FASTJOB_LOG", "warn");
    coordinator.up().await;
    println!("saving {jobs} jobs");
    save(&coordinator.rest(), jobs).await;

    let done = std::sync::Arc::new(Done::default());
    let mut load = JoinSet::new();
    load.spawn(wait_for_the_absent(coordinator.rest(), done.clone()));
    load.spawn(start_and_stop(coordinator.rest(), done.clone()));
    load.spawn(lock_the_store(coordinator.store(), done.clone()));

    let mut executors = Executors::default();
    for _ in 0..3 {
        executors.add(&coordinator, &program);
    }
    let (mut rss, mut ended) = (Vec::with_capacity(minutes), None);
    let mut ticks = interval(MINUTE);
    ticks.tick().await;
    for minute in 1..=minutes {
        tokio::select! {
            _ = ticks.tick() => {}
            // These tasks never end unless they fail.
            Some(over) = load.join_next() => {
                ended = Some(format!("the load ended: {over:?}"));
                break;
            }
        }
        let kib = bench::rss_kib(coordinator.id());
        println!("minute {minute}: {} MiB", kib / 1024);
        if kib == 0 {
            ended = Some("the coordinator ended".to_owned());
            break;
        }
        rss.push(kib);
        if minute % 2 == 0 {
            executors.replace(&coordinator, &program);
            done.executors.fetch_add(1, Ordering::Relaxed);
        }
    }
    load.shutdown().await;
    let flat = flat(&rss);
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    bench::write(
        "soak.json",
        &json!({
            "jobs": jobs, "minutes": rss.len(), "rss_kib": rss, "flat": flat, "ended_early": ended,
            "tasks_waiting_for_an_executor": count(&done.waits),
            "delayed_starts_stopped": count(&done.stopped),
            "calls_refused": count(&done.refused), "store_outages": count(&done.outages),
            "executors_replaced": count(&done.executors), "machine": bench::machine(),
        }),
    );
    match (flat, ended) {
        (_, Some(why)) => {
            let said = coordinator.said("coordinator");
            let last: Vec<_> = said.lines().rev().take(20).collect();
            eprintln!(
                "soak: {why}; the coordinator's last lines, newest first:\n{}",
                last.join("\n")
            );
            ExitCode::FAILURE
        }
        (None, None) => {
            println!("too short for a result: run it for more than {} minutes", WARM_UP + 3);
            ExitCode::SUCCESS
        }
        (Some(true), None) => {
            println!("flat after the first {WARM_UP} minutes");
            ExitCode::SUCCESS
        }
        (Some(false), None) => {
            eprintln!("soak: memory grew after the first {WARM_UP} minutes");
            ExitCode::FAILURE
        }
    }
}

/// Whether memory was flat after the first ten minutes: compares the maximum of the last third with
/// that of the second. `None` if there are too few minutes.
fn flat(rss: &[u64]) -> Option<bool> {
    let third = rss.len() / 3;
    let second = rss.get(third.max(WARM_UP)..2 * third)?.iter().max()?;
    let last = rss.get(2 * third..)?.iter().max()?;
    Some(last * 100 <= second * (100 + FLAT))
}

/// Saves jobs of every kind of schedule; 100,000 of them fire about a hundred times per second.
async fn save(rest: &Rest, jobs: usize) {
    let mut saving = JoinSet::new();
    for n in 0..jobs {
        let (rest, job) = (rest.clone(), job(n));
        saving.spawn(async move { rest.save(job).await });
        if saving.len() >= 64 {
            saving.join_next().await.expect("one is there").expect("a job is saved");
        }
    }
    while let Some(saved) = saving.join_next().await {
        saved.expect("a job is saved");
    }
    let patient = json!({"name": "absent", "handler": "nowhere", "no_executor": "12m",
        "block": {"strategy": "parallel", "max_waiting": 10_000}});
    rest.save(patient).await;
    rest.save(json!({"name": "later", "handler": "quick"})).await;
}

fn job(n: usize) -> Value {
    let (second, minute, name) = (n % 60, n / 60 % 60, format!("j{n}"));
    let retry = json!({"count": 3, "delay": "1s"});
    // 30 of them run at any time, whatever the number of jobs.
    if n < 30 {
        return json!({"name": name, "handler": "checkpoints", "retry": retry,
            "schedule": {"fixed_delay": "1s"}});
    }
    if n < 80 {
        return json!({"name": name, "handler": "quick", "schedule": {"cron": "* * * * * ?"}});
    }
    let schedule = match n % 10 {
        0..=4 => json!({"cron": format!("{second} {minute} * * * ?"), "zone": "Europe/Berlin"}),
        5 | 6 => json!({"fixed_rate": "20m"}),
        7 => json!({"fixed_delay": "15m"}),
        8 => json!({"cron": format!("{second} {minute} 2 ? * MON-FRI"), "zone": "Asia/Shanghai"}),
        _ => json!({"cron": "0 0 0 L * ?"}),
    };
    let misfire = ["skip", "fire_once"][n / 10 % 2];
    let mut job = json!({"name": name, "handler": "quick", "schedule": schedule, "retry": retry,
        "misfire": misfire});
    match n % 10 {
        4 => job["exclude"] = json!({"hours": ["22-6"], "days": ["12-24..12-26"]}),
        6 => job["jitter"] = json!("10m"),
        _ => {}
    }
    job
}

/// Starts a hundred tasks per minute that wait for an executor that never connects.
async fn wait_for_the_absent(rest: Rest, done: std::sync::Arc<Done>) {
    let mut ticks = interval(MINUTE / 100);
    loop {
        ticks.tick().await;
        let param = json!({"param": "p".repeat(1_000)}).to_string();
        match rest.ask("POST", "/api/v1/jobs/absent/start", Some(param)).await {
            Ok((200, _)) => done.waits.fetch_add(1, Ordering::Relaxed),
            // The store is locked.
            Ok(_) | Err(_) => done.refused.fetch_add(1, Ordering::Relaxed),
        };
    }
}

/// Starts a thousand tasks per minute for tomorrow, and stops them again.
async fn start_and_stop(rest: Rest, done: std::sync::Arc<Done>) {
    let mut ticks = interval(MINUTE / 1_000);
    let ask = json!({"delay": "1d", "param": "p".repeat(1_000)}).to_string();
    loop {
        ticks.tick().await;
        let started = rest.ask("POST", "/api/v1/jobs/later/start", Some(ask.clone())).await;
        let task = started.ok().and_then(|(_, answer)| answer["task"].as_i64());
        let Some(task) = task else {
            done.refused.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        // Retry until it is stopped, even while the store is locked.
        while !matches!(
            rest.ask("POST", &format!("/api/v1/tasks/{task}/stop"), None).await,
            Ok((200, _))
        ) {
            done.refused.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_secs(1)).await;
        }
        done.stopped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Locks the store for one minute in ten, so that the coordinator cannot write.
async fn lock_the_store(store: std::path::PathBuf, done: std::sync::Arc<Done>) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(store);
    let options = options.busy_timeout(Duration::from_secs(30)).disable_statement_logging();
    let mut next = Instant::now() + 4 * MINUTE;
    loop {
        tokio::time::sleep_until(next).await;
        next += 10 * MINUTE;
        let mut lock = options.connect().await.expect("the store can be opened");
        sqlx::raw_sql("begin exclusive").execute(&mut lock).await.expect("it can be locked");
        sleep(MINUTE).await;
        sqlx::raw_sql("rollback").execute(&mut lock).await.expect("it can be unlocked");
        lock.close().await.expect("it can be closed");
        done.outages.fetch_add(1, Ordering::Relaxed);
    }
}

/// Executors, each with a unique name.
#[derive(Default)]
struct Executors {
    next: usize,
    live: Vec<Process>,
    /// The last one that was asked to stop. It is killed if it still runs at the next replacement.
    leaving: Option<Process>,
}

impl Executors {
    fn add(&mut self, coordinator: &Coordinator, program: &std::path::Path) {
        let name = format!("pod-{}", self.next);
        self.next += 1;
        self.live.push(coordinator.executor_with(program, &name, &[(EXECUTOR, "1")]));
    }

    /// Starts a new one, then ends the oldest: in turn with SIGTERM and SIGKILL.
    fn replace(&mut self, coordinator: &Coordinator, program: &std::path::Path) {
        self.add(coordinator, program);
        let oldest = self.live.remove(0);
        self.leaving = self.next.is_multiple_of(2).then(|| {
            oldest.signal("TERM");
            oldest
        });
    }
}
