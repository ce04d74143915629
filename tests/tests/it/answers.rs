//! What an operator asks at night is answered by one command.

use std::{sync::Arc, time::Duration};

use fastjob_tests::{eventually, process::Coordinator, rest::Rest};
use serde_json::{Value, json};

use crate::{EXECUTOR, coordinator};

/// Runs the command line; returns its status and what it printed.
fn run(coordinator: &Coordinator, words: &[&str]) -> (Option<i32>, String, String) {
    let output = coordinator.cli(words);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Waits until the task says that it waits for something with these words.
async fn waits(rest: &Rest, task: i64, expected: &str) {
    eventually(&format!("task {task} waits for {expected}"), Duration::from_secs(20), || async {
        let task = rest.task(task).await;
        let why = task["attempts"][0]["waits_for"].as_str().unwrap_or_default().to_owned();
        why.contains(expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_queued_task_says_what_it_waits_for() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "mail", "handler": "nowhere", "no_executor": "1h"})).await;
    let lonely = rest.start("mail", json!({})).await;
    waits(&rest, lonely, "no executor of `default` with handler `nowhere` is connected").await;
    let (status, out, _) = run(&coordinator, &["task", "list", "--state", "queued"]);
    assert_eq!(status, Some(0));
    assert!(out.contains("WAITS FOR") && out.contains("no executor of `default`"), "{out}");
    let (status, _, err) = run(&coordinator, &["task", "log", &lonely.to_string()]);
    assert_eq!(status, Some(1));
    assert!(err.contains("there is no log") && err.contains("is queued: it waits for"), "{err}");

    let _executor = coordinator.executor(EXECUTOR, "e1");
    rest.executors(1).await;
    let block = json!({"strategy": "serial", "scope": "cluster"});
    rest.save(json!({"name": "one", "handler": "talks", "param": "600", "block": block})).await;
    let first = rest.start("one", json!({})).await;
    rest.reaches(first, &["running"]).await;
    let [_second, third] = [rest.start("one", json!({})).await, rest.start("one", json!({})).await];
    waits(&rest, third, &format!("its turn: task {first} runs, 1 waits before it")).await;
    let (status, out, _) = run(&coordinator, &["task", "show", &third.to_string()]);
    assert_eq!(status, Some(0));
    assert!(out.contains("waits for") && out.contains("1 waits before it"), "{out}");

    let longest =
        ["task", "list", "--state", "running", "--order", "run_time", "--min-run-time", "1ms"];
    let (status, out, err) = run(&coordinator, &longest);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    assert!(out.lines().nth(1).is_some_and(|line| line.contains(&format!("{first} "))), "{out}");
    assert!(out.contains('…') && out.lines().count() == 2, "{out}");
}

#[tokio::test]
async fn open_tasks_are_listed_by_how_long_they_run_page_by_page() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = Arc::new(coordinator.rest());
    rest.executors(1).await;
    let job = json!({"name": "many", "handler": "talks", "param": "600", "block": "parallel",
        "labels": {"team": "x"}});
    rest.save(job).await;
    let mut started = Vec::new();
    for _ in 0..3 {
        let task = rest.start("many", json!({})).await;
        rest.reaches(task, &["running"]).await;
        started.push(task);
    }
    let (mut cursor, mut listed) = (String::new(), Vec::new());
    loop {
        let path = format!(
            "/api/v1/tasks?state=running&order=run_time&limit=1&label=team%3Dx&executor=e1{cursor}"
        );
        let (status, page) = rest.get(&path).await.unwrap();
        assert_eq!(status, 200, "{page}");
        listed
            .extend(page["items"].as_array().unwrap().iter().map(|it| it["id"].as_i64().unwrap()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed, started);
    let path = "/api/v1/tasks?state=running,failed&order=run_time";
    let (status, answer) = rest.get(path).await.unwrap();
    assert_eq!((status, &answer["problems"][0]["field"]), (422, &json!("state")), "{answer}");
}

#[tokio::test]
async fn tasks_are_found_by_the_labels_of_their_jobs_open_and_ended() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    for (name, labels) in
        [("a", json!({"team": "x"})), ("b", json!({"team": "y"})), ("c", json!({}))]
    {
        rest.save(json!({"name": name, "handler": "noop", "labels": labels})).await;
        rest.ended(rest.start(name, json!({})).await).await;
    }
    rest.save(json!({"name": "d", "handler": "nowhere", "labels": {"team": "x"}})).await;
    rest.start("d", json!({})).await;
    let jobs = |query: &'static str| {
        let rest = &rest;
        async move {
            let (status, page) = rest.get(&format!("/api/v1/tasks?{query}")).await.unwrap();
            assert_eq!(status, 200, "{page}");
            let items = page["items"].as_array().unwrap().clone();
            items.iter().map(|it| it["job"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(jobs("label=team%3Dx").await, ["d", "a"]);
    assert_eq!(jobs("label=team&state=succeeded").await, ["b", "a"]);
    assert_eq!(jobs("label=team%3Dx&state=queued").await, ["d"]);
    assert!(jobs("label=team%3Dz").await.is_empty());
    let (status, answer) = rest.get("/api/v1/tasks?label=%3Dx").await.unwrap();
    assert_eq!((status, &answer["problems"][0]["field"]), (422, &json!("label")), "{answer}");
}

#[tokio::test]
async fn the_schedule_and_the_jobs_that_have_not_run_are_listed() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let night = json!({"cron": "30 2 * * *", "zone": "Asia/Tokyo"});
    for (name, schedule) in
        [("night", night), ("hourly", json!({"cron": "0 * * * *"})), ("never", json!("none"))]
    {
        // The executor declares jobs of its own.
        let labels = json!({"of": "mine"});
        let job = json!({"name": name, "handler": "noop", "schedule": schedule, "labels": labels});
        rest.save(job).await;
    }
    let range = ["--from", "2030-01-01", "--until", "12h", "--per-job", "2"];
    let (status, out, err) = run(&coordinator, &[&["schedule"], &range[..]].concat());
    assert_eq!((status, err.as_str()), (Some(0), ""));
    let lines: Vec<_> = out.lines().skip(1).map(str::trim_end).collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(lines[0].starts_with("2030-01-01T00:00:00Z"), "{out}");
    assert!(lines[1].ends_with("and more often"), "{out}");
    let zone = ["--tz", "Asia/Tokyo", "schedule", "--from", "2030-01-01", "--until", "6h"];
    let (_, out, _) = run(&coordinator, &zone);
    let night = out.lines().find(|line| line.ends_with("default.night")).unwrap_or_default();
    assert!(night.starts_with("2030-01-01T02:30:00+09:00   "), "its own zone: {out}");

    let idle = |options: &[&str]| {
        let list = ["--json", "job", "list", "--label", "of=mine"];
        let (status, out, err) = run(&coordinator, &[&list, options].concat());
        assert_eq!((status, err.as_str()), (Some(0), ""), "{out}");
        let page: Value = serde_json::from_str(&out).unwrap();
        let names = page["items"].as_array().unwrap().iter();
        names.map(|job| job["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(idle(&["--never-run"]), ["hourly", "never", "night"]);
    let _executor = coordinator.executor(EXECUTOR, "e1");
    rest.executors(1).await;
    rest.ended(rest.start("never", json!({})).await).await;
    assert_eq!(idle(&["--never-run", "--limit", "9"]), ["hourly", "night"]);
    assert_eq!(idle(&["--idle-since", "1d"]), ["hourly", "night"]);
    assert_eq!(idle(&["--idle-since", "now"]).len(), 3);
    let releases = idle(&["--idle-since", "release"]);
    assert!(
        !releases.contains(&"never".to_owned()),
        "it ran after its executor started: {releases:?}"
    );
}

#[tokio::test]
async fn a_failed_task_explains_itself() {
    let coordinator = coordinator().await;
    let mut executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "slow", "handler": "talks", "param": "40", "timeout": "300ms",
        "grace": "100ms"}))
        .await;
    let task = rest.start("slow", json!({})).await;
    rest.ended(task).await;
    let id = task.to_string();
    let (status, out, err) = run(&coordinator, &["task", "log", &id]);
    assert_eq!(status, Some(0), "{err}");
    assert!(out.contains("line 1") && err.contains("failed: timed out"), "{out}{err}");
    let (_, out, _) = run(&coordinator, &["task", "show", &id]);
    assert!(out.contains("on executor `e1`: fastjob task log"), "{out}");
    let (_, out, _) = run(&coordinator, &["task", "list", "--state", "failed", "--since", "1h"]);
    assert!(out.contains("REASON") && out.contains("timed out"), "{out}");

    // A task that has logged nothing when its executor is killed.
    rest.save(json!({"name": "holds", "handler": "stubborn"})).await;
    let lost = rest.start("holds", json!({})).await;
    rest.reaches(lost, &["running"]).await;
    executor.kill();
    rest.ended(lost).await;
    let (status, _, err) = run(&coordinator, &["task", "log", &lost.to_string()]);
    assert_eq!(status, Some(1));
    assert!(err.contains("executor lost") && err.contains("is on executor `e1`"), "{err}");
}
