//! A live page sees what happens as a few events, and the overview says what needs attention.

use std::time::Duration;

use fastjob_tests::{eventually, rest::Events};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{EXECUTOR, coordinator};

/// Reads events until one of this name has what is wanted; returns all of them.
async fn until(
    events: &mut Events,
    name: &str,
    is_wanted: impl Fn(&Value) -> bool,
) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let read = async {
        loop {
            let (of, data) = events.next().await.expect("the stream is open");
            let is_it = of == name && is_wanted(&data);
            all.push((of, data));
            if is_it {
                break;
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), read).await.is_ok();
    assert!(in_time, "no such `{name}`: {all:?}");
    all
}

#[tokio::test]
async fn a_page_sees_counts_its_tasks_and_that_the_coordinator_stops() {
    let mut coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let task = rest.start("slow", json!({"param": "60000"})).await;
    let mut events = rest.events(&format!("/api/v1/events?tasks={task}")).await.unwrap();
    // The first counts and the task may come in either order.
    let mut wanted = [true, true];
    while wanted.contains(&true) {
        let (of, data) = events.next().await.expect("the stream is open");
        let counts = of == "counts" && data["running"] == 1 && data["executors"] == 1;
        let running = of == "task" && data["id"] == task && data["state"] == "running";
        wanted = [wanted[0] && !counts, wanted[1] && !running];
    }
    rest.post(&format!("/api/v1/tasks/{task}/stop")).await;
    let seen = until(&mut events, "task", |view| view["state"] == "stopped").await;
    let view = &seen.last().unwrap().1;
    assert!(view["param"].is_null() && view["result"].is_null(), "{view}");
    rest.save(json!({"name": "new", "handler": "noop"})).await;
    until(&mut events, "changed", |changed| changed["jobs"] == true).await;

    let stopping = std::thread::spawn(move || coordinator.stop());
    until(&mut events, "bye", |_| true).await;
    assert!(events.next().await.is_none(), "the stream ends after bye");
    assert!(stopping.join().unwrap().success());
}

#[tokio::test]
async fn a_thousand_tasks_are_a_few_events() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let mut events = rest.events("/api/v1/events").await.unwrap();
    let (_, first) = events.next().await.unwrap();
    let ended = first["ended"].as_u64().unwrap();
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        join_all((0..50).map(|_| rest.start("quick", json!({})))).await;
    }
    let seen =
        until(&mut events, "counts", |counts| counts["ended"].as_u64() >= Some(ended + 1_000))
            .await;
    // Two of counts a second, and one of what has changed; never one for each task.
    let most = 3 * (begun.elapsed().as_secs() as usize + 2);
    assert!(seen.len() <= most, "{} events: {seen:?}", seen.len());
}

#[tokio::test]
async fn the_overview_says_what_needs_attention() {
    let coordinator = coordinator().await;
    let executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let job = json!({"name": "nobody", "service": "other", "handler": "none"});
    let job: fastjob_client::types::JobDraft = serde_json::from_value(job).unwrap();
    rest.client().job("other.nobody").save(&job).await.unwrap();
    let failed = rest.start("fatal", json!({})).await;
    rest.ended(failed).await;
    let waits = rest.start("nobody", json!({})).await;
    let overview = eventually("both need attention", Duration::from_secs(60), || async {
        let (_, overview) = rest.get("/api/v1/overview").await.unwrap();
        let items = overview["attention"].as_array()?;
        let has = |kind: &str, task: i64| {
            items.iter().any(|item| item["kind"] == kind && item["task"] == task)
        };
        (has("failing", failed) && has("no_executor", waits)).then_some(overview)
    })
    .await;
    assert_eq!(overview["executors"]["connected"], 1, "{overview}");
    assert_eq!(overview["tasks"]["queued"], 1, "{overview}");
    // An overview may be some seconds old.
    eventually("that of the service has what it waits for", Duration::from_secs(60), || async {
        let (_, other) = rest.get("/api/v1/overview?service=other").await.unwrap();
        let items = other["attention"].as_array()?;
        let kinds: Vec<_> = items.iter().map(|item| &item["kind"]).collect();
        (kinds == ["no_executor"]).then_some(())
    })
    .await;
    eventually("the service has its task", Duration::from_secs(60), || async {
        let (_, services) = rest.get("/api/v1/services").await.unwrap();
        let all = services["items"].as_array()?;
        let other = all.iter().find(|of| of["service"] == "other")?;
        (other["jobs"] == 1 && other["queued"] == 1).then_some(())
    })
    .await;
    let (_, jobs) = rest.get("/api/v1/jobs?last_state=failed&enabled=true").await.unwrap();
    let names: Vec<_> = jobs["items"].as_array().unwrap().iter().map(|job| &job["name"]).collect();
    assert_eq!(names, ["fatal"]);
    let (_, stats) = rest.get("/api/v1/stats/jobs?order=failed").await.unwrap();
    assert_eq!(stats["items"][0]["job"], "fatal", "{stats}");
    assert_eq!(stats["items"][0]["failed"], 1, "{stats}");
    let (_, about) = rest.get("/api/v1/about").await.unwrap();
    assert_eq!((&about["store"], &about["problems"]), (&json!("sqlite"), &json!([])), "{about}");
    drop(executor);
}
