//! What jobs cost that are not due: the time to load them, memory, and processor time.
//!
//! ```text
//! cargo bench -p fastjob-tests --bench at_rest -- [--store sqlite|postgres] [--jobs 100000]
//!     [--seconds 20] [--against PATH]
//! ```
//!
//! A store is filled through SQL with N enabled jobs that are due half a year from now; then the
//! coordinator is started on it. No executor is connected. All times are from the start of the
//! process:
//!
//! - `ready_s`: until `/readyz` answers 200.
//! - `loaded_s`: until every partition's engine has answered to one of its last jobs, which is saved
//!   again unchanged. An engine that loads all jobs before it takes commands has then loaded them.
//! - `quiet_s`: until the process stays below 5 % of a core for a second. This does not depend on how
//!   jobs are loaded, so it is the figure for a coordinator that loads in the background.
//! - `rss_mib` is the memory at the end, `peak_mib` the highest; `busy_ms_per_s` is processor time per
//!   second at rest, measured for `--seconds`.
//!
//! `--against PATH` compares with another build, in the order A B B A; see `throughput` for how. The
//! summary has the mean of both measurements. All figures are also in `target/bench/at_rest.json`.

use std::time::{Duration, Instant};

use fastjob_tests::bench::{
    self, Args, Bench, Build, Compared, Figure, Fill, Kind, Snapshot, Turns, Usage,
};
use serde_json::{Value, json};

const USAGE: &str = "
at_rest [--store sqlite|postgres] [--jobs 100000] [--seconds 20] [--against PATH]
";
/// A coordinator with less than this share of a core, for as long as `WINDOW`, is at rest.
const QUIET: f64 = 0.05;
const WINDOW: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(100);
/// How long it may take until it is at rest.
const PATIENCE: Duration = Duration::from_secs(300);

/// One measurement of one build.
struct Measured {
    ready: Duration,
    loaded: Duration,
    quiet: Option<Duration>,
    loading: Usage,
    resting: Usage,
}

fn main() {
    if bench::play_role() {
        return;
    }
    let args = Args::of_process(USAGE, &["--store", "--jobs", "--seconds", "--against"], &[]);
    let kind = args.kind();
    let fill = Fill { jobs: args.number("--jobs", 100_000, (1, 1_000_000)), tasks: 0 };
    let seconds = args.number("--seconds", 20, (1, 3_600));
    let builds = Build::of(&args);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure_all(kind, fill, seconds, &builds));
}

async fn measure_all(kind: Kind, fill: Fill, seconds: u64, builds: &[Build]) {
    println!("{}: {} jobs that are not due", kind.name(), fill.jobs);
    for build in builds {
        println!("{}: {}", build.name, build.program.display());
    }
    let mut measured: Vec<Vec<Measured>> = builds.iter().map(|_| Vec::new()).collect();
    for turn in Turns::two_each(builds.len()) {
        let figures = measure(kind, fill, seconds, &builds[turn]).await;
        println!("{}: {figures}", builds[turn].name);
        measured[turn].push(figures);
    }
    report(kind, fill, seconds, builds, &measured);
}

async fn measure(kind: Kind, fill: Fill, seconds: u64, build: &Build) -> Measured {
    let mut bench = Bench::prepare("at-rest", kind, build).await;
    bench.fill(fill).await;
    let pool = bench.store.pool().await;
    let last_jobs = fill.last_jobs(&pool);
    bench.pool = Some(pool);
    let started = Instant::now();
    bench.start_coordinators();
    let first = bench.snapshot().await;
    bench.ready().await;
    let ready = started.elapsed();
    bench.loaded(&last_jobs).await;
    let loaded = started.elapsed();
    let quiet = quiet(&bench, started).await;
    let rested = bench.snapshot().await;
    let loading = first.until(&rested);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let resting = rested.until(&bench.snapshot().await);
    Measured { ready, loaded, quiet, loading, resting }
}

/// When the coordinator came to rest, if it did.
async fn quiet(bench: &Bench, started: Instant) -> Option<Duration> {
    let steps = (WINDOW.as_millis() / STEP.as_millis()) as usize;
    let mut snapshots: Vec<(Instant, Snapshot)> = Vec::new();
    while started.elapsed() < PATIENCE {
        snapshots.push((Instant::now(), bench.snapshot().await));
        if let [.., (_, last)] = snapshots.as_slice()
            && let Some((at, before)) =
                snapshots.len().checked_sub(steps + 1).map(|n| &snapshots[n])
            && before.until(last).share_of("coordinator") < QUIET
        {
            return Some(at.duration_since(started));
        }
        tokio::time::sleep(STEP).await;
    }
    None
}

const FIGURES: &[Figure<Measured>] = &[
    ("ready_s", |it| Some(it.ready.as_secs_f64())),
    ("loaded_s", |it| Some(it.loaded.as_secs_f64())),
    ("quiet_s", |it| it.quiet.map(|quiet| quiet.as_secs_f64())),
    ("rss_mib", |it| Some(it.resting.mib_of("coordinator").0 as f64)),
    ("peak_mib", |it| Some(it.resting.mib_of("coordinator").1 as f64)),
    ("busy_ms_per_s", |it| Some(it.resting.share_of("coordinator") * 1_000.0)),
];

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let figures = FIGURES.iter();
        let figures = figures.filter_map(|(name, it)| Some(format!("{name} {:.3}", it(self)?)));
        writeln!(f, "{}", figures.collect::<Vec<_>>().join(", "))?;
        if self.quiet.is_none() {
            writeln!(f, "  it did not come to rest within {} s", PATIENCE.as_secs())?;
        }
        writeln!(f, " from the start until it was at rest:\n{}", self.loading)?;
        write!(f, " at rest:\n{}", self.resting)
    }
}

fn report(kind: Kind, fill: Fill, seconds: u64, builds: &[Build], measured: &[Vec<Measured>]) {
    let settings = [
        ("bench", json!("at_rest")),
        ("store", json!(kind.word())),
        ("jobs", json!(fill.jobs)),
        ("seconds", json!(seconds)),
    ];
    let compared = Compared::of(&settings, builds, measured, FIGURES);
    let used = |measured: &Vec<Measured>| -> Value {
        let used = |it: &Measured| json!({"loading": it.loading.to_json(), "resting": it.resting.to_json()});
        measured.iter().map(used).collect()
    };
    bench::keep(
        "at_rest.json",
        &json!({
            "store": kind.name(), "jobs": fill.jobs, "seconds": seconds,
            "builds": compared.to_json(), "used": measured.iter().map(used).collect::<Value>(),
            "machine": bench::machine(),
        }),
    );
    println!("{compared}");
}
