//! SIGTERM under load loses nothing: neither of an executor, nor of a process that embeds the
//! coordinator and its executors. Every fire and every accepted start is recorded once, runs once, and
//! succeeds.

use std::{collections::BTreeSet, time::Duration};

use fastjob_client::{Call, types::StartRequest};
use fastjob_tests::{eventually, process::Coordinator, rest::Rest};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{EMBEDDED, EXECUTOR, coordinator};

/// How many jobs fire every second.
const JOBS: usize = 20;
/// How many times each test sends SIGTERM.
const TERMS: usize = 3;

/// Jobs that fire every second, and a caller that starts tasks of another job.
struct Load {
    rest: Rest,
    stop: CancellationToken,
    caller: JoinHandle<BTreeSet<i64>>,
}

impl Load {
    /// Saves the jobs, of this handler, and begins.
    async fn begin(rest: &Rest, handler: &str) -> Self {
        let block = json!({"strategy": "parallel", "max_running": 1000, "max_waiting": 1000});
        rest.save(json!({"name": "called", "handler": handler, "block": block})).await;
        for n in 0..JOBS {
            // A restart may take longer than the time after which a fire counts as missed.
            let job = json!({"name": format!("fires-{n}"), "handler": handler,
                "schedule": {"fixed_rate": "1s"}, "misfire": {"fire_all": {}}, "block": block});
            rest.save(job).await;
        }
        let stop = CancellationToken::new();
        let caller = tokio::spawn(call(rest.clone(), stop.clone()));
        Self { rest: rest.clone(), stop, caller }
    }

    /// Waits until so many tasks that were started since have ended.
    async fn goes_on(&self, tasks: usize) {
        let from = self.ended().await.unwrap_or_default();
        eventually("the load continues", Duration::from_secs(60), || async {
            self.ended().await.filter(|ended| *ended >= from + tasks).map(drop)
        })
        .await;
    }

    async fn ended(&self) -> Option<usize> {
        let tasks = self.rest.client().tasks().job("called").collect(10_000).await.ok()?;
        Some(tasks.iter().filter(|task| task.ended_at.is_some()).count())
    }

    /// Stops the load, waits for the end of everything, and checks that each fire and each start ran
    /// once and succeeded.
    async fn ran_once(self, coordinator: &Coordinator) {
        let Self { rest, stop, caller } = self;
        stop.cancel();
        let started = caller.await.unwrap();
        for n in 0..JOBS {
            rest.post(&format!("/api/v1/jobs/default.fires-{n}/disable")).await;
        }
        let mut recorded = BTreeSet::new();
        for job in (0..JOBS).map(|n| format!("fires-{n}")).chain(["called".to_owned()]) {
            let tasks = all_ended(&rest, &job).await;
            for task in &tasks {
                assert_eq!(task["state"], "succeeded", "{task}");
                assert_eq!(task["attempts"].as_array().unwrap().len(), 1, "{task}");
                recorded.insert(task["id"].as_i64().unwrap());
            }
            if job == "called" {
                let ids: BTreeSet<_> =
                    tasks.iter().map(|task| task["id"].as_i64().unwrap()).collect();
                assert_eq!(ids, started, "accepted starts and recorded tasks");
            } else {
                no_fire_is_missing(&job, &tasks);
            }
        }
        let entered = coordinator.entered();
        assert!(entered.values().all(|times| *times == 1), "{entered:?}");
        let attempts: BTreeSet<_> = entered.keys().map(|(_, id)| id.parse().unwrap()).collect();
        assert_eq!(attempts.len(), entered.len(), "one attempt ran in two processes");
        assert_eq!(attempts, recorded, "what ran and what is recorded");
    }
}

/// Starts tasks until it is stopped, and returns those that were accepted. A start whose answer was
/// lost is repeated with its key.
async fn call(rest: Rest, stop: CancellationToken) -> BTreeSet<i64> {
    let mut started = BTreeSet::new();
    for n in 0_u64.. {
        if stop.is_cancelled() {
            break;
        }
        let request: StartRequest =
            serde_json::from_value(json!({"key": format!("k{n}")})).unwrap();
        let task = eventually("a start is accepted", Duration::from_secs(60), || async {
            rest.client().call(Call::start("called", &request)).await.ok()
        })
        .await;
        assert!(started.insert(task.task), "two keys have one task");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    started
}

/// All tasks of a job, once they have ended.
async fn all_ended(rest: &Rest, job: &str) -> Vec<Value> {
    let what = format!("the tasks of {job} have ended");
    eventually(&what, Duration::from_secs(90), || async {
        let tasks = rest.client().tasks().job(job).collect(10_000).await.ok()?;
        let ended = !tasks.is_empty() && tasks.iter().all(|task| task.ended_at.is_some());
        ended.then(|| tasks.iter().map(|task| serde_json::to_value(task).unwrap()).collect())
    })
    .await
}

fn no_fire_is_missing(job: &str, tasks: &[Value]) {
    let fire = |task: &Value| -> jiff::Timestamp {
        task["fire_at"].as_str().expect("a fire").parse().unwrap()
    };
    let fires: BTreeSet<_> = tasks.iter().map(|task| fire(task).as_second()).collect();
    assert_eq!(fires.len(), tasks.len(), "a fire of {job} has two tasks");
    let (first, last) = (fires.first().unwrap(), fires.last().unwrap());
    let missing: Vec<_> = (*first..*last).filter(|second| !fires.contains(second)).collect();
    assert!(missing.is_empty(), "missing fires of {job}: {missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_of_an_executor_under_load_loses_nothing() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let pace = [("TEST_PACE", "30")];
    let mut stays = coordinator.executor_with(EXECUTOR, "e0", &pace);
    rest.executors(1).await;
    let load = Load::begin(&rest, "paced").await;
    for n in 1..=TERMS {
        load.goes_on(50).await;
        stays.signal("TERM");
        // Its place is taken only after it has left: until then, tasks wait.
        assert!(stays.wait().success());
        stays = coordinator.executor_with(EXECUTOR, &format!("e{n}"), &pace);
    }
    load.goes_on(50).await;
    load.ran_once(&coordinator).await;
    let said = coordinator.said("coordinator");
    assert!(!said.contains("executor lost"), "a goodbye is no loss");
    assert!(said.contains("executor left"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_of_a_process_that_embeds_coordinator_and_executors_loses_nothing() {
    let coordinator = Coordinator::prepare(EMBEDDED);
    let records = coordinator.records().display().to_string();
    let mut coordinator = coordinator.env("TEST_RECORDS", &records);
    coordinator.up().await;
    let rest = coordinator.rest();
    rest.executors(2).await;
    let load = Load::begin(&rest, "embedded").await;
    for _ in 0..TERMS {
        load.goes_on(50).await;
        assert!(coordinator.stop().success());
        coordinator.up().await;
    }
    load.goes_on(50).await;
    load.ran_once(&coordinator).await;
}
