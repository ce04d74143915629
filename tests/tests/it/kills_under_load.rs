//! `kill -9` of the coordinator at random moments under full load: afterwards the store agrees with
//! what the executors did, and with what callers were answered.
//!
//! `FASTJOB_SOAK=1` kills fifty times at thousands of runs per second. `FASTJOB_RELEASE_BIN` names
//! the release build of `fastjob` to use then, and `FASTJOB_SEED` repeats the moments of a run.

mod history;

use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fastjob_tests::{
    eventually,
    postgres::Postgres,
    process::{Coordinator, Process},
    rest::Rest,
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::history::{History, Store, none};
use crate::{
    EXECUTOR, FASTJOB,
    cluster::LEASE,
    soak,
    stats::{counts, stats},
};

/// How long anything may take that the test waits for.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often each caller starts a task. Late starts catch up.
const PACE: Duration = Duration::from_millis(40);
/// Requests that are sent at the same time to save and disable jobs.
const AT_ONCE: usize = 32;

/// What the coordinator does, and how often it is killed.
struct Load {
    kills: usize,
    /// How many milliseconds after it has resumed its work.
    after: RangeInclusive<u64>,
    /// Jobs that fire every second.
    jobs: usize,
    /// Callers that start tasks, each of a job of its own.
    callers: usize,
}

const SHORT: Load = Load { kills: 4, after: 100..=1_000, jobs: 60, callers: 4 };
const LONG: Load = Load { kills: 50, after: 100..=3_000, jobs: 2_000, callers: 32 };

/// A kind of job.
struct Kind {
    name: &'static str,
    /// How many of ten jobs that fire are of this kind.
    share: usize,
    definition: &'static str,
    /// The attempts of each of its tasks.
    attempts: &'static [Ended],
}

/// An attempt that has ended: its number, its shard, its state and why it failed. The codes are
/// those of the store: state 3 succeeded, 4 failed; reason 1 error.
type Ended = (i64, i64, i64, Option<i64>);

const ONCE: &[Ended] = &[(1, 0, 3, None)];
const SCHEDULED: [Kind; 4] = [
    Kind { name: "quick", share: 5, definition: r#"{"handler": "noop"}"#, attempts: ONCE },
    Kind { name: "paced", share: 3, definition: r#"{"handler": "paced"}"#, attempts: ONCE },
    Kind {
        name: "again",
        share: 1,
        definition: r#"{"handler": "flaky", "param": "1",
            "retry": {"count": 3, "delay": "300ms"}}"#,
        attempts: &[(1, 0, 4, Some(1)), (2, 0, 3, None)],
    },
    Kind {
        name: "parts",
        share: 1,
        definition: r#"{"handler": "part", "shard": {"count": 3}}"#,
        attempts: &[(1, 0, 3, None), (1, 1, 3, None), (1, 2, 3, None)],
    },
];
/// The job that a caller starts.
const CALLED: Kind = Kind {
    name: "called",
    share: 0,
    definition: r#"{"handler": "paced",
        "block": {"strategy": "parallel", "max_running": 10000, "max_waiting": 10000}}"#,
    attempts: ONCE,
};

#[tokio::test(flavor = "multi_thread")]
async fn journal_and_history_in_sqlite_agree_with_the_executors_after_kills_under_load() {
    let coordinator = Coordinator::prepare(program());
    let options = SqliteConnectOptions::new().filename(coordinator.store()).read_only(true);
    let store = Store::Sqlite(SqlitePoolOptions::new().connect_lazy_with(options));
    kill_and_compare(coordinator, store, Duration::from_millis(100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn journal_and_history_in_postgres_agree_with_the_executors_after_kills_under_load() {
    let postgres = if soak() { Postgres::start_durable().await } else { Postgres::start().await };
    let coordinator = Coordinator::prepare(program())
        .store_url(postgres.database("fastjob").await)
        .env("FASTJOB_LEASE", &format!("{}ms", LEASE.as_millis()));
    let store = Store::Postgres(postgres.pool("fastjob").await);
    // It loads its partitions when the leases of the killed process have ended.
    kill_and_compare(coordinator, store, LEASE + Duration::from_millis(500)).await;
}

fn program() -> String {
    let release = std::env::var("FASTJOB_RELEASE_BIN").ok().filter(|_| soak());
    release.unwrap_or_else(|| FASTJOB.to_owned())
}

/// Kills the coordinator under load, sometimes within `starting` after its start, and compares what
/// it has written with what its executors and callers know.
async fn kill_and_compare(mut coordinator: Coordinator, store: Store, starting: Duration) {
    let load = if soak() { LONG } else { SHORT };
    let mut dice = Dice::of_this_run();
    let began = Instant::now();
    coordinator.up().await;
    let _executors = ["e1", "e2"].map(|name| executor(&coordinator, name));
    let rest = coordinator.rest();
    let jobs = jobs(&load);
    stream::iter(&jobs).for_each_concurrent(AT_ONCE, |(name, job)| save(&rest, name, job)).await;
    let callers = Callers::start(&rest, load.callers);
    let (mut kills, mut early) = (0, 0);
    while kills < load.kills {
        resumed(&coordinator, &callers).await;
        tokio::time::sleep(dice.millis(load.after.clone())).await;
        coordinator.kill();
        kills += 1;
        if dice.roll().is_multiple_of(2) {
            coordinator.begin();
            tokio::time::sleep(dice.millis(0..=starting.as_millis() as u64)).await;
            coordinator.kill();
            (kills, early) = (kills + 1, early + 1);
        }
        coordinator.up().await;
    }
    let up = fastjob_tests::now().as_millisecond();
    resumed(&coordinator, &callers).await;
    let started = callers.stop().await;
    let scheduled = jobs.len() - load.callers;
    eventually("each job has fired after the last kill", PATIENCE, || async {
        let sql = format!("select count(distinct job) from tasks where fire_at > {up}");
        (store.number(&sql).await == scheduled as i64).then_some(())
    })
    .await;
    stream::iter(jobs.keys()).for_each_concurrent(AT_ONCE, |name| disable(&rest, name)).await;
    eventually("every attempt has ended", PATIENCE, || async {
        (store.open().await == 0).then_some(())
    })
    .await;
    let took = began.elapsed();
    // What the next process loads agrees as well: it has nothing to do.
    coordinator.kill();
    coordinator.up().await;
    for executor in rest.executors(2).await {
        assert_eq!(executor["attempts"], 0, "{executor}");
    }
    let (_, open) = rest.get("/api/v1/tasks?state=queued,running,stopping").await.unwrap();
    let ids = open["items"].as_array().unwrap().iter().map(|task| &task["id"]);
    none("open tasks that no executor has", ids);
    assert_eq!(store.open().await, 0, "open attempts in the store");

    let history = History::read(&store).await;
    let entered = entered(&coordinator);
    println!(
        "{kills} kills, {early} of them soon after a start, in {took:?}: {} tasks and {} attempts \
         in the history, {} attempts entered, {} starts answered",
        history.tasks.len(),
        history.attempts.len(),
        entered.len(),
        started.len(),
    );
    history.compare_attempts(&entered);
    history.compare_tasks();
    history.compare_fires(scheduled, up);
    history.compare_starts(&started);
    assert_eq!(counts(&stats(&rest, "").await), history.ended(|_| true), "statistics of all tasks");
    for Kind { name, .. } in SCHEDULED.iter().chain([&CALLED]) {
        let job = format!("{name}0");
        let counted = counts(&stats(&rest, &format!("job={job}")).await);
        assert_eq!(counted, history.ended(|task| history.jobs[&task.job] == job), "of {job}");
    }
}

fn executor(coordinator: &Coordinator, name: &str) -> Process {
    // At each kill, some attempts are running.
    coordinator.executor_with(EXECUTOR, name, &[("TEST_PACE", "50")])
}

/// All jobs by name. The number in a name counts the jobs of its kind.
fn jobs(load: &Load) -> BTreeMap<String, Value> {
    let mut jobs = BTreeMap::new();
    for kind in &SCHEDULED {
        for n in 0..load.jobs * kind.share / 10 {
            let mut job: Value = serde_json::from_str(kind.definition).unwrap();
            job["schedule"] = json!({"cron": "* * * * * ?"});
            job["misfire"] = json!({"fire_all": {"max": 1_000}});
            jobs.insert(format!("{}{n}", kind.name), job);
        }
    }
    for n in 0..load.callers {
        let job = serde_json::from_str(CALLED.definition).unwrap();
        jobs.insert(format!("{}{n}", CALLED.name), job);
    }
    jobs
}

async fn save(rest: &Rest, name: &str, job: &Value) {
    let mut job = job.clone();
    job["name"] = json!(name);
    job["service"] = json!("default");
    answered(rest, "PUT", format!("/api/v1/jobs/default.{name}"), &job.to_string()).await;
}

async fn disable(rest: &Rest, name: &str) {
    answered(rest, "POST", format!("/api/v1/jobs/{name}/disable"), "{}").await;
}

/// Waits until callers are answered and attempts start.
async fn resumed(coordinator: &Coordinator, callers: &Callers) {
    let length = || std::fs::metadata(coordinator.records()).map_or(0, |records| records.len());
    let enough = callers.answers() + callers.count();
    eventually("callers are answered", PATIENCE, || async {
        (callers.answers() >= enough).then_some(())
    })
    .await;
    let before = length();
    eventually("attempts start", PATIENCE, || async { (length() > before).then_some(()) }).await;
}

/// Repeats a call until it is answered. Returns the answer, and how often the call was sent.
async fn answered(rest: &Rest, method: &str, path: String, body: &str) -> (Value, u32) {
    let mut sent = 0;
    let answer = eventually(&path, PATIENCE, || {
        sent += 1;
        let call = tokio::time::timeout(PATIENCE, rest.ask(method, &path, Some(body.to_owned())));
        let path = &path;
        async move {
            let (status, answer) = call.await.expect("an answer or an error").ok()?;
            assert!(!(300..500).contains(&status), "{path}: {status} {answer}");
            (status < 300).then_some(answer)
        }
    })
    .await;
    (answer, sent)
}

/// Callers that start tasks with keys, each of a job of its own.
struct Callers {
    callers: JoinSet<Vec<i64>>,
    answers: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Callers {
    fn start(rest: &Rest, count: usize) -> Self {
        let mut this = Self {
            callers: JoinSet::new(),
            answers: Arc::default(),
            stop: CancellationToken::new(),
        };
        for caller in 0..count {
            let (answers, stop) = (Arc::clone(&this.answers), this.stop.clone());
            this.callers.spawn(call(rest.clone(), caller, answers, stop));
        }
        this
    }

    fn count(&self) -> usize {
        self.callers.len()
    }

    /// How many starts have been answered.
    fn answers(&self) -> usize {
        self.answers.load(Ordering::Relaxed)
    }

    /// Stops them when their last starts have been answered. Returns the tasks.
    async fn stop(self) -> Vec<i64> {
        self.stop.cancel();
        self.callers.join_all().await.concat()
    }
}

/// Starts a task with each key, and returns the tasks.
async fn call(
    rest: Rest,
    caller: usize,
    answers: Arc<AtomicUsize>,
    stop: CancellationToken,
) -> Vec<i64> {
    let mut ticks = tokio::time::interval(PACE);
    let mut tasks = Vec::new();
    while !stop.is_cancelled() {
        ticks.tick().await;
        let (task, sent) = start(&rest, caller, tasks.len()).await;
        if sent > 1
            && let Some(before) = tasks.last()
        {
            // The answer before the kill still holds.
            let (again, _) = start(&rest, caller, tasks.len() - 1).await;
            assert_eq!(again, *before, "key {} of caller {caller}", tasks.len() - 1);
        }
        tasks.push(task);
        answers.fetch_add(1, Ordering::Relaxed);
    }
    tasks
}

/// Starts a task with this key of a caller. Returns the task, and how often the call was sent.
async fn start(rest: &Rest, caller: usize, key: usize) -> (i64, u32) {
    let path = format!("/api/v1/jobs/{}{caller}/start", CALLED.name);
    let body = json!({"key": format!("key {key}")}).to_string();
    let (answer, sent) = answered(rest, "POST", path, &body).await;
    (answer["task"].as_i64().unwrap(), sent)
}

/// How often each attempt was entered, by any executor.
fn entered(coordinator: &Coordinator) -> HashMap<i64, u32> {
    let mut entered = HashMap::new();
    for ((_, attempt), times) in coordinator.entered() {
        *entered.entry(attempt.parse().unwrap()).or_default() += times;
    }
    entered
}

/// The moments of the kills.
struct Dice(u64);

impl Dice {
    /// Begins with `FASTJOB_SEED`, or with a number that is different in each run.
    fn of_this_run() -> Self {
        let seed = match std::env::var("FASTJOB_SEED") {
            Ok(seed) => seed.parse().expect("FASTJOB_SEED is a number"),
            Err(_) => fastjob_tests::now().as_microsecond() as u64,
        };
        println!("FASTJOB_SEED={seed}");
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        let (factor, step) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
        self.0 = self.0.wrapping_mul(factor).wrapping_add(step);
        self.0 >> 33
    }

    fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(range.start() + self.roll() % (range.end() - range.start() + 1))
    }
}
