//! What handlers log is read while they run and afterwards, whole and in order.

use fastjob_tests::rest::Rest;
use serde_json::{Value, json};

use crate::{EXECUTOR, coordinator};

fn numbers(text: &str) -> Vec<u32> {
    text.lines().filter_map(|line| line.rsplit_once("line ")?.1.parse().ok()).collect()
}

/// The text of all pieces from an offset on.
async fn read(rest: &Rest, task: i64, attempt: &str) -> String {
    let (mut text, mut offset) = (String::new(), 0);
    loop {
        let path = format!("/api/v1/tasks/{task}/log?offset={offset}&limit=100{attempt}");
        let (status, piece) = rest.get(&path).await.unwrap();
        assert_eq!(status, 200, "{piece}");
        assert_eq!(piece["offset"], offset);
        text.push_str(piece["text"].as_str().unwrap());
        offset = piece["next_offset"].as_u64().unwrap();
        if piece["ended"] == true {
            return text;
        }
    }
}

#[tokio::test]
async fn a_log_is_followed_as_events_from_the_first_line_to_the_last() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let task = rest.start("talks", json!({"param": 30})).await;
    rest.reaches(task, &["running"]).await;
    let events = rest.follow(&format!("/api/v1/tasks/{task}/log")).await.unwrap();
    assert_eq!(rest.task(task).await["state"], "succeeded", "it ends when the attempt has");
    let mut text = String::new();
    for data in events.lines().filter_map(|line| line.strip_prefix("data:")) {
        let piece: Value = serde_json::from_str(data).unwrap();
        text.push_str(piece["text"].as_str().unwrap_or_default());
    }
    let all: Vec<_> = (1..=30).collect();
    assert_eq!(numbers(&text), all, "{events}");
    assert!(events.trim_end().ends_with("data: {}") && events.contains("event: end"), "{events}");
    assert_eq!(numbers(&read(&rest, task, "").await), all);
}

#[tokio::test]
async fn the_tail_of_a_log_outlives_its_executor_and_a_restart() {
    let mut coordinator = coordinator().await;
    let mut executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let task = rest.start("talks", json!({"param": 5})).await;
    rest.ended(task).await;
    executor.kill();
    coordinator.kill();
    coordinator.up().await;
    assert_eq!(numbers(&read(&rest, task, "").await), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn each_attempt_has_a_log_of_its_own() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "two", "handler": "talks", "param": "40", "timeout": "300ms",
        "grace": "100ms", "retry": {"count": 1, "delay": "100ms"}}))
        .await;
    let task = rest.start("two", json!({})).await;
    let view = rest.ended(task).await;
    assert_eq!(view["attempts"].as_array().map(Vec::len), Some(2), "{view}");
    for attempt in ["&attempt=1", "&attempt=2"] {
        let lines = numbers(&read(&rest, task, attempt).await);
        assert_eq!(lines.first(), Some(&1), "{lines:?}");
        assert!(lines.len() < 40, "{lines:?}");
    }
    let (status, answer) = rest.get(&format!("/api/v1/tasks/{task}/log?attempt=3")).await.unwrap();
    assert_eq!(status, 404, "{answer}");
}

#[tokio::test]
async fn each_shard_has_a_log_of_its_own() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let job = json!({"name": "three", "handler": "talks", "param": "4", "shard": {"count": 3},
        "block": "parallel"});
    rest.save(job).await;
    let task = rest.start("three", json!({})).await;
    rest.ended(task).await;

    let path = format!("/api/v1/tasks/{task}/log");
    let mut attempts = Vec::new();
    for shard in 0..3 {
        assert_eq!(numbers(&read(&rest, task, &format!("&shard={shard}")).await), [1, 2, 3, 4]);
        let (_, piece) = rest.get(&format!("{path}?shard={shard}&attempt=1")).await.unwrap();
        assert_eq!((&piece["shard"], &piece["shards"]), (&json!(shard), &json!(3)), "{piece}");
        assert_eq!(piece["number"], 1, "{piece}");
        attempts.push(piece["attempt"].as_i64().unwrap());
        let events = rest.follow(&format!("{path}?shard={shard}")).await.unwrap();
        assert!(events.contains(&format!("id: {shard}-1-")), "{events}");
    }
    attempts.dedup();
    assert_eq!(attempts.len(), 3, "{attempts:?}");

    // Who does not say gets the first, and is told so.
    let (_, piece) = rest.get(&path).await.unwrap();
    assert_eq!((&piece["shard"], &piece["shards"]), (&json!(0), &json!(3)), "{piece}");

    let (status, answer) = rest.get(&format!("{path}?shard=3")).await.unwrap();
    assert_eq!(status, 404, "{answer}");
    assert_eq!(answer["detail"], format!("task {task} has no shard 3: it has 0 to 2"));
    let (status, answer) = rest.get(&format!("{path}?attempt=1")).await.unwrap();
    assert_eq!((status, &answer["problems"][0]["field"]), (422, &json!("shard")), "{answer}");
    let (status, answer) = rest.get(&format!("{path}?shard=x")).await.unwrap();
    assert!((400..500).contains(&status), "{answer}");
}
