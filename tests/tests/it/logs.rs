//! Handlers' logs can be read while they run and afterwards, complete and in order.

use std::time::Duration;

use fastjob_tests::{eventually, process::Coordinator, raise_file_limit, rest::Rest};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{EXECUTOR, FASTJOB, coordinator};

fn numbers(text: &str) -> Vec<u32> {
    text.lines().filter_map(|line| line.rsplit_once("line ")?.1.parse().ok()).collect()
}

/// Reads all pieces from the start, and returns their text.
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
    assert_eq!(rest.task(task).await["state"], "succeeded", "the stream ends when the attempt has");
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

    // Without `shard`, the response is the log of the first shard and says so.
    let (_, piece) = rest.get(&path).await.unwrap();
    assert_eq!((&piece["shard"], &piece["shards"]), (&json!(0), &json!(3)), "{piece}");

    let (status, answer) = rest.get(&format!("{path}?shard=3")).await.unwrap();
    assert_eq!(status, 404, "{answer}");
    assert_eq!(answer["detail"], format!("task {task} has no shard 3: it has 0 to 2"));
    let (status, answer) = rest.get(&format!("{path}?attempt=1")).await.unwrap();
    assert_eq!((status, &answer["problems"][0]["field"]), (422, &json!("shard")), "{answer}");
    let (status, answer) = rest.get(&format!("{path}?shard=x")).await.unwrap();
    assert!((400..500).contains(&status), "{answer}");

    let task = task.to_string();
    for more in [&[][..], &["--follow"]] {
        let output = coordinator.cli(&[&["task", "log", task.as_str()][..], more].concat());
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
        let parts: Vec<_> = said.split("==> shard ").skip(1).collect();
        assert_eq!(parts.len(), 3, "{said}");
        for (shard, part) in (0..).zip(parts) {
            assert!(part.starts_with(&format!("{shard} of 3 <==")), "{said}");
            assert_eq!(numbers(part), [1, 2, 3, 4], "{said}");
        }
    }
}

#[tokio::test]
async fn a_retry_is_followed_although_the_handler_of_the_attempt_before_never_returns() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let go = coordinator.folder().join("go");
    rest.save(json!({"name": "stuck", "handler": "blocks", "param": go.display().to_string(),
        "timeout": "1s", "grace": "200ms", "block": "parallel", "retry": {"count": 1, "delay": "1s"}}))
        .await;
    let task = rest.start("stuck", json!({})).await.to_string();
    let output = coordinator.cli(&["task", "log", &task, "--follow"]);
    std::fs::write(&go, "").unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches("blocks").count(), 2, "{said}");
}

/// Clients that follow logs at the same time, and the logs that they share.
const FOLLOWERS: usize = 2_000;
const LOGS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_followers_of_idle_logs_use_almost_no_cpu() {
    raise_file_limit();
    let mut coordinator = Coordinator::prepare(FASTJOB)
        .env("FASTJOB_MAX_LOG_FOLLOWERS", &FOLLOWERS.to_string())
        // A long timeout, because this test is slow.
        .env("FASTJOB_EXECUTOR_LOST", "60s");
    coordinator.up().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let parallel = json!({"strategy": "parallel", "max_running": 10_000});
    rest.save(json!({"name": "s", "handler": "slow", "param": "600000", "block": parallel})).await;
    let mut tasks = Vec::new();
    for _ in 0..LOGS {
        tasks.push(rest.start("s", json!({})).await);
    }
    for task in &tasks {
        rest.reaches(*task, &["running"]).await;
    }
    let address = coordinator.url().replace("http://", "");
    let followers = join_all((0..FOLLOWERS).map(|n| {
        let (address, task) = (address.clone(), tasks[n % LOGS]);
        async move {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            let ask = format!(
                "GET /api/v1/tasks/{task}/log HTTP/1.1\r\nHost: {address}\r\n\
                Accept: text/event-stream\r\n\r\n"
            );
            stream.write_all(ask.as_bytes()).await.unwrap();
            let (mut text, mut buf) = (String::new(), [0; 4_096]);
            while !text.contains("sleeping") {
                let read = stream.read(&mut buf).await.unwrap();
                assert!(read > 0, "the stream ended: {text}");
                text.push_str(&String::from_utf8_lossy(&buf[..read]));
            }
            stream
        }
    }))
    .await;
    let one_more = rest.follow(&format!("/api/v1/tasks/{}/log", tasks[0])).await.unwrap_err();
    assert_eq!(one_more.status().map(|status| status.as_u16()), Some(503));

    // Wait until the load of the first pieces is over.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (before, span) = (coordinator.cpu_time(), Duration::from_secs(10));
    tokio::time::sleep(span).await; // the CPU time of this span is measured
    let used = coordinator.cpu_time() - before;
    println!("{FOLLOWERS} followers of {LOGS} logs: {used:?} of CPU time in {span:?}");
    assert!(used < span / 10, "{used:?} in {span:?}");

    // Each follower receives the end of its log.
    for task in &tasks {
        rest.post(&format!("/api/v1/tasks/{task}/stop")).await;
    }
    let ends = followers.into_iter().map(|mut stream| async move {
        let mut text = String::new();
        while !text.contains("event: end") {
            let mut buf = [0; 4_096];
            let read = stream.read(&mut buf).await.unwrap();
            assert!(read > 0, "the stream ended: {text}");
            text.push_str(&String::from_utf8_lossy(&buf[..read]));
        }
    });
    tokio::time::timeout(Duration::from_secs(60), join_all(ends)).await.expect("all end");
    eventually("there is room again", Duration::from_secs(10), || async {
        rest.follow(&format!("/api/v1/tasks/{}/log", tasks[0])).await.ok()
    })
    .await;
}
