//! Executors that drain under load: attempts dispatched to them run elsewhere.

use std::time::Duration;

use fastjob_core::wire::{PROTOCOL, v1};
use fastjob_tests::{process::Coordinator, rest::Rest};
use serde_json::json;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use v1::{
    executor_link_client::ExecutorLinkClient, from_executor::Message as Say,
    to_executor::Message as Hear,
};

use crate::{EXECUTOR, coordinator};

/// Starts `count` tasks of a job, several at a time, and yields each as it is accepted.
fn start_many(rest: &Rest, job: &'static str, count: usize) -> mpsc::UnboundedReceiver<i64> {
    const AT_A_TIME: usize = 8;
    let (started, tasks) = mpsc::unbounded_channel();
    for _ in 0..AT_A_TIME {
        let (rest, started) = (rest.clone(), started.clone());
        tokio::spawn(async move {
            for _ in 0..count / AT_A_TIME {
                started.send(rest.start(job, json!({})).await).unwrap();
            }
        });
    }
    tasks
}

async fn all_succeed(rest: &Rest, mut tasks: mpsc::UnboundedReceiver<i64>) -> usize {
    let mut ends = JoinSet::new();
    let mut count = 0;
    while let Some(task) = tasks.recv().await {
        let rest = rest.clone();
        ends.spawn(async move { rest.ended(task).await });
        count += 1;
    }
    for task in ends.join_all().await {
        assert_eq!(task["state"], "succeeded", "{task}");
        assert_eq!(task["attempts"].as_array().unwrap().len(), 1, "{task}");
    }
    count
}

/// Checks that each attempt was started once, by one process.
fn entered_once(coordinator: &Coordinator, count: usize) {
    let entered = coordinator.entered();
    let attempts: std::collections::HashSet<_> = entered.keys().map(|(_, id)| id).collect();
    assert_eq!((entered.len(), attempts.len()), (count, count));
    assert!(entered.values().all(|times| *times == 1), "{entered:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_drains_under_load_loses_no_task_of_a_job_without_retries() {
    let coordinator = coordinator().await;
    let mut leaves = coordinator.executor_with(EXECUTOR, "e1", &[("TEST_PACE", "5")]);
    let _stays = coordinator.executor_with(EXECUTOR, "e2", &[("TEST_PACE", "1")]);
    let rest = coordinator.rest();
    rest.executors(2).await;
    // Some wait in an executor's lane, others run in parallel.
    rest.save(json!({"name": "serial", "handler": "paced"})).await;
    let block = json!({"strategy": "parallel", "max_running": 1000});
    rest.save(json!({"name": "parallel", "handler": "paced", "block": block})).await;
    let serial = start_many(&rest, "serial", 400);
    let mut parallel = start_many(&rest, "parallel", 800);
    let mut first = Vec::new();
    for _ in 0..100 {
        first.push(parallel.recv().await.unwrap());
    }
    // Attempts dispatched while it is suspended are still in transit when it is asked to stop.
    leaves.signal("STOP");
    for _ in 0..600 {
        first.push(parallel.recv().await.unwrap());
    }
    leaves.signal("TERM");
    leaves.signal("CONT");
    assert!(leaves.wait().success());
    let ended = all_succeed(&rest, serial).await + all_succeed(&rest, parallel).await;
    assert_eq!(ended, 500);
    let (again, tasks) = mpsc::unbounded_channel();
    first.into_iter().for_each(|task| again.send(task).unwrap());
    drop(again);
    assert_eq!(all_succeed(&rest, tasks).await, 700);
    entered_once(&coordinator, 1_200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_coordinator_dispatches_nothing_to_a_draining_executor() {
    let mut coordinator = coordinator().await;
    let rest = coordinator.rest();
    let mut leaves = coordinator.executor(EXECUTOR, "e1");
    rest.executors(1).await;
    rest.save(json!({"name": "long", "handler": "stubborn"})).await;
    let long = rest.start("long", json!({})).await;
    rest.reaches(long, &["running"]).await;
    let _stays = coordinator.executor(EXECUTOR, "e2");
    rest.executors(2).await;
    // It drains for some seconds, because its attempt does not end by itself.
    leaves.signal("TERM");
    coordinator.kill();
    coordinator.up().await;
    rest.executors(2).await;
    rest.save(json!({"name": "any", "handler": "noop"})).await;
    assert_eq!(all_succeed(&rest, start_many(&rest, "any", 80)).await, 80);
    assert!(leaves.wait().success());
    assert_eq!(rest.ended(long).await["state"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_tasks_run_after_coordinator_and_executor_restart_together() {
    let mut coordinator = coordinator().await;
    let mut executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let block = json!({"strategy": "serial", "scope": "cluster"});
    rest.save(json!({"name": "long", "handler": "stubborn", "block": block})).await;
    let long = rest.start("long", json!({})).await;
    rest.reaches(long, &["running"]).await;
    let waits = rest.start("long", json!({})).await;
    // The coordinator shuts down cleanly; the executor is killed.
    assert!(coordinator.stop().success());
    executor.kill();
    coordinator.up().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    rest.executors(1).await;
    let lost = rest.ended(long).await;
    assert_eq!(
        (&lost["state"], &lost["attempts"][0]["reason"]),
        (&json!("failed"), &json!("executor lost"))
    );
    rest.reaches(waits, &["running"]).await;
}

/// A session whose messages the test sends.
struct Spoken {
    says: mpsc::Sender<v1::FromExecutor>,
    hears: tonic::Streaming<v1::ToExecutor>,
}

impl Spoken {
    async fn join(url: String) -> Self {
        let mut client = ExecutorLinkClient::connect(url).await.unwrap();
        let (says, outbound) = mpsc::channel(64);
        let hello = v1::Hello {
            protocol: PROTOCOL,
            service: "default".to_owned(),
            executor: "spoken".to_owned(),
            secret: "1".repeat(32),
            capacity: 1_000,
            metadata: [("JobHandler.noop".to_owned(), String::new())].into(),
            ..v1::Hello::default()
        };
        says.send(v1::FromExecutor { message: Some(Say::Hello(hello)) }).await.unwrap();
        let hears = client.join(ReceiverStream::new(outbound)).await.unwrap().into_inner();
        Self { says, hears }
    }

    async fn say(&self, message: Say) {
        self.says.send(v1::FromExecutor { message: Some(message) }).await.unwrap();
    }

    /// Returns the next message that is not a ping.
    async fn hear(&mut self) -> Hear {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(30), self.hears.next()).await;
            let message = next.expect("it arrives in time").unwrap().unwrap().message.unwrap();
            if !matches!(message, Hear::Ping(_)) {
                return message;
            }
        }
    }

    /// Announces a drain, and returns the attempts that were dispatched before the farewell.
    async fn leave(&mut self, returned: Vec<i64>) -> Vec<i64> {
        self.say(Say::Goodbye(v1::Goodbye { returned })).await;
        let mut sent = Vec::new();
        loop {
            match self.hear().await {
                Hear::Start(start) => sent.extend(start.attempts.iter().map(|a| a.attempt)),
                Hear::Farewell(_) => return sent,
                Hear::Welcome(_)
                | Hear::Stop(_)
                | Hear::Recorded(_)
                | Hear::Stat(_)
                | Hear::Ping(_)
                | Hear::Leases(_)
                | Hear::Nodes(_) => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_dispatch_follows_a_farewell_and_returned_attempts_run_elsewhere() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let mut spoken = Spoken::join(coordinator.url()).await;
    let Hear::Welcome(welcome) = spoken.hear().await else { panic!("expected a welcome") };
    assert!(welcome.says_farewell);
    let Hear::Leases(v1::Leases { leases }) = spoken.hear().await else { panic!("no leases") };
    spoken.say(Say::Holding(v1::Holding { leases, ..v1::Holding::default() })).await;
    rest.save(json!({"name": "any", "handler": "noop"})).await;
    let tasks = start_many(&rest, "any", 400);
    let Hear::Start(first) = spoken.hear().await else { panic!("nothing was started") };
    assert!(first.attempts.iter().all(|attempt| attempt.created_at > 0));
    let mut sent: Vec<_> = first.attempts.iter().map(|attempt| attempt.attempt).collect();
    sent.extend(spoken.leave(Vec::new()).await);
    let _other = coordinator.executor(EXECUTOR, "e1");
    assert!(spoken.leave(sent).await.is_empty(), "nothing is sent after a farewell");
    assert_eq!(all_succeed(&rest, tasks).await, 400);
    entered_once(&coordinator, 400);
    // Nothing is dispatched to one that announces the drain when it joins.
    drop(spoken);
    let mut spoken = Spoken::join(coordinator.url()).await;
    let leases = loop {
        if let Hear::Leases(v1::Leases { leases }) = spoken.hear().await {
            break leases;
        }
    };
    spoken.say(Say::Holding(v1::Holding { leases, leaving: true, ..v1::Holding::default() })).await;
    assert_eq!(all_succeed(&rest, start_many(&rest, "any", 80)).await, 80);
    assert!(spoken.leave(Vec::new()).await.is_empty());
}
