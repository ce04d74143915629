//! The command line against a real coordinator: effects and exit statuses.

use std::process::Output;

use fastjob_tests::process::Coordinator;
use serde_json::{Value, json};

use crate::{EXECUTOR, coordinator};

/// Runs a command that has to exit with `status`, and returns its stdout and stderr.
#[track_caller]
fn run(coordinator: &Coordinator, status: i32, words: &[&str]) -> (String, String) {
    let Output { status: ended, stdout, stderr } = coordinator.cli(words);
    let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(ended.code(), Some(status), "{words:?}: {out} {err}");
    (out, err)
}

const JOBS: &str = r#"
[[job]]
name = "report"
handler = "noop"
param = '{"month":"2026-11"}'
schedule = { cron = "0 0 2 ? * MON-FRI", zone = "Asia/Shanghai" }
misfire = { fire_all = { max = 10, window = "1h" } }
block = { strategy = "serial", max_waiting = 100 }
timeout = "10m"
retry = { count = 3, delay = "5s", factor = 2.0, max_delay = "5m" }
labels = { team = "billing" }

[[job]]
name = "other"
handler = "noop"
enabled = false
schedule = { fixed_rate = "30s" }
"#;

#[tokio::test]
async fn jobs_are_applied_shown_enabled_disabled_and_deleted() {
    let coordinator = coordinator().await;
    let file = coordinator.folder().join("jobs.toml");
    std::fs::write(&file, JOBS).unwrap();
    let file = file.to_str().unwrap();
    let (out, _) = run(&coordinator, 0, &["job", "apply", file]);
    assert!(
        out.contains("created default.report") && out.contains("created default.other"),
        "{out}"
    );
    let (out, _) = run(&coordinator, 0, &["job", "apply", file]);
    assert!(out.contains("unchanged default.report"), "{out}");

    // The shown job is the applied one, and can be applied again.
    let (shown, _) = run(&coordinator, 0, &["job", "show", "report", "--toml"]);
    let again = coordinator.folder().join("again.toml");
    std::fs::write(&again, &shown).unwrap();
    let (out, _) = run(&coordinator, 0, &["job", "apply", again.to_str().unwrap()]);
    assert!(out.contains("unchanged default.report"), "{out} {shown}");
    let (out, _) = run(&coordinator, 0, &["job", "show", "default.report"]);
    assert!(out.contains("Asia/Shanghai"), "{out}");

    let (out, _) = run(&coordinator, 0, &["job", "next", "report", "--count", "3"]);
    assert_eq!(out.lines().filter(|line| line.contains("18:00:00")).count(), 3, "{out}");
    run(&coordinator, 0, &["job", "enable", "other"]);
    run(&coordinator, 0, &["job", "disable", "report"]);
    let (out, _) = run(&coordinator, 0, &["job", "list", "--json"]);
    let list: Value = serde_json::from_str(&out).unwrap();
    let enabled: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| (job["name"].clone(), job["enabled"].clone()))
        .collect();
    assert_eq!(enabled, [(json!("other"), json!(true)), (json!("report"), json!(false))]);
    run(&coordinator, 0, &["job", "delete", "other"]);
    let (_, err) = run(&coordinator, 1, &["job", "delete", "other"]);
    assert!(err.contains("other"), "{err}");
    let (out, _) = run(&coordinator, 0, &["job", "list"]);
    assert!(out.contains("report") && !out.contains("other"), "{out}");
}

#[tokio::test]
async fn a_file_with_a_mistake_is_not_applied_at_all() {
    let coordinator = coordinator().await;
    let file = coordinator.folder().join("jobs.toml");
    let wrong = JOBS.replace("30s", "soon") + "\n[[job]]\nname = \"third\"\ncron = \"x\"\n";
    std::fs::write(&file, wrong).unwrap();
    let (_, err) = run(&coordinator, 1, &["job", "apply", file.to_str().unwrap()]);
    assert!(err.contains("soon") && err.contains("cron"), "all mistakes are reported: {err}");
    let (out, _) = run(&coordinator, 0, &["job", "list"]);
    assert_eq!(out.trim(), "no jobs");
}

#[tokio::test]
async fn tasks_and_executors_are_shown_followed_and_stopped() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let (out, _) = run(&coordinator, 0, &["executor", "list"]);
    assert!(out.contains("e1") && out.contains("connected"), "{out}");
    let (out, _) = run(&coordinator, 0, &["start", "talks", "--param", "12", "--json"]);
    let task = serde_json::from_str::<Value>(&out).unwrap()["task"].to_string();
    let (out, _) = run(&coordinator, 0, &["task", "log", &task, "--follow"]);
    assert!(out.contains("line 1\n") && out.contains("line 12\n"), "{out}");
    let (out, _) = run(&coordinator, 0, &["task", "show", &task]);
    assert!(out.contains("succeeded") && out.contains("e1"), "{out}");
    let (out, _) =
        run(&coordinator, 0, &["task", "list", "--job", "talks", "--state", "succeeded"]);
    assert!(out.contains(&task) && out.contains("manual"), "{out}");

    let slow = rest.start("slow", json!({"param": 600_000})).await;
    rest.reaches(slow, &["running"]).await;
    run(&coordinator, 0, &["stop", &slow.to_string()]);
    assert_eq!(rest.ended(slow).await["state"], "stopped");
    let (out, _) = run(&coordinator, 0, &["stop", &slow.to_string()]);
    assert!(out.contains("stopped"), "{out}");
    let (out, _) = run(&coordinator, 1, &["start", "flaky", "--param", "1", "--wait", "--json"]);
    let failed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(failed["state"], "failed", "{out}");
}

#[tokio::test]
async fn usage_errors_and_failures_have_different_exit_statuses() {
    let mut coordinator = coordinator().await;
    for words in [
        &["nonsense"][..],
        &["job", "list", "--nonsense"],
        &["job", "next", "a", "--count", "many"],
        &["task", "show", "seven"],
        &["task", "list", "--state", "gone"],
        &["start", "a", "--delay", "soon"],
    ] {
        let (out, err) = run(&coordinator, 2, words);
        assert!(out.is_empty() && !err.is_empty(), "{words:?}: {out} {err}");
        let (out, err) = run(&coordinator, 2, &[words, &["--json"]].concat());
        let problem: Value = serde_json::from_str(&err).unwrap();
        assert_eq!((out.as_str(), &problem["title"]), ("", &json!("Misused")), "{words:?}: {err}");
        assert!(problem["detail"].as_str().is_some_and(|text| !text.contains("Usage")), "{err}");
    }
    for words in [&["job", "show", "missing"][..], &["task", "show", "99"], &["stop", "99"]] {
        let (out, err) = run(&coordinator, 1, words);
        assert!(out.is_empty() && !err.is_empty(), "{words:?}: {out} {err}");
    }
    let (_, err) = run(&coordinator, 1, &["job", "show", "missing", "--json"]);
    let problem: Value = serde_json::from_str(&err).unwrap();
    assert!(problem["title"].is_string(), "{err}");
    coordinator.kill();
    let (_, err) = run(&coordinator, 1, &["job", "list"]);
    assert!(err.contains(&coordinator.url()), "{err}");

    let config = coordinator.folder().join("wrong.toml");
    std::fs::write(&config, "[coordinator]\nlisten = \"0.0.0.0:1\"\nbeat = \"soon\"\nx = 1\n")
        .unwrap();
    let config = config.to_str().unwrap();
    let (_, err) = run(&coordinator, 1, &["check", "--config", config]);
    assert!(["beat", "x", "token"].iter().all(|word| err.contains(word)), "{err}");
    std::fs::write(config, "[coordinator]\nlisten = \"127.0.0.1:1\"\n").unwrap();
    let (out, _) = run(&coordinator, 0, &["check", "--config", config]);
    assert!(out.contains("the configuration is valid"), "{out}");
}
