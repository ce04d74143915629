//! Executors that users drain, and executors that are lost.

use std::time::Duration;

use fastjob_tests::{eventually, process::Coordinator, rest::Rest};
use serde_json::{Value, json};

use crate::{EXECUTOR, FASTJOB, coordinator};

/// Starts tasks, and checks that all run on one executor.
async fn all_run_on(rest: &Rest, executor: &str) {
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(rest.start("any", json!({})).await);
    }
    for task in tasks {
        let task = rest.ended(task).await;
        assert_eq!(task["attempts"][0]["executor"], executor, "{task}");
        assert_eq!(task["state"], "succeeded", "{task}");
    }
}

async fn shown(rest: &Rest, name: &str) -> Option<Value> {
    let (status, view) = rest.get(&format!("/api/v1/executors/{name}")).await.unwrap();
    (status == 200).then_some(view)
}

async fn becomes(rest: &Rest, name: &str, state: &str) -> Value {
    eventually(&format!("{name} is {state}"), Duration::from_secs(30), || async {
        shown(rest, name).await.filter(|view| view["state"] == state)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_executor_gets_nothing_over_restarts_of_both_sides_until_it_is_resumed() {
    let mut coordinator = coordinator().await;
    let rest = coordinator.rest();
    let mut drained = coordinator.executor(EXECUTOR, "e1");
    let _other = coordinator.executor(EXECUTOR, "e2");
    rest.executors(2).await;
    rest.save(json!({"name": "any", "handler": "noop"})).await;
    let answer = rest.post("/api/v1/executors/e1/drain").await;
    assert_eq!((&answer["state"], &answer["drained"]), (&json!("drained"), &json!(true)));
    all_run_on(&rest, "e2").await;
    // What only that executor may run waits for it.
    let waits = rest.start("any", json!({"executor": "e1"})).await;

    assert!(coordinator.stop().success());
    coordinator.up().await;
    rest.executors(2).await;
    all_run_on(&rest, "e2").await;
    coordinator.kill();
    coordinator.up().await;
    rest.executors(2).await;
    all_run_on(&rest, "e2").await;
    drained.kill();
    becomes(&rest, "e1", "disconnected").await;
    drained = coordinator.executor(EXECUTOR, "e1");
    becomes(&rest, "default.e1", "drained").await;
    all_run_on(&rest, "e2").await;

    assert_eq!(rest.task(waits).await["state"], "queued");
    let answer = rest.post("/api/v1/executors/default.e1/resume").await;
    assert_eq!((&answer["state"], &answer["drained"]), (&json!("connected"), &json!(false)));
    assert_eq!(rest.ended(waits).await["attempts"][0]["executor"], "e1");
    drop(drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_waits_ends_when_the_executor_holds_nothing() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let _executor = coordinator.executor(EXECUTOR, "e1");
    rest.executors(1).await;
    rest.save(json!({"name": "slow", "handler": "slow", "param": "2000"})).await;
    let task = rest.start("slow", json!({})).await;
    rest.reaches(task, &["running"]).await;
    let waited = coordinator.cli(&["executor", "drain", "e1", "--wait"]);
    let said = String::from_utf8(waited.stdout).unwrap();
    assert_eq!(said, "default.e1 is drained and holds nothing\n");
    assert_eq!(rest.task(task).await["state"], "succeeded");
    let list = coordinator.cli(&["executor", "list"]);
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.lines().nth(1).unwrap().contains("drained"), "{list}");
    let unknown = coordinator.cli(&["executor", "drain", "nobody"]);
    assert!(!unknown.status.success());
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert!(said.contains("no executor named nobody"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_executor_is_logged_and_listed_with_what_it_held_until_it_is_back() {
    let mut coordinator = Coordinator::prepare(FASTJOB)
        .env("FASTJOB_BEAT", "300ms")
        .env("FASTJOB_EXECUTOR_LOST", "1s");
    coordinator.up().await;
    let rest = coordinator.rest();
    let mut executor = coordinator.executor(EXECUTOR, "e1");
    rest.executors(1).await;
    rest.save(json!({"name": "long", "handler": "stubborn"})).await;
    let task = rest.start("long", json!({})).await;
    rest.reaches(task, &["running"]).await;
    executor.kill();
    let lost = becomes(&rest, "e1", "lost").await;
    assert_eq!((&lost["lost_attempts"], &lost["attempts"]), (&json!(1), &json!(0)));
    assert!(lost["lost_at"].is_string() && lost["last_seen"].is_string(), "{lost}");
    assert_eq!(rest.ended(task).await["state"], "failed");
    let named = format!("{task} (default.long)");
    let said = eventually("the loss is logged", Duration::from_secs(20), || async {
        let said = coordinator.said("coordinator");
        (said.contains("executor lost") && said.contains("attempts failed")).then_some(said)
    })
    .await;
    assert_eq!(said.matches("executor lost").count(), 1, "{said}");
    assert!(said.contains(&named) && said.contains("waits up to 1s for it to reconnect"), "{said}");

    let mut executor = coordinator.executor(EXECUTOR, "e1");
    becomes(&rest, "e1", "connected").await;
    executor.signal("TERM");
    assert!(executor.wait().success());
    eventually("it is not listed", Duration::from_secs(20), || async {
        shown(&rest, "e1").await.is_none().then_some(())
    })
    .await;
    eventually("its goodbye is logged", Duration::from_secs(20), || async {
        coordinator.said("coordinator").contains("executor left").then_some(())
    })
    .await;
}
