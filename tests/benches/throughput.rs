//! The highest rate of runs per second, end to end and recorded.
//!
//! ```text
//! cargo bench -p fastjob-tests --bench throughput -- [--store sqlite|postgres] [--nodes N]
//!     [--seconds 20] [--rates 20000,40000 | --find [--from 10000] [--resolution 1000]]
//!     [--against PATH]
//! ```
//!
//! One round is N jobs with a no-op handler on `* * * * * ?`, which is a rate of N fires per second.
//! **A rate holds if every fire of every second of the run is recorded exactly once, and its task has
//! succeeded, 2 s after the end of the run at the latest.** This is counted in the store. Jobs do not
//! fire while they are saved, if that is not slower than expected; they fire for 3 s before the run,
//! and continue until the count.
//!
//! - `--rates` tries these rates until one does not hold. `--find` searches for the limit: the step
//!   doubles until a rate does not hold, then the interval is halved down to the resolution. A rate
//!   that does not hold is tried twice.
//! - Each round prints what limits: the share of a core that each process and its busiest threads
//!   used during the run, resident memory with its peak, and what the rest of the machine used. `main`
//!   is the main thread; a thread without a name appears as `unnamed`, or with the name of the thread
//!   that started it. The backends of PostgreSQL are distinguished by their last statement.
//! - `slowest` is the longest time from a fire to the end of its task. It grows before a rate fails.
//! - The last measurement is of tasks started over the API from 64 connections for 5 s. The
//!   callers are one thread, which is counted as the rest of the machine.
//! - `--against PATH` compares with another build, in the order A B B A. PATH is the program of this
//!   bench in that build (`cargo bench -p fastjob-tests --bench throughput --no-run` prints it). It
//!   runs the coordinator and the executor only. Load and count are those of this program, so any
//!   commit since a459925 can be compared.
//!
//! Lines for programs: one `summary` per build, and `ratio`, in which figures of this build are
//! divided by those of the other. `*_us_per_run` is processor time per run at `compared_at`, the
//! highest rate that all builds held; it depends less on the load of the machine than rates do. All
//! figures are also in `target/bench/throughput.json`.

use std::time::Duration;

use fastjob_executor::prelude::*;
use fastjob_tests::bench::{
    self, Args, Bench, Build, Compared, Counted, Figure, Kind, Search, Turns, Usage, Verdict,
};
use serde_json::{Value, json};

const USAGE: &str = "
throughput [--store sqlite|postgres] [--nodes N] [--seconds 20]
           [--rates 20000,40000,... | --find [--from 10000] [--resolution 1000]] [--against PATH]
";
/// When all fires must have ended, after the end of the run.
const BOUND: Duration = Duration::from_secs(2);
/// How many jobs are saved per second at least, on a machine that has nothing else to do.
const SAVED_PER_SECOND: i64 = 3_000;
/// The highest rate that is tried: the executor has room for a second of it.
const MOST: usize = 400_000;
/// How long tasks are started over the API, and from how many connections.
const STARTS: Duration = Duration::from_secs(5);
const CALLERS: usize = 64;

#[job("noop")]
async fn noop() {}

/// The settings of all rounds.
struct Settings {
    kind: Kind,
    seconds: u64,
    builds: Vec<Build>,
}

/// One rate with one build.
#[derive(Clone)]
struct Round {
    rate: usize,
    wanted: i64,
    counted: Counted,
    usage: Usage,
}

fn main() {
    if bench::play_role() {
        return;
    }
    let values =
        ["--store", "--nodes", "--seconds", "--rates", "--from", "--resolution", "--against"];
    let args = Args::of_process(USAGE, &values, &["--find"]);
    let settings = Settings {
        kind: args.kind(),
        seconds: args.number("--seconds", 20, (1, 3_600)),
        builds: Build::of(&args),
    };
    let from = args.number("--from", 10_000, (100, MOST));
    let resolution = args.number("--resolution", 1_000, (100, 100_000));
    let rates = args.rates("--rates", &[20_000, 40_000, 60_000, 80_000]);
    if args.has("--find") && args.has("--rates") {
        bench::refuse("--find chooses the rates itself: remove --rates");
    }
    if let Some(flag) = ["--from", "--resolution"].into_iter().find(|flag| args.has(flag))
        && !args.has("--find")
    {
        bench::refuse(&format!("{flag} needs --find"));
    }
    if let Some(rate) = rates.iter().find(|rate| **rate > MOST) {
        bench::refuse(&format!("--rates: {rate} is more than {MOST}"));
    }
    let plan = match args.has("--find") {
        true => Plan::Find(Search::new(from, resolution, MOST)),
        false => Plan::List { rates, next: 0, failed: false },
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure(&settings, plan));
}

/// Which rates are tried with a build.
#[derive(Clone)]
enum Plan {
    Find(Search),
    List { rates: Vec<usize>, next: usize, failed: bool },
}

impl Plan {
    fn next(&self) -> Option<usize> {
        match self {
            Self::Find(search) => search.next(),
            Self::List { rates, next, failed } => rates.get(*next).copied().filter(|_| !failed),
        }
    }

    fn tried(&mut self, rate: usize, verdict: Verdict) {
        match self {
            Self::Find(search) => search.tried(rate, verdict),
            Self::List { next, failed, .. } => {
                *next += 1;
                *failed = verdict != Verdict::Holds;
            }
        }
    }

    fn is_cut_short(&self) -> bool {
        matches!(self, Self::Find(search) if search.is_cut_short())
    }
}

async fn measure(settings: &Settings, plan: Plan) {
    let Settings { kind, seconds, builds } = settings;
    println!(
        "{}, {seconds} s per round; a rate holds if every fire is recorded once and has succeeded \
         {} s after the end",
        kind.name(),
        BOUND.as_secs(),
    );
    for build in builds {
        println!("{}: {}", build.name, build.program.display());
        // A build whose handler is missing would only appear to be slow.
        Bench::start("throughput", *kind, build).await.probe("noop").await;
    }
    let mut plans = vec![plan; builds.len()];
    let mut rounds: Vec<Vec<Round>> = builds.iter().map(|_| Vec::new()).collect();
    let mut turns = Turns::new(builds.len());
    while plans.iter().any(|plan| plan.next().is_some()) {
        let turn = turns.take_turn();
        // A build that has finished leaves its turns to the other.
        let Some(rate) = plans[turn].next() else { continue };
        let round = round(settings, &builds[turn], rate).await;
        println!("{}", round.describe(builds[turn].name, *seconds));
        plans[turn].tried(rate, round.verdict());
        rounds[turn].push(round);
    }
    let mut starts = vec![Vec::new(); builds.len()];
    for turn in Turns::two_each(builds.len()) {
        let (rate, usage) = starts_by_api(*kind, &builds[turn]).await;
        println!("{}: {rate:.0} starts over the API per second\n{usage}", builds[turn].name);
        starts[turn].push(rate);
    }
    report(settings, &plans, &rounds, &starts);
}

async fn round(settings: &Settings, build: &Build, rate: usize) -> Round {
    let bench = Bench::start("throughput", settings.kind, build).await;
    // Without this, saving the last jobs competes with the fires of the first ones, and the run
    // begins with a backlog.
    let saving = i64::try_from(rate).unwrap_or(i64::MAX) / SAVED_PER_SECOND + 3;
    let start_at = fastjob_tests::now() + jiff::SignedDuration::from_secs(saving);
    let job = |n: usize| {
        json!({"name": format!("j{n}"), "handler": "noop", "enabled": true,
            "start_at": start_at.to_string(), "schedule": {"cron": "* * * * * ?"}})
    };
    bench.save_jobs(rate, job).await;
    let late_by = now_ms() - start_at.as_millisecond();
    if late_by > 0 {
        println!("  saving the jobs took {late_by} ms longer than expected; they fired meanwhile");
    }
    sleep_until(start_at.as_millisecond()).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let from = (now_ms() / 1_000 + 1) * 1_000;
    let until = from + i64::try_from(settings.seconds).unwrap_or(i64::MAX) * 1_000;
    sleep_until(from).await;
    let before = bench.snapshot().await;
    sleep_until(until).await;
    let usage = before.until(&bench.snapshot().await);
    sleep_until(until + i64::try_from(BOUND.as_millis()).unwrap_or(i64::MAX)).await;
    let counted = bench.pool().count(from, until).await;
    let wanted = i64::try_from(rate * settings.seconds as usize).unwrap_or(i64::MAX);
    Round { rate, wanted, counted, usage }
}

impl Round {
    fn verdict(&self) -> Verdict {
        let Counted { recorded, distinct, succeeded, .. } = self.counted;
        if [recorded, distinct, succeeded] == [self.wanted; 3] {
            Verdict::Holds
        } else {
            Verdict::Fails
        }
    }

    fn describe(&self, build: &str, seconds: u64) -> String {
        let Counted { recorded, distinct, succeeded, slowest_ms } = self.counted;
        let holds = match self.verdict() {
            Verdict::Holds => "holds",
            Verdict::Fails => "does not hold",
        };
        format!(
            "{build}: {}/s for {seconds} s {holds}: of {} fires {recorded} recorded, {distinct} \
             distinct, {succeeded} succeeded; slowest {slowest_ms} ms\n{}",
            self.rate, self.wanted, self.usage
        )
    }

    fn to_json(&self) -> Value {
        let Counted { recorded, distinct, succeeded, slowest_ms } = self.counted;
        json!({
            "jobs": self.rate, "fires_wanted": self.wanted, "fires_recorded": recorded,
            "distinct": distinct, "succeeded": succeeded, "slowest_ms": slowest_ms,
            "holds": self.verdict() == Verdict::Holds, "used": self.usage.to_json(),
        })
    }

    /// Microseconds of processor time of a group for each run; `None` if the group is not there.
    fn us_per_run(&self, group: &str) -> Option<f64> {
        let share = Some(self.usage.share_of(group)).filter(|share| *share > 0.0)?;
        Some(share * 1e6 / self.rate as f64)
    }
}

/// Tasks started by REST, per second, and what the processes used meanwhile.
async fn starts_by_api(kind: Kind, build: &Build) -> (f64, Usage) {
    let bench = Bench::start("starts", kind, build).await;
    let job = json!({"name": "s", "handler": "noop", "block": {"max_waiting": 100_000}});
    bench.save(job).await;
    let port = bench.port();
    let before = bench.snapshot().await;
    let calls = move || bench::starts_of("default.s", port, CALLERS, STARTS);
    let all = tokio::task::spawn_blocking(calls).await.expect("the callers");
    let usage = before.until(&bench.snapshot().await);
    (all as f64 / STARTS.as_secs_f64(), usage)
}

/// The result of one build.
struct Outcome {
    best: usize,
    starts: f64,
    /// The round at the highest rate that all builds held.
    common: Option<Round>,
}

const FIGURES: &[Figure<Outcome>] = &[
    ("runs_per_s", |it| Some(it.best as f64)),
    ("starts_by_api_per_s", |it| Some(it.starts)),
    ("coordinator_us_per_run", |it| it.common.as_ref()?.us_per_run("coordinator")),
    ("executor_us_per_run", |it| it.common.as_ref()?.us_per_run("executor")),
    ("postgres_us_per_run", |it| it.common.as_ref()?.us_per_run("postgres")),
];

fn report(settings: &Settings, plans: &[Plan], rounds: &[Vec<Round>], starts: &[Vec<f64>]) {
    let Settings { kind, seconds, builds } = settings;
    let held: Vec<Vec<&Round>> = rounds
        .iter()
        .map(|rounds| rounds.iter().filter(|it| it.verdict() == Verdict::Holds).collect())
        .collect();
    let rate_of = |round: &&Round| round.rate;
    let common = held[0]
        .iter()
        .map(rate_of)
        .filter(|rate| held.iter().all(|held| held.iter().any(|round| round.rate == *rate)));
    let common = common.max();
    let outcomes: Vec<_> = held
        .iter()
        .zip(starts)
        .map(|(held, starts)| {
            let outcome = Outcome {
                best: held.iter().map(rate_of).max().unwrap_or(0),
                starts: starts.iter().sum::<f64>() / starts.len().max(1) as f64,
                common: held.iter().find(|round| Some(round.rate) == common).copied().cloned(),
            };
            vec![outcome]
        })
        .collect();
    let lines = [
        ("bench", json!("throughput")),
        ("store", json!(kind.word())),
        ("nodes", json!(kind.nodes())),
        ("seconds", json!(seconds)),
        ("compared_at", json!(common)),
    ];
    let compared = Compared::of(&lines, builds, &outcomes, FIGURES);
    let tried = |rounds: &Vec<Round>| rounds.iter().map(Round::to_json).collect::<Value>();
    bench::keep(
        "throughput.json",
        &json!({
            "store": kind.name(), "nodes": kind.nodes(), "seconds": seconds,
            "builds": compared.to_json(), "tried": rounds.iter().map(tried).collect::<Value>(),
            "machine": bench::machine(),
        }),
    );
    for (build, _) in builds.iter().zip(plans).filter(|(_, plan)| plan.is_cut_short()) {
        println!("{}: the highest rate that is tried holds, so the limit is unknown", build.name);
    }
    println!("{compared}");
}

fn now_ms() -> i64 {
    fastjob_tests::now().as_millisecond()
}

async fn sleep_until(ms: i64) {
    let left = u64::try_from(ms - now_ms()).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(left)).await;
}
