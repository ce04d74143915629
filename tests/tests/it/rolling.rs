//! Rolling deploys: the executors of a service are replaced one after the other while tasks are
//! started. No task of a job without retries fails, none is lost, none runs twice.
//!
//! `FASTJOB_SOAK=1` replaces each executor twenty times at 2,000 starts per second, and repeats
//! that with two coordinators on PostgreSQL.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fastjob_tests::{
    eventually,
    process::{Coordinator, Process},
    rest::Rest,
};
use futures_util::future::join_all;
use serde_json::json;
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{EXECUTOR, OPEN_IN_SQLITE, cluster::Cluster, coordinator, soak};

const NAMES: [&str; 3] = ["e1", "e2", "e3"];
/// Jobs that the starts are distributed over.
const JOBS: usize = 4;
/// Connections that start tasks.
const CALLERS: usize = 32;

/// How often each executor is replaced, the starts per second, and the starts between two
/// replacements.
#[derive(Clone, Copy)]
struct Deploys {
    rounds: usize,
    rate: u32,
    between: usize,
}

const SHORT: Deploys = Deploys { rounds: 2, rate: 300, between: 100 };
const LONG: Deploys = Deploys { rounds: 20, rate: 2_000, between: 500 };

const ATTEMPTS: &str = "select a.id, a.task, cast(t.state as bigint) as task_state, \
                        cast(a.reason as bigint) as reason, a.message from ended_attempts a \
                        left join tasks t on t.id = a.id";

/// An attempt in the store.
#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    task: i64,
    /// Set in the first attempt of a task; 3 is succeeded.
    task_state: Option<i64>,
    /// Why the attempt failed.
    reason: Option<i64>,
    message: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn replacing_executors_under_load_fails_loses_and_duplicates_no_task() {
    let deploys = if soak() { LONG } else { SHORT };
    let program = std::env::var("FASTJOB_RELEASE_BIN");
    let coordinator = match program.ok().filter(|_| soak()) {
        Some(program) => Coordinator::start(program).await,
        None => coordinator().await,
    };
    let (started, _executors) = deploy(deploys, &[&coordinator]).await;
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(coordinator.store()).read_only(true);
    let store = sqlx::SqlitePool::connect_with(options).await.unwrap();
    eventually("every attempt has ended", Duration::from_secs(90), || async {
        let open: i64 = sqlx::query_scalar(OPEN_IN_SQLITE).fetch_one(&store).await.ok()?;
        (open == 0).then_some(())
    })
    .await;
    let rows: Vec<Row> = sqlx::query_as(ATTEMPTS).fetch_all(&store).await.unwrap();
    store.close().await;
    check(&started, rows, &coordinator);
}

#[tokio::test(flavor = "multi_thread")]
async fn replacing_executors_of_a_cluster_under_load_fails_loses_and_duplicates_no_task() {
    if !soak() {
        return; // only the long form has a cluster
    }
    let cluster = Cluster::start(2).await;
    let nodes: Vec<_> = cluster.nodes.iter().collect();
    let (started, _executors) = deploy(LONG, &nodes).await;
    eventually("every attempt has ended", Duration::from_secs(90), || async {
        (cluster.open().await == 0).then_some(())
    })
    .await;
    let rows: Vec<Row> = sqlx::query_as(ATTEMPTS).fetch_all(&cluster.pool).await.unwrap();
    check(&started, rows, &cluster.nodes[0]);
}

/// Replaces the executors one after the other while tasks are started. Returns the started tasks,
/// and the executors, which still run the last tasks.
async fn deploy(deploys: Deploys, nodes: &[&Coordinator]) -> (Vec<i64>, [Process; 3]) {
    // Runs take 20 ms, so that at each drain some attempts are running and some are in transit.
    let executor = |name: &str| nodes[0].executor_with(EXECUTOR, name, &[("TEST_PACE", "20")]);
    let mut executors = NAMES.map(executor);
    let rest: Vec<_> = nodes.iter().map(|node| node.rest()).collect();
    let connected = async || join_all(rest.iter().map(|rest| rest.executors(NAMES.len()))).await;
    connected().await;
    for n in 0..JOBS {
        // Without retries, which is the default; parallel, so that attempts run at each drain.
        let block = json!({"strategy": "parallel", "max_running": 10_000, "max_waiting": 10_000});
        rest[0].save(json!({"name": format!("j{n}"), "handler": "paced", "block": block})).await;
    }
    let stop = CancellationToken::new();
    let made = Arc::new(AtomicUsize::new(0));
    let starts = tokio::spawn(starts(rest.clone(), deploys.rate, Arc::clone(&made), stop.clone()));
    for _ in 0..deploys.rounds {
        for (name, process) in NAMES.iter().zip(&mut executors) {
            let enough = made.load(Ordering::Relaxed) + deploys.between;
            eventually("more tasks are started", Duration::from_secs(60), || async {
                (made.load(Ordering::Relaxed) >= enough).then_some(())
            })
            .await;
            process.signal("TERM");
            let status = tokio::task::block_in_place(|| process.wait());
            assert!(status.success(), "{name} ended with {status}");
            *process = executor(name);
            connected().await;
        }
    }
    stop.cancel();
    let (started, took) = starts.await.unwrap();
    let reached = started.len() as f64 / took.as_secs_f64();
    println!("{} starts, {reached:.0}/s of a target of {}/s", started.len(), deploys.rate);
    (started, executors)
}

/// Starts tasks at a steady rate from many connections until stopped.
async fn starts(
    rest: Vec<Rest>,
    rate: u32,
    made: Arc<AtomicUsize>,
    stop: CancellationToken,
) -> (Vec<i64>, Duration) {
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (rest, made) = (rest[caller % rest.len()].clone(), Arc::clone(&made));
        let stop = stop.clone();
        let mut ticks = tokio::time::interval(Duration::from_secs(1) * CALLERS as u32 / rate);
        // Late starts catch up.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        callers.spawn(async move {
            let mut started = Vec::new();
            while !stop.is_cancelled() {
                ticks.tick().await;
                let job = format!("j{}", (caller + started.len()) % JOBS);
                started.push(rest.start(&job, json!({})).await);
                made.fetch_add(1, Ordering::Relaxed);
            }
            started
        });
    }
    let started = callers.join_all().await.concat();
    (started, began.elapsed())
}

/// Checks that every started task has succeeded and ran exactly once.
#[track_caller]
fn check(started: &[i64], rows: Vec<Row>, records: &Coordinator) {
    let mut entered: HashMap<i64, u32> = HashMap::new();
    for ((_, attempt), times) in records.entered() {
        *entered.entry(attempt.parse().unwrap()).or_default() += times;
    }
    let twice: Vec<_> = entered.iter().filter(|(_, times)| **times > 1).take(10).collect();
    assert!(twice.is_empty(), "attempts were started twice: {twice:?}");
    let mut tasks: HashMap<i64, u32> = HashMap::new();
    for row in &rows {
        *tasks.entry(row.task).or_default() += entered.remove(&row.id).unwrap_or(0);
    }
    assert!(entered.is_empty(), "attempts that are missing in the store: {entered:?}");
    let lost: Vec<_> = started.iter().filter(|task| !tasks.contains_key(*task)).take(10).collect();
    assert!(lost.is_empty(), "tasks were lost: {lost:?}");
    let failed: Vec<_> = rows
        .iter()
        .filter(|row| row.id == row.task && row.task_state != Some(3))
        .map(|row| (row.task, row.task_state, row.reason, row.message.as_deref()))
        .collect();
    let (some, all) = (&failed[..failed.len().min(10)], failed.len());
    assert!(failed.is_empty(), "{all} of {} tasks did not succeed: {some:?}", started.len());
    let wrong: Vec<_> = tasks.iter().filter(|(_, times)| **times != 1).take(10).collect();
    assert!(wrong.is_empty(), "tasks that did not run exactly once: {wrong:?}");
    assert_eq!(tasks.len(), started.len(), "each start is one task");
}
