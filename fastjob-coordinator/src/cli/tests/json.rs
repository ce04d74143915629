//! `--json` of every command: its output is JSON, and nothing else.

use std::{collections::BTreeSet, path::Path};

use clap::CommandFactory;
use serde_json::{Value, json};

use super::{
    fake::{Fake, job, task},
    fastjob,
};
use crate::cli::{Cli, error::Error};

/// A command line, and what the coordinator answers, one after the other.
type Case = (&'static str, Vec<String>, Vec<Value>);

fn case(command: &'static str, args: &[&str], answer: Value) -> Case {
    (command, args.iter().map(|arg| (*arg).to_owned()).collect(), vec![answer])
}

/// Commands of a coordinator, with arguments and an answer.
fn asking(jobs: &Path) -> Vec<Case> {
    let jobs = jobs.to_str().unwrap();
    let none = json!({ "items": [], "next_cursor": null });
    let applied = json!({ "job": "default.a", "saved": "created", "origin": "api" });
    let applied = json!({ "items": [applied] });
    let durations = Value::Null;
    let stats = json!({
        "since": "2026-11-23T00:00:00Z", "until": "2026-11-24T00:00:00Z", "bucket": "1h",
        "items": [], "total": {
            "succeeded": 0, "failed": 0, "stopped": 0, "skipped": 0, "run_time": durations,
            "wait": durations, "lateness": durations,
        },
    });
    // An answer to each of the calls, which are sent at the same time.
    let mut any_list = stats.clone();
    any_list["next_cursor"] = Value::Null;
    let silence = json!({
        "id": 3, "job": "a", "channel": null, "until": "2026-11-24T00:00:00Z", "reason": "",
        "created_at": "2026-11-23T00:00:00Z",
    });
    let piece = json!({
        "attempt": 42, "number": 1, "offset": 0, "next_offset": 4, "text": "one\n", "ended": true,
        "source": "executor",
    });
    let mut end_of_log = piece.clone();
    (end_of_log["offset"], end_of_log["text"]) = (4.into(), "".into());
    vec![
        case("job apply", &[jobs], applied.clone()),
        case("job diff", &[jobs], applied),
        case("job export", &[], json!({ "items": [job("a")], "next_cursor": null })),
        case("job list", &[], none.clone()),
        case("job show", &["a"], job("a")),
        case("job enable", &["a"], job("a")),
        case("job disable", &["a"], job("a")),
        case("job release", &["a"], job("a")),
        case("job delete", &["a"], Value::Null),
        case(
            "job start",
            &["a"],
            json!({
                "matched": 1, "done": 1, "failed": 0, "not_done": 0, "dry_run": false,
                "items": [{ "job": "billing.a", "task": 42 }],
            }),
        ),
        case("job history", &["a"], json!({ "items": [version()], "next_cursor": null })),
        case("job restore", &["a", "--revision", "1"], job("a")),
        case("job next", &["a"], json!({ "fires": ["2026-11-24T00:00:00Z"] })),
        case("job backfill", &["a", "--from", "2026-11-24T00:00:00Z"], json!({ "tasks": [7] })),
        case("start", &["a"], json!({ "task": 42 })),
        case("stop", &["42"], json!({ "stopped": true, "state": "stopping" })),
        case("task list", &[], none.clone()),
        case("task show", &["42"], task("running")),
        case("task rerun", &["42"], json!({ "task": 43, "created": true })),
        ("task log", vec!["42".to_owned()], vec![piece, end_of_log, task("succeeded")]),
        case("overview", &[], overview()),
        case("about", &[], about()),
        case("ready", &[], json!({ "status": "ready" })),
        case("service list", &[], none.clone()),
        case("schedule", &[], json!({ "items": [], "until": "2026-11-24T00:00:00Z" })),
        case("stats", &[], stats),
        case("top", &[], any_list),
        case("executor list", &[], none.clone()),
        case("executor drain", &["e"], executor()),
        case("executor resume", &["e"], executor()),
        case("handler list", &[], none.clone()),
        case("handler show", &["h"], handler()),
        case("node list", &[], none.clone()),
        case("alarm list", &[], none.clone()),
        case("alarm channels", &[], none.clone()),
        case("alarm test", &["ops"], json!({ "sent": true })),
        case("alarm silence", &["--job", "a", "--for", "2h"], silence),
        case("alarm silences", &[], none),
        case("alarm unsilence", &["3"], Value::Null),
    ]
}

fn version() -> Value {
    json!({
        "revision": 2, "saved_at": "2026-11-23T00:00:00Z", "origin": "api",
        "changes": [{ "field": "timeout", "from": "5m", "to": "10m" }],
    })
}

fn overview() -> Value {
    json!({
        "at": "2026-11-24T00:00:00Z",
        "tasks": { "queued": 3, "running": null },
        "jobs": { "total": 2, "enabled": 1, "failing": 1 },
        "executors": {
            "connected": 1, "draining": 0, "drained": 0, "disconnected": 0, "lost": 1,
            "capacity": 16, "attempts": 2, "running": 2,
        },
        "attention": [{
            "kind": "failing", "job": "default.a", "service": "default", "task": 7,
            "executor": null, "since": "2026-11-23T00:00:00Z", "count": 2,
            "message": "its last task failed",
        }],
        "attention_more": false,
    })
}

fn about() -> Value {
    json!({
        "version": "0.1.0", "store": "sqlite", "started_at": "2026-11-23T00:00:00Z",
        "now": "2026-11-24T00:00:00Z", "node": "n", "cluster": false, "token": true,
        "logs": false, "problems": [],
    })
}

fn executor() -> Value {
    json!({
        "name": "e", "service": "billing", "state": "drained", "connected": true,
        "leaving": false, "drained": true, "last_seen": null, "incarnation": "i", "address": "",
        "version": "0.1.0", "since": "2026-11-23T00:00:00Z", "capacity": 16, "attempts": 0,
        "running": 0, "waiting": 0, "cpu": 0.25, "memory_free": 1, "memory_total": 2,
        "labels": {}, "handlers": {},
    })
}

fn handler() -> Value {
    json!({
        "service": "billing", "handler": "h", "description": "", "schema": { "type": "string" },
        "executors": ["e"], "executors_total": 1, "jobs": [], "jobs_total": 0,
    })
}

/// Commands that work on this machine.
fn local(folder: &Path) -> Vec<Case> {
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let store = format!("sqlite:{}", at("jobs.db"));
    vec![
        case("migrate", &["--store", &store], Value::Null),
        case("repair clock", &["--store", &store], Value::Null),
        case("repair ids", &["--store", &store], Value::Null),
        case("repair index", &["--store", &store], Value::Null),
        case("check", &[], Value::Null),
        case("settings", &[], Value::Null),
        case("completion", &["bash"], Value::Null),
        case("man", &[&at("man")], Value::Null),
        case("job check", &[&at("jobs.toml")], Value::Null),
    ]
}

/// Runs until it is stopped: only its errors are tested.
const RUNS: &str = "serve";

/// The commands that have no commands below them.
fn leaves(command: &clap::Command, path: &str) -> BTreeSet<String> {
    let below: Vec<_> = command.get_subcommands().filter(|it| it.get_name() != "help").collect();
    if below.is_empty() {
        return [path.to_owned()].into();
    }
    let each = below
        .into_iter()
        .flat_map(|below| leaves(below, format!("{path} {}", below.get_name()).trim()));
    each.collect()
}

#[tokio::test]
async fn every_command_prints_json_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = folder.path().join("jobs.toml");
    std::fs::write(&jobs, "[[job]]\nname = 'a'\n").unwrap();
    let (asking, local) = (asking(&jobs), local(folder.path()));

    let tested: BTreeSet<_> =
        asking.iter().chain(&local).map(|(command, ..)| (*command).to_owned()).collect();
    let all = leaves(&Cli::command(), "");
    let untested: Vec<_> = all.iter().filter(|it| !tested.contains(*it) && **it != RUNS).collect();
    assert!(untested.is_empty(), "add these commands to a table of this file: {untested:?}");
    assert!(tested.is_subset(&all), "there are no such commands: {:?}", &tested - &all);

    for (command, args, answers) in asking.into_iter().chain(local) {
        // No content, as after a deletion.
        let status = |answer: &Value| if answer.is_null() { 204 } else { 200 };
        let answers = answers.into_iter().map(|answer| (status(&answer), "", answer));
        let fake = Fake::answers(answers).await;
        let mut words = vec!["--json", "--color=always", "--server", fake.url.as_str()];
        words.extend(command.split(' '));
        words.extend(args.iter().map(String::as_str));
        let ran = fastjob(&words).await;
        assert!(matches!(ran.result, Ok(()) | Err(Error::Reported)), "{command}: {:?}", ran.result);
        let lines = serde_json::Deserializer::from_str(&ran.out).into_iter::<Value>();
        let count = lines.map(|line| assert!(line.is_ok(), "{command}: {:?}", ran.out)).count();
        assert!(count > 0, "`fastjob {command} --json` printed nothing");
    }
}

#[tokio::test]
async fn an_error_of_serve_is_json_if_asked() {
    let failure = fastjob(&["--json", "serve", "--listen", "0.0.0.0:0"]).await.failure();
    let details = Value::Object(failure.as_details());
    assert_eq!(details["problems"][0]["field"], "coordinator.token");
}

#[tokio::test]
async fn jobs_are_exported_as_json_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.json");
    let path = path.to_str().unwrap();
    let fake = Fake::answering(json!({ "items": [job("a")], "next_cursor": null })).await;
    let args = ["--json", "--server", &fake.url, "job", "export", "--output", path];
    let out: Value = serde_json::from_str(&fastjob(&args).await.out()).unwrap();
    assert_eq!(out, json!({ "file": path, "jobs": 1 }));
    let checked = fastjob(&["job", "check", path]).await.out();
    assert_eq!(checked, "1 job, no problems\n");
}
