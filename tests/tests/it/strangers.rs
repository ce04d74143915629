//! Unauthenticated connections ("strangers") do not lock out clients.
//!
//! `FASTJOB_SOAK=1` holds 20,000 of them while an executor runs 2,000 tasks per second and a node
//! of a cluster restarts. `FASTJOB_RELEASE_BIN` names the release build of `fastjob` to use.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use fastjob_tests::{
    eventually,
    process::{Coordinator, Process},
};
use serde_json::json;

use crate::{
    EXECUTOR, FASTJOB, STRANGERS,
    cluster::{Cluster, LEASE, save_seconds},
    soak,
};

const TOKEN: &str = "a-token-of-the-tests-1234";
/// The time within which a connection has to authenticate, and the time to close it after that.
const DEADLINE: Duration = Duration::from_secs(10);
const CLOSED: Duration = Duration::from_secs(5);

/// The first source address of the strangers, and the number of addresses. All callers and
/// executors connect from 127.0.0.1.
type Sources = (&'static str, usize);

/// A `strangers` process.
struct Strangers {
    _process: Process,
    log: PathBuf,
    count: usize,
}

/// The counts that it reports.
struct Counted {
    open: usize,
    opened: usize,
    closed: usize,
    longest: Duration,
}

impl Strangers {
    /// Opens `count` connections from these addresses, all at once.
    fn come(to: &Coordinator, count: usize, (first, sources): Sources, again: bool) -> Self {
        let log = to.folder().join(format!("strangers-{}", to.url().rsplit(':').next().unwrap()));
        let address = to.url().split_once("://").unwrap().1.to_owned();
        let process = Process::start(
            Command::new(STRANGERS)
                .args([&address, &count.to_string(), first, &sources.to_string()])
                .args(again.then_some("again"))
                .stdout(File::create(&log).unwrap()),
        );
        Self { _process: process, log, count }
    }

    fn counted(&self) -> Option<Counted> {
        let text = fs::read_to_string(&self.log).unwrap();
        let whole = &text[..text.rfind('\n')?];
        let mut numbers = whole.lines().last()?.split(' ').map(|n| n.parse::<u64>().unwrap());
        let mut next = || numbers.next().unwrap();
        let [open, opened, closed] = [next(), next(), next()].map(|n| n as usize);
        Some(Counted { open, opened, closed, longest: Duration::from_millis(next()) })
    }

    /// Waits until each has connected.
    async fn all_came(&self) {
        eventually("all strangers have connected", Duration::from_secs(120), || async {
            (self.counted()?.opened >= self.count).then_some(())
        })
        .await;
    }

    /// Waits until all are disconnected, and checks that none was kept for long.
    async fn all_left(&self) {
        let counted = eventually("all strangers are disconnected", DEADLINE * 3, || async {
            self.counted().filter(|counted| counted.closed == self.count)
        })
        .await;
        assert_eq!(counted.open, 0);
        assert!(counted.longest < DEADLINE + CLOSED, "held for {:?}", counted.longest);
    }
}

/// Starts tasks, each over a new connection, until `until` completes. Returns its output and the
/// tasks.
async fn start_until<T>(
    coordinator: &Coordinator,
    until: impl Future<Output = T>,
) -> (T, Vec<i64>) {
    let (mut until, mut started) = (std::pin::pin!(until), Vec::new());
    loop {
        tokio::select! {
            biased;
            happened = &mut until => return (happened, started),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        started.push(coordinator.rest().start("s", json!({})).await);
    }
}

/// Checks that callers and executors are served while strangers hold all the connections they can.
async fn no_client_is_locked_out(coordinator: &Coordinator, strangers: usize, sources: Sources) {
    let _executor = coordinator.executor(EXECUTOR, "e1");
    coordinator.rest().executors(1).await;
    let block = json!({"strategy": "parallel", "max_running": 1_000, "max_waiting": 10_000});
    let job = json!({"name": "s", "handler": "slow", "param": "100", "block": block});
    coordinator.rest().save(job).await;
    let strangers = Strangers::come(coordinator, strangers, sources, false);
    let (_new, started) = start_until(coordinator, async {
        strangers.all_came().await;
        let new = coordinator.executor(EXECUTOR, "e2");
        coordinator.rest().executors(2).await;
        strangers.all_left().await;
        new
    })
    .await;
    assert!(started.len() > 20, "{} calls", started.len());
    for task in started {
        let task = coordinator.rest().ended(task).await;
        assert_eq!(task["state"], "succeeded", "{task}");
        assert_eq!(task["attempts"].as_array().map(Vec::len), Some(1), "{task}");
    }
    let twice: Vec<_> = coordinator.entered().into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "started twice: {twice:?}");
    for executor in ["e1", "e2"] {
        let said = coordinator.said(executor);
        let cut_off = said.contains("no session") || said.contains("interrupted");
        assert!(!cut_off, "the executor was disconnected: {said}");
    }
}

/// A wrapper of `fastjob` that limits open files to `soft` at start, and to at most `hard`.
fn with_few_files(folder: &tempfile::TempDir, soft: u32, hard: u32) -> PathBuf {
    let path = folder.path().join("fastjob");
    let text = format!("#!/bin/sh\nulimit -Sn {soft}\nulimit -Hn {hard}\nexec {FASTJOB} \"$@\"\n");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_unauthenticated_connections_lock_no_client_out() {
    let mut coordinator =
        Coordinator::prepare(FASTJOB).token(TOKEN).env("FASTJOB_MAX_CONNECTIONS", "1000");
    coordinator.up().await;
    no_client_is_locked_out(&coordinator, 5_000, ("127.0.0.1", 4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unauthenticated_connections_lock_no_client_out_with_a_low_file_limit() {
    let folder = tempfile::tempdir().unwrap();
    let mut coordinator = Coordinator::prepare(with_few_files(&folder, 256, 600)).token(TOKEN);
    coordinator.up().await;
    let said = coordinator.said("coordinator");
    assert!(said.contains("WARN") && said.contains("may open 600 files"), "{said}");
    no_client_is_locked_out(&coordinator, 2_000, ("127.0.0.2", 1)).await;
    assert!(!coordinator.said("coordinator").contains("could not accept"), "it ran out of files");
}

#[tokio::test]
async fn a_coordinator_with_too_low_a_file_limit_does_not_start_and_reports_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut coordinator = Coordinator::prepare(with_few_files(&folder, 100, 100));
    coordinator.begin();
    eventually("it reports what to do", Duration::from_secs(20), || async {
        let said = coordinator.said("coordinator");
        (said.contains("may open 100 files") && said.contains("ulimit -n")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_unauthenticated_connections_loses_no_task_while_a_node_restarts() {
    if !soak() {
        return; // only the long form has a cluster
    }
    let program = std::env::var("FASTJOB_RELEASE_BIN").unwrap_or_else(|_| FASTJOB.to_owned());
    let mut cluster =
        Cluster::with(2, LEASE, |node| node.program(program.as_str()).token(TOKEN)).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    let jobs = 2_000;
    save_seconds(&cluster.nodes[0].rest(), jobs).await;
    let strangers =
        [0, 1].map(|n| Strangers::come(&cluster.nodes[n], 10_000, ("127.0.0.1", 100), true));
    for strangers in &strangers {
        strangers.all_came().await;
    }
    for _ in 0..3 {
        let calls = async {
            let (began, mut calls) = (Instant::now(), 0);
            while began.elapsed() < DEADLINE {
                let (status, answer) = cluster.nodes[0].rest().get("/api/v1/nodes").await.unwrap();
                assert_eq!(status, 200, "{answer}");
                calls += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            println!(
                "{calls} calls over new connections, {} strangers",
                strangers
                    .iter()
                    .map(|strangers| strangers.counted().map_or(0, |counted| counted.opened))
                    .sum::<usize>()
            );
        };
        calls.await;
        assert!(cluster.nodes[1].stop().success());
        cluster.all_held().await;
        cluster.nodes[1].up().await;
        cluster.all_held().await;
        cluster.connected(1).await;
    }
    let rest = cluster.nodes[0].rest();
    cluster.end(&rest, jobs).await;
    cluster.every_second_is_there(jobs).await;
    let failed = "select count(*) from ended_attempts where state = 4";
    assert_eq!(cluster.count(failed).await, 0, "no attempt was lost");
    let entered = cluster.nodes[0].entered();
    let twice: Vec<_> = entered.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "started twice: {twice:?}");
    println!("{} tasks ran", entered.len());
}
