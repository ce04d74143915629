//! Tasks that run again: one, some of its shards, and all that filters name.

use std::process::Output;

use fastjob_tests::rest::Rest;
use serde_json::{Value, json};

use crate::{EXECUTOR, coordinator};

#[track_caller]
fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

async fn post(rest: &Rest, path: &str, body: Value) -> (u16, Value) {
    rest.ask("POST", path, Some(body.to_string())).await.unwrap()
}

/// Starts a task that fails.
async fn failed(rest: &Rest, job: &str) -> i64 {
    let task = rest.start(job, json!({})).await;
    assert_eq!(rest.ended(task).await["state"], "failed");
    task
}

#[tokio::test]
async fn a_failed_task_runs_again_with_another_param_and_both_refer_to_each_other() {
    let mut coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "j", "handler": "flaky", "param": 9})).await;
    let old = failed(&rest, "j").await;
    let new = rest.client().task(old).rerun().param(&0).send().await.unwrap();
    assert_eq!(rest.ended(new.id()).await["state"], "succeeded");
    assert_eq!(rest.task(new.id()).await["reruns"], json!(old));
    assert_eq!(rest.task(old).await["rerun_by"], json!(new.id()));

    // It has one rerun, unless another one is asked for.
    let path = format!("/api/v1/tasks/{old}/rerun");
    let (status, answer) = post(&rest, &path, json!({})).await;
    let before = json!({ "task": new.id(), "created": false, "state": "succeeded" });
    assert_eq!((status, answer), (200, before));
    let (status, answer) = post(&rest, &path, json!({ "param": 1 })).await;
    assert_eq!(status, 409, "{answer}");
    let (_, answer) = post(&rest, &path, json!({ "again": true })).await;
    assert_eq!(answer["created"], true, "{answer}");
    let again = rest.ended(answer["task"].as_i64().unwrap()).await;
    assert_eq!((&again["state"], &again["reruns"]), (&json!("failed"), &json!(old)), "{again}");
    let (_, first) = post(&rest, &path, json!({ "key": "k", "param": 0 })).await;
    let (_, second) = post(&rest, &path, json!({ "key": "k", "param": 0 })).await;
    assert_eq!((&first["task"], &second["created"]), (&second["task"], &json!(false)));

    // The links are durable.
    coordinator.kill();
    coordinator.up().await;
    assert_eq!(rest.task(new.id()).await["reruns"], json!(old));
    let shown = said(&coordinator.cli(&["task", "show", &old.to_string()]));
    assert!(shown.contains(&format!("rerun by  {}\n", new.id())), "{shown}");
}

#[tokio::test]
async fn what_cannot_run_again_is_rejected_with_the_reason() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "j", "handler": "noop"})).await;
    let open = rest.start("j", json!({})).await;
    let path = format!("/api/v1/tasks/{open}/rerun");
    let (status, answer) = post(&rest, &path, json!({})).await;
    assert_eq!(status, 409);
    assert!(answer["detail"].as_str().unwrap().contains("has not ended"), "{answer}");
    assert_eq!(post(&rest, "/api/v1/tasks/999/rerun", json!({})).await.0, 404);

    rest.client().task(open).stop().await.unwrap();
    rest.ended(open).await;
    let (status, answer) = post(&rest, &path, json!({ "shards": "some" })).await;
    assert_eq!((status, &answer["problems"][0]["field"]), (422, &json!("shards")), "{answer}");
    let (status, answer) = post(&rest, &path, json!({ "key": "fastjob:rerun:1" })).await;
    assert_eq!((status, &answer["problems"][0]["field"]), (422, &json!("key")), "{answer}");
    rest.client().job("j").delete().await.unwrap();
    rest.save(json!({"name": "j", "handler": "noop"})).await;
    let (status, answer) = post(&rest, &path, json!({})).await;
    assert_eq!(status, 409);
    assert!(answer["detail"].as_str().unwrap().contains("was deleted"), "{answer}");
}

#[tokio::test]
async fn a_rerun_of_a_past_fire_processes_the_same_fire() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "j", "handler": "complains",
        "schedule": {"cron": "0 0 2 ? * *"}, "enabled": false}))
        .await;
    let range = json!({ "from": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z" });
    let (_, answer) = post(&rest, "/api/v1/jobs/j/backfill", range).await;
    let old = answer["tasks"][0].as_i64().unwrap();
    assert_eq!(rest.ended(old).await["fire_at"], "2026-01-01T02:00:00Z");
    let new = rest.client().task(old).rerun().manual().send().await.unwrap();
    let new = rest.ended(new.id()).await;
    assert_eq!(new["fire_at"], "2026-01-01T02:00:00Z");
    assert_eq!(new["cause"], "manual", "a disabled job can be started, and so can a rerun");
}

#[tokio::test]
async fn failed_shards_run_again_alone_with_their_places_in_the_whole() {
    let coordinator = coordinator().await;
    let _executors = ["e1", "e2"].map(|name| coordinator.executor(EXECUTOR, name));
    let rest = coordinator.rest();
    rest.executors(2).await;
    let gate = coordinator.folder().join("gate");
    for (job, shard) in [("five", json!({ "count": 5 })), ("all", json!("all"))] {
        rest.save(json!({"name": job, "handler": "odd_part", "shard": shard,
            "param": gate.to_str().unwrap()}))
            .await;
    }
    let (five, all) = (failed(&rest, "five").await, failed(&rest, "all").await);
    std::fs::write(&gate, "").unwrap();
    let rerun = async |task: i64| {
        let task = task.to_string();
        let words = ["task", "rerun", &task, "--shards", "failed", "--json"];
        let answer: Value = serde_json::from_str(&said(&coordinator.cli(&words))).unwrap();
        rest.ended(answer["task"].as_i64().unwrap()).await
    };
    let new = rerun(five).await;
    assert_eq!(new["state"], "succeeded", "{new}");
    let attempts = new["attempts"].as_array().unwrap();
    let places: Vec<_> =
        attempts.iter().map(|attempt| (&attempt["shard"], &attempt["shards"])).collect();
    assert_eq!(places, [(&json!(1), &json!(5)), (&json!(3), &json!(5))]);
    assert_eq!(new["result"], r#"[null,"1 of 5",null,"3 of 5",null]"#);
    let log = ["task", "log", &new["id"].to_string()];
    let log = said(&coordinator.cli(&log));
    assert_eq!(log.matches("==> shard 1 of 5 <==").count(), 1, "{log}");
    assert_eq!(log.matches("==> shard 3 of 5 <==").count(), 1, "{log}");

    // What ran is not what is asked for now.
    let path = format!("/api/v1/tasks/{five}/rerun");
    for (body, status) in [
        (json!({ "shards": "1,3" }), 200),
        (json!({ "shards": "all" }), 409),
        (json!({ "shards": "1" }), 409),
        (json!({ "executor": "e9" }), 409),
    ] {
        let (answered, answer) = post(&rest, &path, body.clone()).await;
        assert_eq!(answered, status, "{body}: {answer}");
    }

    // A shard that each executor has one of runs again where it was.
    let old = rest.task(all).await;
    let new = rerun(all).await;
    let attempts = new["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[0]["shard"]), (1, &json!(1)), "{new}");
    assert_eq!(attempts[0]["executor"], old["attempts"][1]["executor"]);
    assert_eq!(new["state"], "succeeded", "{new}");
    // All of them again.
    let whole = rest.client().task(five).rerun().again().send().await.unwrap();
    assert_eq!(rest.ended(whole.id()).await["attempts"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn all_tasks_that_filters_name_are_rerun_once_however_often_the_command_is_repeated() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "a", "handler": "complains"})).await;
    rest.save(json!({"name": "b", "handler": "complains"})).await;
    let mut old = Vec::new();
    for job in ["a", "a", "b", "a"] {
        old.push(failed(&rest, job).await);
    }
    rest.save(json!({"name": "a", "handler": "noop"})).await;
    rest.save(json!({"name": "b", "handler": "noop"})).await;
    let many = ["task", "rerun", "--state", "failed", "--job", "a"];
    let with = |more: &[&str]| coordinator.cli(&[&many[..], more].concat());
    let counted = said(&with(&["--dry-run"]));
    assert!(counted.starts_with("3 tasks\n") && counted.contains("default.a"), "{counted}");
    let refused = with(&[]);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("3 tasks") && why.contains("nothing was rerun"), "{why}");
    assert_eq!(rest.tasks("a").await.len(), 3, "nothing was started");

    let done: Value = serde_json::from_str(&said(&with(&["--yes", "--json"]))).unwrap();
    let links = done["started"].as_array().unwrap();
    let mut of: Vec<_> = links.iter().map(|link| link["reruns"].as_i64().unwrap()).collect();
    of.sort_unstable();
    assert_eq!(of, [old[0], old[1], old[3]]);
    for link in links {
        let new = rest.ended(link["task"].as_i64().unwrap()).await;
        assert_eq!((&new["state"], &new["reruns"]), (&json!("succeeded"), &link["reruns"]));
    }
    let repeated = said(&with(&["--yes"]));
    assert_eq!(
        repeated,
        "no task started\n3 tasks were rerun before: --again reruns them another time\n"
    );
    assert_eq!(rest.tasks("a").await.len(), 6);
    said(&with(&["--yes", "--again"]));
    assert_eq!(rest.tasks("a").await.len(), 9);
    assert_eq!(rest.tasks("b").await.len(), 1, "the filters do not name it");
}
