//! What a hundred open overviews of the console cost a coordinator that runs tasks.
//!
//! ```text
//! cargo bench -p fastjob-tests --bench streams -- [--store sqlite|postgres] [--nodes N]
//!     [--jobs 6000] [--pages 100] [--seconds 30]
//! ```
//!
//! N jobs on `* * * * * ?`, which is a rate of N runs per second, all due at the same instant of each
//! second. The same processes are measured four times, in the order A B B A: A without a page, B with
//! `--pages` pages. A page is an event stream, and the requests that an overview makes in a browser: see
//! `tests/src/bench/overviews.rs`. Each page has connections of its own. Pages are opened before their
//! measurement begins, and closed after it.
//!
//! Of each phase:
//!
//! - the rate, counted in the store, and whether it **holds**: every fire of the phase is recorded once,
//!   and has succeeded 2 s after its end;
//! - lateness, from the fire's instant to the handler's start, both by the clock of this machine;
//! - processor time by process, from `/proc`: the pages are in the process `bench`, which competes with
//!   the coordinator on a machine with few cores;
//! - of the pages: events and requests per second, times of requests, and how many failed.
//!
//! Lines for programs: a `summary` of A and one of B, with the means of two phases, and `ratio`, B
//! divided by A. All figures are also in `target/bench/streams.json`.

use std::{io::Write, sync::Mutex, time::Duration};

use fastjob_executor::prelude::*;
use fastjob_tests::bench::{
    self, Args, Bench, Build, Counted, Overviews, Percentiles, Seen, Summary, Turns, Usage,
};
use serde_json::{Value, json};

const USAGE: &str = "
streams [--store sqlite|postgres] [--nodes N] [--jobs 6000] [--pages 100] [--seconds 30]
";
/// When all fires must have ended, after the end of a phase.
const BOUND: Duration = Duration::from_secs(2);
/// How long a phase runs before it is measured.
const SETTLE: Duration = Duration::from_secs(5);
/// The names of the two kinds of phase.
const PHASES: [&str; 2] = ["without pages", "with pages"];

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

/// Writes the values measured since the last call to the file that the param names.
#[job("flush")]
async fn flush(path: &JobContext) -> JobResult {
    let late = std::mem::take(&mut *LATE.lock().expect("no panic before"));
    let path = path.param_text().ok_or_else(|| JobError::fatal("the param has to name a file"))?;
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for micros in late {
        writeln!(file, "{micros}")?;
    }
    file.flush()?;
    Ok("written".into())
}

/// One phase.
struct Phase {
    seconds: f64,
    wanted: i64,
    counted: Counted,
    late: Percentiles,
    usage: Usage,
    /// What the pages have seen, if there were any.
    seen: Option<Seen>,
}

fn main() {
    if bench::play_role() {
        return;
    }
    let values = ["--store", "--nodes", "--jobs", "--pages", "--seconds"];
    let args = Args::of_process(USAGE, &values, &[]);
    let jobs = args.number("--jobs", 6_000, (1, 400_000));
    let pages = args.number("--pages", 100, (1, 500));
    let seconds: u64 = args.number("--seconds", 30, (2, 3_600));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let bench = Bench::start("streams", args.kind(), &Build::this()).await;
        bench.save(json!({"name": "flush", "handler": "flush"})).await;
        let job = |n: usize| {
            json!({"name": format!("j{n}"), "handler": "late", "schedule": {"cron": "* * * * * ?"}})
        };
        bench.save_jobs(jobs, job).await;
        tokio::time::sleep(SETTLE).await;
        let mut phases: [Vec<Phase>; 2] = [Vec::new(), Vec::new()];
        for turn in Turns::two_each(2) {
            let phase = measure(&bench, jobs, if turn == 0 { 0 } else { pages }, seconds).await;
            println!("{}", phase.describe(PHASES[turn]));
            phases[turn].push(phase);
        }
        let settings = json!({
            "store": args.kind().name(), "nodes": args.kind().nodes(), "jobs": jobs,
            "pages": pages, "seconds": seconds,
        });
        report(&settings, &phases);
    });
}

async fn measure(bench: &Bench, jobs: usize, pages: usize, seconds: u64) -> Phase {
    let open = match pages {
        0 => None,
        _ => Some(Overviews::open(&bench.url(), pages).await),
    };
    tokio::time::sleep(SETTLE).await;
    // Fires are counted by whole seconds; lateness is written between two of them.
    until_half_past().await;
    flush_to(bench, "/dev/null").await;
    if let Some(pages) = &open {
        pages.begin();
    }
    let from = next_second();
    let before = bench.snapshot().await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    until_half_past().await;
    let usage = before.until(&bench.snapshot().await);
    let until = next_second();
    let path = bench.folder.join("late").display().to_string();
    flush_to(bench, &path).await;
    let seen = match open {
        Some(pages) => Some(pages.close().await),
        None => None,
    };
    tokio::time::sleep(BOUND).await;
    let text = std::fs::read_to_string(&path).expect("the figures were written");
    let late = Percentiles::of(text.lines().filter_map(|line| line.parse().ok()).collect());
    let counted = bench.pool().count(from, until).await;
    let seconds = (until - from) / 1_000;
    let wanted = i64::try_from(jobs).unwrap_or(i64::MAX) * seconds;
    Phase { seconds: seconds as f64, wanted, counted, late, usage, seen }
}

fn now_ms() -> i64 {
    fastjob_tests::now().as_millisecond()
}

/// The beginning of the next second, in milliseconds.
fn next_second() -> i64 {
    (now_ms().div_euclid(1_000) + 1) * 1_000
}

/// Waits until the middle of a second, when the fires of its beginning have ended.
async fn until_half_past() {
    let left = (600 - now_ms().rem_euclid(1_000)).rem_euclid(1_000);
    tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0))).await;
}

async fn flush_to(bench: &Bench, path: &str) {
    let task = bench::start(&bench.rest, "flush", &json!({"param": path})).await;
    assert_eq!(bench.ended(task).await["state"], "succeeded");
}

impl Phase {
    fn holds(&self) -> bool {
        let Counted { recorded, distinct, succeeded, .. } = self.counted;
        [recorded, distinct, succeeded] == [self.wanted; 3]
    }

    fn describe(&self, name: &str) -> String {
        let Counted { recorded, distinct, succeeded, .. } = self.counted;
        let holds = if self.holds() { "holds" } else { "does not hold" };
        let mut text = format!(
            "{name}: {} fires in {} s {holds}: {recorded} recorded, {distinct} distinct, {succeeded} \
             succeeded; {} measured, late {}",
            self.wanted,
            self.seconds,
            self.late.count(),
            self.late,
        );
        if let Some(seen) = &self.seen {
            text += &format!(
                "\n  the pages: {} events and {} requests, {} failed, {} streams broken; requests {}",
                seen.events,
                seen.requests,
                seen.failed,
                seen.broken,
                seen.times()
            );
        }
        format!("{text}\n{}", self.usage)
    }

    fn to_json(&self) -> Value {
        let Counted { recorded, distinct, succeeded, slowest_ms } = self.counted;
        let pages = self.seen.as_ref().map(|seen| {
            json!({
                "events": seen.events, "requests": seen.requests, "failed": seen.failed,
                "broken_streams": seen.broken, "request_ms": seen.times().to_json(),
            })
        });
        json!({
            "seconds": self.seconds, "fires_wanted": self.wanted, "fires_recorded": recorded,
            "distinct": distinct, "succeeded": succeeded, "slowest_ms": slowest_ms,
            "holds": self.holds(), "measured": self.late.count(), "late_ms": self.late.to_json(),
            "pages": pages, "used": self.usage.to_json(),
        })
    }
}

/// A figure of a phase; `None` if it does not have it.
type Figure = (&'static str, fn(&Phase) -> Option<f64>);

const FIGURES: &[Figure] = &[
    ("runs_per_s", |it| Some(it.counted.succeeded as f64 / it.seconds)),
    ("late_p50_ms", |it| Some(it.late.at(0.5))),
    ("late_p99_ms", |it| Some(it.late.at(0.99))),
    ("coordinator_cores", |it| Some(it.usage.share_of("coordinator"))),
    ("executor_cores", |it| Some(it.usage.share_of("executor"))),
    ("pages_cores", |it| it.seen.as_ref().map(|_| it.usage.share_of("bench"))),
    ("events_per_s", |it| it.seen.as_ref().map(|seen| seen.events as f64 / it.seconds)),
    ("requests_per_s", |it| it.seen.as_ref().map(|seen| seen.requests as f64 / it.seconds)),
    ("request_p99_ms", |it| it.seen.as_ref().map(|seen| seen.times().at(0.99))),
    ("failed_requests", |it| it.seen.as_ref().map(|seen| seen.failed as f64)),
];

fn report(settings: &Value, phases: &[Vec<Phase>; 2]) {
    let mean = |phases: &[Phase], figure: fn(&Phase) -> Option<f64>| {
        let values: Vec<_> = phases.iter().filter_map(figure).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let rounded = |value: f64| (value * 1_000.0).round() / 1_000.0;
    let summaries: Vec<_> = PHASES
        .iter()
        .zip(phases)
        .map(|(name, phases)| {
            let line = Summary::new("summary")
                .with("phase", *name)
                .with("holds", phases.iter().all(Phase::holds));
            FIGURES.iter().fold(line, |line, (key, figure)| {
                line.with_some(key, mean(phases, *figure).map(rounded))
            })
        })
        .collect();
    let ratio = FIGURES.iter().fold(Summary::new("ratio"), |line, (key, figure)| {
        let [without, with] = phases.each_ref().map(|phases| mean(phases, *figure));
        let pair = with.zip(without).filter(|(_, without)| *without > 0.0);
        line.with_some(key, pair.map(|(with, without)| rounded(with / without)))
    });
    let phases: Value =
        phases.iter().map(|phases| phases.iter().map(Phase::to_json).collect::<Value>()).collect();
    let summaries_json: Value = summaries.iter().map(Summary::to_json).collect();
    bench::keep(
        "streams.json",
        &json!({
            "settings": settings, "phases": phases, "summaries": summaries_json,
            "ratio": ratio.to_json(), "machine": bench::machine(),
        }),
    );
    summaries.iter().for_each(|summary| println!("{summary}"));
    println!("{ratio}");
}
