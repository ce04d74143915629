//! Alarms are sent for the configured conditions, over every kind of channel.

mod channels;
mod hook;
mod mail;
mod silences;

use std::time::Duration;

use fastjob_tests::{
    eventually,
    process::{Coordinator, write_private},
    rest::Rest,
};
use serde_json::{Value, json};

use self::hook::Hook;
use crate::{EXECUTOR, FASTJOB};

async fn coordinator(channels: &str) -> Coordinator {
    let mut coordinator = Coordinator::prepare(FASTJOB);
    write_private(&coordinator.folder().join("fastjob.toml"), channels);
    coordinator.up().await;
    coordinator
}

/// The alarms of a job, newest first.
async fn shown(rest: &Rest, job: &str) -> Vec<Value> {
    let (status, page) = rest.get(&format!("/api/v1/alarms?job={job}")).await.unwrap();
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().clone()
}

/// Fails a job once, waits until its alarm is in this state, and returns the alarm.
async fn fails(rest: &Rest, job: &str, state: &str) -> Value {
    let task = rest.start(job, json!({})).await;
    rest.ended(task).await;
    eventually(&format!("the alarm of {job} is {state}"), Duration::from_secs(20), || async {
        let alarm = shown(rest, job).await.into_iter().next()?;
        (alarm["task"] == task && alarm["state"] == state).then_some(alarm)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_channels_uses_those_of_its_service() {
    let hook = Hook::listen().await;
    let coordinator = coordinator(&format!(
        "[alarms.hook]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{}/\"\n\
         group_wait = \"0s\"\ndefault_for = [\"default\"]\n",
        hook.port
    ))
    .await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "quiet", "handler": "fatal", "alarms": ["none"]})).await;
    rest.save(json!({"name": "usual", "handler": "fatal"})).await;
    rest.ended(rest.start("quiet", json!({})).await).await;
    fails(&rest, "usual", "sent").await;
    assert_eq!(hook.gets("failed").await["job"], "default.usual");
    assert_eq!(shown(&rest, "quiet").await, [Value::Null; 0]);
    let (_, channels) = rest.get("/api/v1/alarms/channels").await.unwrap();
    assert_eq!(channels["items"][0]["default_for"], json!(["default"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_attempt_raises_one_alarm_while_it_runs() {
    let hook = Hook::listen().await;
    let mut coordinator = coordinator(&format!(
        "[alarms.hook]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{}/\"\n\
         group_wait = \"0s\"\n",
        hook.port
    ))
    .await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    for (name, handler) in [("long", "slow"), ("short", "noop")] {
        rest.save(json!({"name": name, "handler": handler, "param": 600_000, "alarms": ["hook"],
            "grace": "1s", "alarm_when": {"runs_longer": "1s"}}))
            .await;
    }
    rest.ended(rest.start("short", json!({})).await).await;
    let long = rest.start("long", json!({})).await;
    let message = hook.gets("runs_long").await;
    assert_eq!(
        (&message["job"], &message["count"]),
        (&json!("default.long"), &json!(1)),
        "{message}"
    );
    assert_eq!(rest.task(long).await["state"], "running");

    // A restarted coordinator finds the attempt running and does not send the alarm again.
    coordinator.kill();
    coordinator.up().await;
    let rest = coordinator.rest();
    rest.executors(1).await;
    assert_eq!(rest.reaches(long, &["running"]).await["state"], "running");
    rest.post(&format!("/api/v1/tasks/{long}/stop")).await;
    assert_eq!(rest.ended(long).await["state"], "stopped");
    rest.save(json!({"name": "last", "handler": "fatal", "alarms": ["hook"]})).await;
    rest.ended(rest.start("last", json!({})).await).await;
    hook.gets("failed").await;
    assert_eq!(hook.of("runs_long").len(), 1, "{:?}", hook.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_a_recovery_a_storm_and_a_late_start_are_each_reported_once() {
    let hook = Hook::listen().await;
    let mut coordinator = coordinator(&format!(
        "[alarms.hook]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{}/\"\n\
         group_wait = \"1s\"\ngroup_interval = \"1s\"\n",
        hook.port
    ))
    .await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;

    rest.save(json!({"name": "bad", "handler": "fatal", "alarms": ["hook"]})).await;
    rest.ended(rest.start("bad", json!({})).await).await;
    let message = hook.gets("failed").await;
    assert_eq!(
        (&message["job"], &message["count"]),
        (&json!("default.bad"), &json!(1)),
        "{message}"
    );

    // The same job, fixed.
    rest.save(json!({"name": "bad", "handler": "noop", "alarms": ["hook"]})).await;
    rest.ended(rest.start("bad", json!({})).await).await;
    hook.gets("recovered").await;

    rest.save(json!({"name": "storm", "handler": "fatal", "alarms": ["hook"],
        "block": {"max_waiting": 1000}}))
        .await;
    for _ in 0..200 {
        rest.start("storm", json!({})).await;
    }
    eventually("all alarms of the storm are sent", Duration::from_secs(20), || async {
        let failed = hook.of("failed");
        let storm = failed.iter().filter(|message| message["job"] == "default.storm");
        (storm.filter_map(|message| message["count"].as_u64()).sum::<u64>() == 200).then_some(())
    })
    .await;
    let storm =
        hook.of("failed").iter().filter(|message| message["job"] == "default.storm").count();
    assert!(storm <= 4, "a storm of 200 was sent in {storm} messages");

    rest.save(json!({"name": "late", "handler": "nowhere", "alarms": ["hook"],
        "alarm_when": {"starts_later": "1s"}}))
        .await;
    rest.start("late", json!({})).await;
    hook.gets("starts_late").await;

    // A restarted coordinator does not send these alarms again.
    let before = hook.requests().len();
    coordinator.kill();
    coordinator.up().await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "last", "handler": "fatal", "alarms": ["hook"]})).await;
    rest.executors(1).await;
    rest.ended(rest.start("last", json!({})).await).await;
    eventually("the last alarm is sent", Duration::from_secs(20), || async {
        hook.of("failed").iter().any(|message| message["job"] == "default.last").then_some(())
    })
    .await;
    assert_eq!(hook.requests().len(), before + 1, "{:?}", hook.requests());

    let unknown = json!({"name": "x", "handler": "noop", "alarms": ["nowhere"]}).to_string();
    let (status, answer) = rest.ask("POST", "/api/v1/jobs", Some(unknown)).await.unwrap();
    assert_eq!(status, 422, "{answer}");
    assert!(answer.to_string().contains("there are hook"), "{answer}");
    let tested = coordinator.cli(&["alarm", "test", "hook"]);
    assert!(tested.status.success(), "{tested:?}");
    let listed = coordinator.cli(&["alarm", "channels"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("webhook"), "{listed:?}");
}
