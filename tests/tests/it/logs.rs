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
