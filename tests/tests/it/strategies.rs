//! Every strategy, on three executors, two of them in zone a.

use std::{collections::BTreeMap, time::Duration};

use fastjob_tests::{
    eventually,
    process::{Coordinator, Process},
    rest::Rest,
    stand_in::{Machine, Manner, StandIn},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{EXECUTOR, coordinator};

pub(crate) struct Three {
    pub(crate) coordinator: Coordinator,
    pub(crate) executors: Vec<Process>,
    pub(crate) rest: Rest,
}

pub(crate) async fn three() -> Three {
    three_in([("e1", "a"), ("e2", "a"), ("e3", "b")], "TEST_ZONE").await
}

/// Starts three executors, each with its own value of a variable.
pub(crate) async fn three_in(values: [(&str, &str); 3], variable: &str) -> Three {
    let coordinator = coordinator().await;
    let executors = values
        .map(|(name, value)| coordinator.executor_with(EXECUTOR, name, &[(variable, value)]))
        .into();
    let rest = coordinator.rest();
    rest.executors(3).await;
    Three { coordinator, executors, rest }
}

/// Runs a job `times` times in sequence, and counts the runs per executor.
pub(crate) async fn runs(rest: &Rest, job: &str, times: usize) -> BTreeMap<String, usize> {
    let mut who = BTreeMap::new();
    for _ in 0..times {
        let task = rest.ended(rest.start(job, json!({})).await).await;
        assert_eq!(task["state"], "succeeded", "{task}");
        *who.entry(text(&task["attempts"][0]["executor"])).or_default() += 1;
    }
    who
}

impl Three {
    pub(crate) async fn runs(&self, job: &str, times: usize) -> BTreeMap<String, usize> {
        runs(&self.rest, job, times).await
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn counts(who: &[(&str, usize)]) -> BTreeMap<String, usize> {
    who.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test]
async fn a_time_limit_holds_on_an_executor_that_never_answers() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let machine = Machine { cpu: 0.1, memory_free_gib: 4 };
    let _deaf = StandIn::join(coordinator.url(), "a-deaf", machine, Manner::Deaf).await;
    rest.executors(1).await;
    rest.save(json!({"name": "j", "handler": "noop", "timeout": "1s", "grace": "1s",
        "route": "first"}))
        .await;
    let task = rest.ended(rest.start("j", json!({})).await).await;
    assert_eq!(
        (&task["state"], &task["attempts"][0]["reason"]),
        (&json!("failed"), &json!("timed out")),
        "{task}"
    );
    // If there is another executor, the retry runs there.
    let _prompt = StandIn::join(coordinator.url(), "prompt", machine, Manner::Prompt).await;
    rest.executors(2).await;
    rest.save(json!({"name": "j", "handler": "noop", "timeout": "1s", "grace": "1s",
        "route": "first", "retry": {"count": 1, "delay": "100ms"}}))
        .await;
    let task = rest.ended(rest.start("j", json!({})).await).await;
    assert_eq!(task["state"], "succeeded", "{task}");
    assert_eq!(task["attempts"][0]["executor"], "a-deaf");
    assert_eq!(task["attempts"][1]["executor"], "prompt");
}

#[tokio::test]
async fn a_start_can_name_its_executor_and_its_key() {
    let three = three().await;
    three.rest.save(json!({"name": "j", "handler": "noop", "route": "first"})).await;
    let task = three.rest.ended(three.rest.start("j", json!({"executor": "e3"})).await).await;
    assert_eq!(task["attempts"][0]["executor"], "e3");
    let starts = (0..20).map(|_| three.rest.start("j", json!({"key": "order-7"})));
    let tasks = join_all(starts).await;
    assert!(tasks.iter().all(|task| *task == tasks[0]), "one key, one task: {tasks:?}");
    three.rest.ended(tasks[0]).await;
    assert_eq!(three.rest.start("j", json!({"key": "order-7"})).await, tasks[0]);
    assert_ne!(three.rest.start("j", json!({"key": "order-8"})).await, tasks[0]);
}

#[tokio::test]
async fn shards_run_on_the_right_executors_and_their_results_form_the_tasks_result() {
    let three = three().await;
    let save = |name: &str, shard: Value| {
        three.rest.save(json!({"name": name, "handler": "part", "shard": shard}))
    };
    save("all", json!("all")).await;
    save("zone", json!({"dynamic": "zone = a"})).await;
    save("five", json!({"count": 5})).await;
    let ran = async |job: &str| {
        let task = three.rest.ended(three.rest.start(job, json!({})).await).await;
        assert_eq!(task["state"], "succeeded", "{task}");
        let attempts = task["attempts"].as_array().unwrap().clone();
        let who: Vec<_> = attempts.iter().map(|attempt| text(&attempt["executor"])).collect();
        (text(&task["result"]), who)
    };
    let (result, who) = ran("all").await;
    assert_eq!(result, r#"["0 of 3","1 of 3","2 of 3"]"#);
    assert_eq!(who, ["e1", "e2", "e3"]);
    assert_eq!(ran("zone").await.1, ["e1", "e2"]);
    let (result, mut who) = ran("five").await;
    assert!(result.starts_with(r#"["0 of 5","1 of 5""#), "{result}");
    who.sort();
    who.dedup();
    assert_eq!(who, ["e1", "e2", "e3"], "the shards run on all executors");
    // The task starts its child once, not once per shard.
    three.rest.save(json!({"name": "after", "handler": "echo"})).await;
    three
        .rest
        .save(json!({"name": "parent", "handler": "part", "shard": "all",
            "children": [{"job": "after", "pass_result": true}]}))
        .await;
    let parent = three.rest.start("parent", json!({})).await;
    three.rest.ended(parent).await;
    let children = eventually("the child ended", Duration::from_secs(20), || async {
        let children = three.rest.tasks("after").await;
        children.first().is_some_and(|child| child["state"] == "succeeded").then_some(children)
    })
    .await;
    assert_eq!(children.len(), 1);
    assert_eq!((&children[0]["cause"], &children[0]["parent"]), (&json!("parent"), &json!(parent)));
    assert_eq!(children[0]["result"], r#"["0 of 3","1 of 3","2 of 3"]"#);
}

/// Whether two tasks of the job ran at the same time.
fn overlaps(tasks: &[Value]) -> bool {
    let mut spans: Vec<_> = tasks
        .iter()
        .flat_map(|task| task["attempts"].as_array().cloned().unwrap_or_default())
        .filter(|attempt| attempt["started_at"].is_string())
        .map(|attempt| (text(&attempt["started_at"]), text(&attempt["ended_at"])))
        .map(|(from, until)| {
            (from.parse::<jiff::Timestamp>().unwrap(), until.parse::<jiff::Timestamp>().unwrap())
        })
        .collect();
    spans.sort();
    spans.windows(2).any(|pair| pair[1].0 < pair[0].1)
}

#[tokio::test]
async fn a_cluster_wide_block_strategy_holds_on_three_executors() {
    let three = three().await;
    // Attempts that others have to meet run for longer than several starts take.
    let save = |name: &str, millis: u64, block: Value| {
        three.rest.save(json!({"name": name, "handler": "slow", "param": millis, "block": block}))
    };
    save("serial", 300, json!({"strategy": "serial", "scope": "cluster"})).await;
    save("skip", 3_000, json!({"strategy": "skip_new", "scope": "cluster"})).await;
    save("replace", 3_000, json!({"strategy": "replace_running", "scope": "cluster"})).await;
    save("two", 500, json!({"strategy": "parallel", "scope": "cluster", "max_running": 2})).await;
    let states = async |job: &str, times: usize| {
        let tasks = join_all((0..times).map(|_| three.rest.start(job, json!({})))).await;
        let mut ended = Vec::new();
        for task in tasks {
            ended.push(three.rest.ended(task).await);
        }
        ended
    };
    let count =
        |tasks: &[Value], state: &str| tasks.iter().filter(|task| task["state"] == state).count();
    let serial = states("serial", 5).await;
    assert_eq!(count(&serial, "succeeded"), 5);
    assert!(!overlaps(&serial), "{serial:?}");
    let skip = states("skip", 4).await;
    assert_eq!((count(&skip, "succeeded"), count(&skip, "skipped")), (1, 3));
    let replace = states("replace", 4).await;
    assert_eq!((count(&replace, "succeeded"), count(&replace, "stopped")), (1, 3));
    assert!(!overlaps(&replace), "{replace:?}");
    let two = states("two", 6).await;
    assert_eq!(count(&two, "succeeded"), 6);
    assert!(overlaps(&two), "two may run in parallel");
}

#[tokio::test]
async fn children_follow_success_failure_or_both() {
    let three = three().await;
    for child in ["well", "badly", "anyway"] {
        three.rest.save(json!({"name": child, "handler": "echo"})).await;
    }
    let children = json!([{"job": "well"}, {"job": "badly", "on": "failure"},
        {"job": "anyway", "on": "always", "pass_result": true}]);
    three.rest.save(json!({"name": "good", "handler": "noop", "children": children})).await;
    three.rest.save(json!({"name": "bad", "handler": "fatal", "children": children})).await;
    three.rest.ended(three.rest.start("good", json!({})).await).await;
    three.rest.ended(three.rest.start("bad", json!({})).await).await;
    eventually("all children ended", Duration::from_secs(20), || async {
        let mut results = Vec::new();
        for child in ["well", "badly", "anyway"] {
            for task in three.rest.tasks(child).await {
                task["ended_at"].as_str()?;
                results.push((child, text(&task["result"])));
            }
        }
        results.sort();
        let wanted =
            [("anyway", "done"), ("anyway", "nothing"), ("badly", "nothing"), ("well", "nothing")];
        (results == wanted.map(|(child, result)| (child, result.to_owned()))).then_some(())
    })
    .await;
    // A cycle is rejected, and so is deleting a child that has parents.
    let (status, answer) = three
        .rest
        .ask(
            "PUT",
            "/api/v1/jobs/default.well",
            Some(
                json!({"name": "well", "handler": "echo",
            "children": [{"job": "good"}]})
                .to_string(),
            ),
        )
        .await
        .unwrap();
    assert_eq!(status, 422, "{answer}");
    assert!(answer.to_string().contains("leads back"), "{answer}");
    let (status, answer) = three.rest.ask("DELETE", "/api/v1/jobs/well", None).await.unwrap();
    assert_eq!(status, 409, "{answer}");
}

#[tokio::test]
async fn a_retry_resumes_from_the_checkpoint_on_another_executor() {
    let three = three().await;
    let job = json!({"name": "counts", "handler": "counts", "param": 60,
        "retry": {"count": 1, "delay": "100ms"}, "route": "first"});
    three.rest.save(job).await;
    let task = three.rest.start("counts", json!({})).await;
    eventually("it reports its progress", Duration::from_secs(20), || async {
        let task = three.rest.task(task).await;
        let attempts = task["attempts"].as_array()?;
        attempts.iter().find_map(|attempt| attempt["progress"]["done"].as_u64())
    })
    .await;
    let task = three.rest.ended(task).await;
    assert_eq!(task["result"], "resumed from 5", "{task}");
    assert_ne!(task["attempts"][0]["executor"], task["attempts"][1]["executor"]);
}

#[tokio::test]
async fn past_fires_are_started_on_request() {
    let three = three().await;
    let job = json!({"name": "daily", "handler": "noop", "schedule": {"cron": "0 0 3 * * ?"},
        "exclude": {"days": ["2026-01-03"]}, "jitter": "10s"});
    three.rest.save(job).await;
    let ask = json!({"from": "2026-01-01T00:00:00Z", "until": "2026-01-06T00:00:00Z", "max": 3});
    let (status, answer) =
        three.rest.ask("POST", "/api/v1/jobs/daily/backfill", Some(ask.to_string())).await.unwrap();
    assert_eq!((status, &answer["more"]), (200, &json!(true)), "{answer}");
    let mut fires = Vec::new();
    for task in answer["tasks"].as_array().unwrap() {
        fires.push(text(&three.rest.ended(task.as_i64().unwrap()).await["fire_at"]));
    }
    assert_eq!(fires, ["2026-01-01T03:00:00Z", "2026-01-02T03:00:00Z", "2026-01-04T03:00:00Z"]);

    // Repeated, it starts nothing.
    let (_, again) =
        three.rest.ask("POST", "/api/v1/jobs/daily/backfill", Some(ask.to_string())).await.unwrap();
    assert_eq!((&again["tasks"], &again["existing"]), (&json!([]), &answer["tasks"]), "{again}");
    let first = answer["tasks"][0].as_i64().unwrap();
    assert_eq!(three.rest.task(first).await["cause"], "backfill");

    // Without an end, it extends to the current time.
    let ask = json!({"from": "2026-01-04T05:00:00Z", "max": 1, "again": true}).to_string();
    let (status, answer) =
        three.rest.ask("POST", "/api/v1/jobs/daily/backfill", Some(ask)).await.unwrap();
    assert_eq!((status, answer["tasks"].as_array().map(Vec::len)), (200, Some(1)), "{answer}");
}

#[tokio::test]
async fn attempts_of_a_killed_executor_end_elsewhere() {
    let mut three = three().await;
    three
        .rest
        .save(json!({"name": "shards", "handler": "slow", "param": 1_500, "shard": "all",
            "retry": {"count": 2, "delay": "100ms"}}))
        .await;
    three
        .rest
        .save(json!({"name": "turns", "handler": "slow", "param": 400,
            "retry": {"count": 2, "delay": "100ms"},
            "block": {"strategy": "serial", "scope": "cluster"}}))
        .await;
    let shards = three.rest.start("shards", json!({})).await;
    let turns = join_all((0..6).map(|_| three.rest.start("turns", json!({})))).await;
    three.rest.reaches(shards, &["running"]).await;
    three.executors[1].kill();
    let shards = three.rest.ended(shards).await;
    assert_eq!(shards["state"], "succeeded", "{shards}");
    let lost = |attempt: &&Value| attempt["reason"] == "executor lost";
    let attempts = shards["attempts"].as_array().unwrap();
    assert_eq!(attempts.iter().filter(lost).count(), 1, "one shard was lost: {shards}");
    let mut ended = Vec::new();
    for task in turns {
        ended.push(three.rest.ended(task).await);
    }
    assert!(ended.iter().all(|task| task["state"] == "succeeded"), "{ended:?}");
    assert!(!overlaps(&ended), "{ended:?}");
    assert!(three.coordinator.entered().values().all(|times| *times == 1));
}
