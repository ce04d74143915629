//! Jobs run, and their tasks end with the right outcome.

use std::time::Duration;

use fastjob_tests::eventually;
use serde_json::{Value, json};

use crate::{EXECUTOR, coordinator};

#[tokio::test]
async fn a_cron_job_runs_every_second_and_its_tasks_are_recorded() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.save(json!({"name": "tick", "handler": "noop", "schedule": {"cron": "* * * * * ?"}}))
        .await;
    let tasks = eventually("three ticks succeeded", Duration::from_secs(20), || async {
        let (_, page) = rest.get("/api/v1/tasks?job=tick&state=succeeded").await.ok()?;
        page["items"].as_array().filter(|items| items.len() >= 3).cloned()
    })
    .await;
    for task in &tasks {
        assert_eq!(task["cause"], "schedule");
        assert_eq!(task["attempts"][0]["executor"], "e1");
        assert_eq!(task["result"], "done");
        for field in ["fire_at", "created_at", "started_at", "ended_at"] {
            assert!(task[field].is_string(), "{field} is missing in {task}");
        }
    }
}

#[tokio::test]
async fn tasks_end_with_the_outcome_of_their_handler() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.save(json!({"name": "again", "handler": "flaky", "param": "2",
        "retry": {"count": 3, "delay": "100ms"}}))
        .await;
    rest.save(json!({"name": "never", "handler": "flaky", "param": "9",
        "retry": {"count": 1, "delay": "100ms"}}))
        .await;
    rest.save(json!({"name": "useless", "handler": "fatal", "retry": 5})).await;
    rest.save(json!({"name": "crash", "handler": "panics"})).await;
    rest.save(json!({"name": "late", "handler": "stubborn", "timeout": "300ms", "grace": "200ms"}))
        .await;
    let again = rest.ended(rest.start("again", json!({})).await).await;
    assert_eq!(
        (&again["state"], &again["result"]),
        (&json!("succeeded"), &json!("after 3 attempts"))
    );
    assert_eq!(again["attempts"].as_array().map(Vec::len), Some(3));
    let never = rest.ended(rest.start("never", json!({})).await).await;
    assert_eq!(
        (&never["state"], &never["attempts"][1]["message"]),
        (&json!("failed"), &json!("failure 2"))
    );
    let useless = rest.ended(rest.start("useless", json!({})).await).await;
    assert_eq!(useless["attempts"].as_array().map(Vec::len), Some(1));
    assert_eq!(useless["attempts"][0]["reason"], "fatal error");
    let crash = rest.ended(rest.start("crash", json!({})).await).await;
    assert_eq!(crash["attempts"][0]["reason"], "panicked");
    assert_eq!(crash["attempts"][0]["message"], "panicked: oh no");
    let late = rest.ended(rest.start("late", json!({})).await).await;
    assert_eq!(late["attempts"][0]["reason"], "timed out");
}

#[tokio::test]
async fn a_running_task_is_stopped_and_its_log_is_read_while_it_runs() {
    let coordinator = coordinator().await;
    let mut executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    let has = |text: Value| text.as_str().is_some_and(|text| text.contains("sleeping"));
    eventually("the handler is there", Duration::from_secs(20), || async {
        rest.get("/api/v1/jobs/slow").await.ok().filter(|(status, _)| *status == 200)
    })
    .await;
    let task = rest.start("slow", json!({"param": 600_000})).await;
    rest.reaches(task, &["running"]).await;
    let log = format!("/api/v1/tasks/{task}/log");
    eventually("the log can be read from the executor", Duration::from_secs(10), || async {
        let (_, piece) = rest.get(&log).await.ok()?;
        (has(piece["text"].clone()) && piece["ended"] == false).then_some(())
    })
    .await;
    let (_, stopping) =
        rest.ask("POST", &format!("/api/v1/tasks/{task}/stop"), None).await.unwrap();
    assert_eq!(stopping["stopped"], true);
    assert_eq!(rest.ended(task).await["state"], "stopped");
    // The tail of the log is kept after the executor has stopped.
    executor.kill();
    eventually("the tail can be read from the store", Duration::from_secs(20), || async {
        let (_, piece) = rest.get(&log).await.ok()?;
        (has(piece["text"].clone()) && piece["source"] == "tail").then_some(())
    })
    .await;
}

#[tokio::test]
async fn block_strategies_keep_attempts_of_a_job_apart() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    let job = |name: &str, block: Value, millis: u32| json!({"name": name, "handler": "slow", "param": millis.to_string(), "block": block});
    rest.save(job("skips", json!("skip_new"), 4_000)).await;
    rest.save(job("replaces", json!("replace_running"), 60_000)).await;
    rest.save(job("queues", json!({"strategy": "serial", "max_waiting": 1}), 1_500)).await;
    let first = rest.start("skips", json!({})).await;
    rest.reaches(first, &["running"]).await;
    let second = rest.start("skips", json!({})).await;
    assert_eq!(rest.ended(second).await["state"], "skipped");
    assert_eq!(rest.ended(first).await["state"], "succeeded");
    let old = rest.start("replaces", json!({})).await;
    rest.reaches(old, &["running"]).await;
    let new = rest.start("replaces", json!({"param": 10})).await;
    assert_eq!(rest.ended(old).await["state"], "stopped");
    assert_eq!(rest.ended(new).await["state"], "succeeded");
    let runs = rest.start("queues", json!({})).await;
    rest.reaches(runs, &["running"]).await;
    let waits = rest.start("queues", json!({})).await;
    let full = rest.start("queues", json!({})).await;
    assert_eq!(rest.ended(full).await["state"], "skipped");
    let (runs, waits) = (rest.ended(runs).await, rest.ended(waits).await);
    assert!(waits["started_at"].as_str() >= runs["ended_at"].as_str(), "{runs} {waits}");
}

#[tokio::test]
async fn the_command_line_starts_and_waits_and_exits_with_the_outcome() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    eventually("the handler is there", Duration::from_secs(20), || async {
        rest.get("/api/v1/jobs/noop").await.ok().filter(|(status, _)| *status == 200)
    })
    .await;
    let done = coordinator.cli(&["start", "noop", "--param", r#"{"n":3}"#, "--wait"]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("succeeded"));
    assert_eq!(coordinator.cli(&["start", "fatal", "--wait"]).status.code(), Some(1));
    assert_eq!(coordinator.cli(&["start", "missing"]).status.code(), Some(1));
    assert_eq!(coordinator.cli(&["start", "--nonsense"]).status.code(), Some(2));
    for words in [
        &["job", "list", "--json"][..],
        &["task", "list", "--json"],
        &["executor", "list", "--json"],
    ] {
        let listed = coordinator.cli(words);
        let items: Value = serde_json::from_slice(&listed.stdout).unwrap();
        assert!(items["items"].as_array().is_some_and(|items| !items.is_empty()), "{items}");
    }
    assert_eq!(coordinator.cli(&["job", "disable", "noop"]).status.code(), Some(0));
    let shown: Value =
        serde_json::from_slice(&coordinator.cli(&["job", "show", "noop", "--json"]).stdout)
            .unwrap();
    assert_eq!((&shown["enabled"], &shown["origin"]), (&json!(false), &json!("code")));
}

#[tokio::test]
async fn two_executors_share_the_work_and_one_that_stops_returns_its_attempts() {
    let coordinator = coordinator().await;
    let one = coordinator.executor(EXECUTOR, "e1");
    let _two = coordinator.executor(EXECUTOR, "e2");
    let rest = coordinator.rest();
    eventually("both are connected", Duration::from_secs(20), || async {
        let (_, page) = rest.get("/api/v1/executors").await.ok()?;
        page["items"].as_array().filter(|items| items.len() == 2).map(drop)
    })
    .await;
    let mut names = Vec::new();
    for _ in 0..4 {
        let task = rest.ended(rest.start("noop", json!({})).await).await;
        names.push(task["attempts"][0]["executor"].as_str().unwrap().to_owned());
    }
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    rest.save(
        json!({"name": "here", "handler": "slow", "route": {"specific": "e1"}, "param": "1500"}),
    )
    .await;
    let runs = rest.start("here", json!({})).await;
    rest.reaches(runs, &["running"]).await;
    let waits = rest.start("here", json!({})).await;
    rest.save(json!({"name": "here", "handler": "slow", "param": "1500"})).await;
    one.signal("TERM");
    assert_eq!(rest.ended(runs).await["attempts"][0]["executor"], "e1");
    let moved = rest.ended(waits).await;
    assert_eq!(
        (&moved["state"], &moved["attempts"][0]["executor"]),
        (&json!("succeeded"), &json!("e2"))
    );
}
