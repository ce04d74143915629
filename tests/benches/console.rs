//! The console in a browser: how fast it is, and what it costs.
//!
//! ```text
//! cargo bench -p fastjob-tests --bench console -- --measure pages --folder DIR
//!     [--tasks 10000000] [--jobs 100000] [--visits 9]
//! cargo bench -p fastjob-tests --bench console -- --measure storm [--rate 30000] [--fed 0] [--seconds 60]
//! cargo bench -p fastjob-tests --bench console -- --measure log [--lines 100000] [--per-second 1000]
//!     [--seconds 60]
//! ```
//!
//! Needs Node.js, Chromium and the console's packages, as the browser tests do. The parts that run in the
//! browser are `fastjob-coordinator/console/tests/figures`.
//!
//! - **pages** opens the overview, lists, a job and a task on a store with many tasks, and uses them. The
//!   store is filled once into `--folder`, which remains for later runs for 12 hours; no executor is
//!   connected. Each page is opened `--visits` times by a new browser, with an empty cache, and with a warm
//!   one. `first_contentful_paint_ms` is the browser's figure, `content_ms` the first paint with data, such
//!   as the first row. Of an interaction, `result_ms` is the time from the input to the paint of its result,
//!   and `input_ms` the browser's figure for the input (Event Timing): to the next paint.
//! - **storm** runs `--rate` tasks per second, of as many jobs, while an overview is open, and measures which
//!   share of a core the browser uses. First the page rests in the storm for `--seconds` without an
//!   instrument; then its frames are counted for up to 20 s. The tasks of the storm are counted in the store.
//!   With `--fed N` the tasks still run at `--rate`, but the page gets the event stream that a coordinator
//!   would send with N tasks per second, for rates that the machine cannot run: **such figures are not of a
//!   real storm**.
//! - **log** runs a task with `--lines` lines, scrolls through its log, and follows another one at its end
//!   while it grows by `--per-second` lines per second.
//!
//! Lines of `summary` are for programs; all figures are also in `target/bench/console-MEASURE.json`.

use std::{path::Path, time::Duration};

use fastjob_executor::prelude::*;
use fastjob_tests::{
    bench::{self, Args, Bench, Build, Counted, Fill, Kind, Summary, Usage},
    browser,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

const USAGE: &str = "
console --measure pages --folder DIR [--tasks 10000000] [--jobs 100000] [--visits 9]
console --measure storm [--rate 30000] [--fed 0] [--seconds 60]
console --measure log [--lines 100000] [--per-second 1000] [--seconds 60]
";
/// When all fires of a storm must have ended, after its end.
const BOUND: Duration = Duration::from_secs(2);
/// How many jobs are saved per second at least, on a machine that has nothing else to do.
const SAVED_PER_SECOND: i64 = 3_000;
/// How long a storm runs before a page is opened.
const SETTLE: Duration = Duration::from_secs(5);
/// Lines of a log that are written at once.
const AT_ONCE: u64 = 20;

#[job("noop")]
async fn noop() {}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Lines {
    lines: u64,
    /// Lines that are written before the others.
    at_once: u64,
    /// Lines per second of the others; 0 does not wait.
    per_s: u64,
}

/// Writes a log.
#[job("lines")]
async fn lines(ctx: &JobContext, ask: Lines) -> Result<(), JobError> {
    let levels = ["INFO ", "DEBUG", "INFO ", "WARN ", "ERROR"];
    let started = tokio::time::Instant::now();
    for line in 0..ask.lines {
        let level = levels[usize::try_from(line * 7 % 5).unwrap_or(0)];
        ctx.log(format_args!("{level} order {line}: region=eu product={}", line % 4_211));
        let late = line.saturating_sub(ask.at_once);
        if ask.per_s > 0 && late > 0 && late.is_multiple_of(AT_ONCE) {
            let at = started + Duration::from_secs_f64(late as f64 / ask.per_s as f64);
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                () = ctx.stop_token().cancelled() => return Err(JobError::retryable("asked to stop")),
            }
        } else if line.is_multiple_of(1_000) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(())
}

fn main() {
    if bench::play_role() {
        return;
    }
    let values = [
        "--measure",
        "--folder",
        "--tasks",
        "--jobs",
        "--visits",
        "--rate",
        "--fed",
        "--seconds",
        "--lines",
        "--per-second",
    ];
    let args = Args::of_process(USAGE, &values, &[]);
    let (measure, flags): (&str, &[&str]) = match args.text("--measure") {
        Some("pages") => ("pages", &["--folder", "--tasks", "--jobs", "--visits"]),
        Some("storm") => ("storm", &["--rate", "--fed", "--seconds"]),
        Some("log") => ("log", &["--lines", "--per-second", "--seconds"]),
        Some(_) | None => bench::refuse("--measure must be pages, storm or log"),
    };
    let is_other = |flag: &&&str| **flag != "--measure" && !flags.contains(*flag) && args.has(flag);
    if let Some(flag) = values.iter().find(is_other) {
        bench::refuse(&format!("{flag} is not a flag of --measure {measure}"));
    }
    let missing = browser::missing();
    if !missing.is_empty() {
        bench::refuse(&format!("this needs:\n  - {}", missing.join("\n  - ")));
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        match measure {
            "pages" => pages(&args).await,
            "storm" => storm(&args).await,
            _ => log(&args).await,
        }
    });
}

async fn pages(args: &Args) {
    let Some(folder) = args.text("--folder") else {
        bench::refuse("--measure pages needs --folder: the store is filled into it, and remains")
    };
    let fill = Fill {
        jobs: args.number("--jobs", 100_000, (100, 1_000_000)),
        tasks: args.number("--tasks", 10_000_000, (10_000, 10_000_000)),
    };
    let visits = args.number("--visits", 9, (1, 100));
    let mut bench = Bench::filled(Path::new(folder), fill, &Build::this()).await;
    let pool = bench.store.pool().await;
    let mib = pool.mib().await;
    pool.close().await;
    bench.serve(fill.jobs).await;
    println!("{} tasks of {} jobs, {mib} MiB, at {}", fill.tasks, fill.jobs, bench.url());
    let settings = json!({"visits": visits, "jobs": fill.jobs, "tasks": fill.tasks});
    let (figures, usage) = in_browser(&bench, "pages", &settings).await;
    for (page, caches) in entries(&figures["paints"]) {
        for (cache, figures) in entries(caches) {
            let line =
                Summary::new("summary").with("page", page.as_str()).with("cache", cache.as_str());
            println!("{}", with_all(line, figures, &["median", "max"]));
        }
    }
    for (name, figures) in entries(&figures["interactions"]) {
        let line = Summary::new("summary").with("interaction", name.as_str());
        println!("{}", with_all(line, figures, &["median", "max"]));
    }
    keep("pages", &settings, &figures, &usage, json!({"store_mib": mib}));
}

async fn storm(args: &Args) {
    let rate = args.number("--rate", 30_000, (1, 400_000));
    let fed = args.number("--fed", 0, (0, 1_000_000));
    let seconds: u64 = args.number("--seconds", 60, (1, 3_600));
    let bench = Bench::start("console-storm", Kind::Sqlite, &Build::this()).await;
    // Jobs do not fire while others are saved: a storm that begins with a backlog is another one.
    let saving = i64::try_from(rate).unwrap_or(i64::MAX) / SAVED_PER_SECOND + 3;
    let start_at = fastjob_tests::now() + jiff::SignedDuration::from_secs(saving);
    let job = |n: usize| {
        json!({"name": format!("j{n}"), "handler": "noop", "start_at": start_at.to_string(),
            "schedule": {"cron": "* * * * * ?"}})
    };
    bench.save_jobs(rate, job).await;
    let left = start_at.duration_since(fastjob_tests::now()).max(jiff::SignedDuration::ZERO);
    tokio::time::sleep(left.unsigned_abs() + SETTLE).await;
    let settings = json!({"rate": rate, "fed": fed, "seconds": seconds});
    let (figures, usage) = in_browser(&bench, "storm", &settings).await;
    tokio::time::sleep(BOUND).await;
    let whole = |key: &str| figures[key].as_i64().map(|ms| (ms + 999) / 1_000 * 1_000);
    let (from, until) = whole("from").zip(whole("until")).expect("the measured time");
    let counted = bench.pool().count(from, until).await;
    let Counted { recorded, distinct, succeeded, slowest_ms } = counted;
    let per_second = succeeded * 1_000 / (until - from).max(1);
    let wanted = i64::try_from(rate).unwrap_or(i64::MAX) * (until - from) / 1_000;
    let holds = [recorded, distinct, succeeded] == [wanted; 3];
    println!(
        "of {wanted} fires {recorded} recorded, {succeeded} succeeded, {per_second}/s, slowest \
         {slowest_ms} ms\n{usage}"
    );
    let line = Summary::new("summary")
        .with("rate", rate)
        .with("holds", holds)
        .with("succeeded_per_s", per_second);
    let line = if fed > 0 { line.with("fed_events_of_rate", fed) } else { line };
    println!("{}", with_all(line.clone().with("figure", "cores"), &figures["used"], &[]));
    println!("{}", with_all(line.with("figure", "frames"), &figures["frames"], &[]));
    let counted = json!({
        "fires_wanted": wanted, "fires_recorded": recorded, "distinct": distinct,
        "succeeded": succeeded, "succeeded_per_s": per_second, "slowest_ms": slowest_ms, "holds": holds,
    });
    let name = if fed > 0 { "storm-fed" } else { "storm" };
    keep(name, &settings, &figures, &usage, counted);
}

async fn log(args: &Args) {
    let lines: u64 = args.number("--lines", 100_000, (100, 1_000_000));
    let per_second: u64 = args.number("--per-second", 1_000, (AT_ONCE, 100_000));
    let seconds: u64 = args.number("--seconds", 60, (6, 3_600));
    let bench = Bench::start("console-log", Kind::Sqlite, &Build::this()).await;
    bench.save(json!({"name": "lines", "handler": "lines"})).await;
    let settings = json!({"lines": lines, "per_s": per_second, "seconds": seconds});
    let (figures, usage) = in_browser(&bench, "log", &settings).await;
    for (part, figures) in entries(&figures) {
        let line = Summary::new("summary").with("log", part.as_str());
        let line = with_all(line, figures, &[]);
        let line = with_all(line, &figures["frames"], &[]);
        let line = with_all(line, &figures["used"], &[]);
        println!("{line}");
    }
    keep("log", &settings, &figures, &usage, Value::Null);
}

/// Measures in a browser, and returns the figures with what the processes used meanwhile.
async fn in_browser(bench: &Bench, measure: &str, settings: &Value) -> (Value, Usage) {
    let folder = bench::target().join("bench");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let out = folder.join(format!("{measure}.figures"));
    drop(std::fs::remove_file(&out)); // of an earlier run, if any
    let mut command = browser::playwright();
    command
        .args(["--config", "tests/figures/playwright.config.ts", &format!("{measure}.figure.ts")])
        .env("FIGURES_URL", bench.url())
        .env("FIGURES_SETTINGS", settings.to_string())
        .env("FIGURES_OUT", std::path::absolute(&out).expect("a path"));
    let before = bench.snapshot().await;
    let done = tokio::task::spawn_blocking(move || command.status());
    let status = done.await.expect("it does not panic").expect("npx can be started");
    let usage = before.until(&bench.snapshot().await);
    assert!(status.success(), "the measurement in the browser failed: {status}");
    let text = std::fs::read_to_string(&out).expect("the browser has written its figures");
    drop(std::fs::remove_file(&out)); // they are kept elsewhere
    (serde_json::from_str(&text).expect("the figures are JSON"), usage)
}

fn entries(figures: &Value) -> impl Iterator<Item = (&String, &Value)> {
    figures.as_object().into_iter().flat_map(Map::iter)
}

/// Adds all figures to a line: numbers, and of figures with several values the `parts` that are named.
fn with_all(line: Summary, figures: &Value, parts: &[&str]) -> Summary {
    entries(figures).fold(line, |line, (key, value)| match value {
        Value::Object(value) => parts.iter().fold(line, |line, part| {
            line.with_some(&format!("{key}_{part}"), value.get(*part).cloned())
        }),
        Value::Array(_) | Value::Null => line,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => line.with(key, value.clone()),
    })
}

fn keep(measure: &str, settings: &Value, figures: &Value, usage: &Usage, more: Value) {
    bench::keep(
        &format!("console-{measure}.json"),
        &json!({
            "settings": settings, "figures": figures, "used": usage.to_json(), "counted": more,
            "machine": bench::machine(),
        }),
    );
}
