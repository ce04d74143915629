//! Stopping tasks, even if their executor does not answer.

use std::time::Duration;

use fastjob_tests::{eventually, process::Coordinator};
use serde_json::json;

use crate::{EXECUTOR, FASTJOB, coordinator};

#[tokio::test]
async fn a_waiting_task_is_stopped_and_never_runs() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "slow", "handler": "slow", "param": "2000"})).await;
    let later = rest.start("slow", json!({"delay": "1h"})).await;
    let runs = rest.start("slow", json!({})).await;
    rest.reaches(runs, &["running"]).await;
    let waits = rest.start("slow", json!({})).await;
    for task in [later, waits] {
        assert_eq!(rest.task(task).await["state"], "queued");
        let answer = rest.post(&format!("/api/v1/tasks/{task}/stop")).await;
        assert_eq!(answer["stopped"], true);
        let view = rest.ended(task).await;
        assert_eq!(view["state"], "stopped", "{view}");
        assert!(view["started_at"].is_null(), "{view}");
    }
    assert_eq!(rest.ended(runs).await["state"], "succeeded");
    assert_eq!(coordinator.entered().len(), 1);
    // A task that has ended does not change.
    let answer = rest.post(&format!("/api/v1/tasks/{runs}/stop")).await;
    assert_eq!((&answer["stopped"], &answer["state"]), (&json!(false), &json!("succeeded")));
}

#[tokio::test]
async fn a_handler_that_ignores_a_stop_is_aborted_after_the_grace_period() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "deaf", "handler": "stubborn", "grace": "200ms"})).await;
    let task = rest.start("deaf", json!({})).await;
    rest.reaches(task, &["running"]).await;
    rest.post(&format!("/api/v1/tasks/{task}/stop")).await;
    assert_eq!(rest.ended(task).await["state"], "stopped");
    // Its lane is free again.
    let next = rest.start("deaf", json!({})).await;
    rest.reaches(next, &["running"]).await;
}

#[tokio::test]
async fn a_handler_that_honours_a_stop_ends_at_its_time_limit_and_is_retried() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "long", "handler": "slow", "param": "600000", "timeout": "300ms",
        "grace": "1h", "retry": {"count": 1, "delay": "100ms"}}))
        .await;
    let task = rest.ended(rest.start("long", json!({})).await).await;
    assert_eq!(task["state"], "failed");
    let attempts = task["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{task}");
    assert!(attempts.iter().all(|attempt| attempt["reason"] == "timed out"), "{task}");
}

#[tokio::test]
async fn a_frozen_executor_is_lost_and_its_late_reports_change_nothing() {
    let mut coordinator = Coordinator::prepare(FASTJOB)
        .env("FASTJOB_BEAT", "200ms")
        .env("FASTJOB_EXECUTOR_LOST", "1s");
    coordinator.up().await;
    let frozen = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "moves", "handler": "slow", "param": "1500",
        "retry": {"count": 1, "delay": "100ms"}}))
        .await;
    let task = rest.start("moves", json!({})).await;
    rest.reaches(task, &["running"]).await;
    let _other = coordinator.executor(EXECUTOR, "e2");
    rest.executors(2).await;
    frozen.signal("STOP");
    let ended = rest.ended(task).await;
    frozen.signal("CONT");
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["attempts"][0]["reason"], "executor lost", "{ended}");
    assert_eq!(ended["attempts"][1]["executor"], "e2", "{ended}");
    // It reconnects, and learns that its attempt was abandoned.
    eventually("the frozen executor is back without attempts", Duration::from_secs(20), || async {
        let (_, page) = rest.get("/api/v1/executors").await.ok()?;
        let items = page["items"].as_array()?;
        let free = |e: &&serde_json::Value| e["connected"] == true && e["attempts"] == 0;
        (items.iter().filter(free).count() == 2).then_some(())
    })
    .await;
    assert_eq!(rest.task(task).await, ended);
    rest.save(json!({"name": "there", "handler": "noop", "route": {"specific": "e1"}})).await;
    let again = rest.ended(rest.start("there", json!({})).await).await;
    assert_eq!(
        (&again["state"], &again["attempts"][0]["executor"]),
        (&json!("succeeded"), &json!("e1"))
    );
}

#[tokio::test]
async fn a_job_bound_to_one_executor_waits_for_it_for_the_configured_time() {
    let coordinator = coordinator().await;
    let _other = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let job = |no_executor: &str| json!({"name": "only", "handler": "noop", "no_executor": no_executor, "route": {"specific": "e2"}});
    rest.save(job("300ms")).await;
    let failed = rest.ended(rest.start("only", json!({})).await).await;
    assert_eq!(failed["attempts"][0]["reason"], "no executor", "{failed}");
    rest.save(job("60s")).await;
    let waits = rest.start("only", json!({})).await;
    let _wanted = coordinator.executor(EXECUTOR, "e2");
    let ran = rest.ended(waits).await;
    assert_eq!(
        (&ran["state"], &ran["attempts"][0]["executor"]),
        (&json!("succeeded"), &json!("e2"))
    );
}
