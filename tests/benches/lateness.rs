//! How late handlers start when many jobs are due in the same second.
//!
//! ```text
//! cargo bench -p fastjob-tests --bench lateness -- [--store sqlite|postgres] [--nodes N]
//!     [--jobs 6000] [--seconds 30] [--against PATH]
//! ```
//!
//! N jobs on `0/5 * * * * ?`, so that all of them are due in one second of five. Lateness is the time
//! from the fire's instant to the handler's start, both by the clock of this machine.
//! `start_to_entered` is the time from a request that starts a task, on an idle coordinator, to the
//! handler's start. Each measurement also prints which threads used the processors, as in
//! `throughput`.
//!
//! `--against PATH` compares with another build, in the order A B B A; see `throughput` for how. The
//! `summary` of a build has the mean of its two measurements, and `ratio` divides this build's figures
//! by the other's. All figures are also in `target/bench/lateness.json`.

use std::{io::Write, sync::Mutex, time::Duration};

use fastjob_executor::prelude::*;
use fastjob_tests::bench::{
    self, Args, Bench, Build, Compared, Figure, Kind, Percentiles, Turns, Usage,
};
use serde_json::{Value, json};

const USAGE: &str = "
lateness [--store sqlite|postgres] [--nodes N] [--jobs 6000] [--seconds 30] [--against PATH]
";

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

/// One measurement of one build.
struct Measured {
    late: Percentiles,
    idle: Percentiles,
    usage: Usage,
}

fn main() {
    if bench::play_role() {
        return;
    }
    let values = ["--store", "--nodes", "--jobs", "--seconds", "--against"];
    let args = Args::of_process(USAGE, &values, &[]);
    let kind = args.kind();
    let jobs = args.number("--jobs", 6_000, (1, 400_000));
    let seconds: u64 = args.number("--seconds", 30, (5, 3_600));
    if !seconds.is_multiple_of(5) {
        bench::refuse("--seconds must be a multiple of 5, because jobs are due every 5 s");
    }
    let builds = Build::of(&args);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure_all(kind, jobs, seconds, &builds));
}

async fn measure_all(kind: Kind, jobs: usize, seconds: u64, builds: &[Build]) {
    for build in builds {
        println!("{}: {}", build.name, build.program.display());
    }
    let mut measured: Vec<Vec<Measured>> = builds.iter().map(|_| Vec::new()).collect();
    for turn in Turns::two_each(builds.len()) {
        let figures = measure(kind, jobs, seconds, &builds[turn]).await;
        println!(
            "{}: {jobs} jobs, {} fires; late {}; from a start to the handler {}\n{}",
            builds[turn].name,
            figures.late.count(),
            figures.late,
            figures.idle,
            figures.usage,
        );
        measured[turn].push(figures);
    }
    report(kind, jobs, seconds, builds, &measured);
}

async fn measure(kind: Kind, jobs: usize, seconds: u64, build: &Build) -> Measured {
    let mut bench = Bench::start("lateness", kind, build).await;
    bench.probe("entered").await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        let asked = fastjob_tests::now().as_microsecond();
        let task = bench::start(&bench.rest, "probe", &json!({})).await;
        let view = bench.ended(task).await;
        let at = view["result"].as_str().and_then(|text| text.parse::<i64>().ok());
        idle.push(at.expect("an instant") - asked);
    }
    bench.save(json!({"name": "flush", "handler": "flush"})).await;
    let job = |n: usize| json!({"name": format!("j{n}"), "handler": "late", "schedule": {"cron": "0/5 * * * * ?"}});
    bench.save_jobs(jobs, job).await;
    let path = bench.folder.join("late").display().to_string();
    tokio::time::sleep(Duration::from_secs(6)).await;
    between_fires().await;
    flush_to(&bench, "/dev/null").await;
    let before = bench.snapshot().await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let usage = before.until(&bench.snapshot().await);
    flush_to(&bench, &path).await;
    let text = std::fs::read_to_string(&path).expect("the figures were written");
    let late = text.lines().filter_map(|line| line.parse().ok()).collect();
    Measured { late: Percentiles::of(late), idle: Percentiles::of(idle), usage }
}

/// Waits until the middle between two instants at which jobs are due. So measurements of the same
/// length have the same number of fires.
async fn between_fires() {
    let since_fire = fastjob_tests::now().as_millisecond().rem_euclid(5_000);
    let left = (2_500 - since_fire).rem_euclid(5_000);
    tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0))).await;
}

async fn flush_to(bench: &Bench, path: &str) {
    let task = bench::start(&bench.rest, "flush", &json!({"param": path})).await;
    assert_eq!(bench.ended(task).await["state"], "succeeded");
}

const FIGURES: &[Figure<Measured>] = &[
    ("late_p50_ms", |it| Some(it.late.at(0.5))),
    ("late_p99_ms", |it| Some(it.late.at(0.99))),
    ("late_max_ms", |it| Some(it.late.at(1.0))),
    ("start_to_entered_p50_ms", |it| Some(it.idle.at(0.5))),
    ("start_to_entered_p99_ms", |it| Some(it.idle.at(0.99))),
    ("coordinator_cores", |it| Some(it.usage.share_of("coordinator"))),
    ("executor_cores", |it| Some(it.usage.share_of("executor"))),
];

fn report(kind: Kind, jobs: usize, seconds: u64, builds: &[Build], measured: &[Vec<Measured>]) {
    let settings = [
        ("bench", json!("lateness")),
        ("store", json!(kind.word())),
        ("nodes", json!(kind.nodes())),
        ("jobs", json!(jobs)),
        ("seconds", json!(seconds)),
    ];
    let compared = Compared::of(&settings, builds, measured, FIGURES);
    let of_build = |measured: &Vec<Measured>| -> Value {
        let all = measured.iter().map(|it| {
            json!({
                "measured": it.late.count(), "late_ms": it.late.to_json(),
                "start_to_entered_ms": it.idle.to_json(), "used": it.usage.to_json(),
            })
        });
        all.collect()
    };
    bench::keep(
        "lateness.json",
        &json!({
            "store": kind.name(), "nodes": kind.nodes(), "jobs": jobs, "seconds": seconds,
            "builds": compared.to_json(),
            "measured": measured.iter().map(of_build).collect::<Value>(),
            "machine": bench::machine(),
        }),
    );
    println!("{compared}");
}
