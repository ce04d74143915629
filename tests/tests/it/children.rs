//! Limits on the tasks that follow from one start, and on open tasks.

use std::{process::Command, time::Duration};

use fastjob_tests::{
    eventually,
    process::Coordinator,
    raw::hello,
    rest::Rest,
    stand_in::{Machine, Manner, StandIn},
};
use serde_json::{Value, json};

use crate::{EXECUTOR, FASTJOB, cluster::Cluster};

async fn with(variable: &str, value: &str) -> Coordinator {
    let mut coordinator = Coordinator::prepare(FASTJOB).env(variable, value);
    coordinator.up().await;
    coordinator
}

/// Reads all tasks, page by page.
async fn all(rest: &Rest) -> Vec<Value> {
    let (mut tasks, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/tasks?limit=500{cursor}");
        let (_, page) = rest.get(&path).await.unwrap();
        tasks.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return tasks,
        }
    }
}

/// Runs `fastjob` with these arguments; returns whether it succeeds, and its output.
fn fastjob(coordinator: &Coordinator, args: &[&str]) -> (bool, String) {
    let url = coordinator.url();
    let output = Command::new(FASTJOB)
        .args(["--server", &url])
        .args(args)
        .env_remove("FASTJOB_TOKEN")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn twelve_levels_of_children_stop_at_the_limit_and_report_it() {
    let mut coordinator = with("FASTJOB_MAX_DESCENDANTS", "300").await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    for layer in (0..12).rev() {
        let children = match layer {
            11 => json!([]),
            layer => {
                json!([{"job": format!("a{}", layer + 1)}, {"job": format!("b{}", layer + 1)}])
            }
        };
        for side in ["a", "b"] {
            let name = format!("{side}{layer}");
            rest.save(json!({"name": name, "handler": "noop", "children": children})).await;
        }
    }
    rest.start("a0", json!({})).await;
    eventually("it is under way", Duration::from_secs(20), || async {
        (all(&rest).await.len() > 10).then_some(())
    })
    .await;
    coordinator.kill();
    coordinator.up().await;
    let tasks = eventually("nothing is open", Duration::from_secs(60), || async {
        let tasks = all(&rest).await;
        let ended = |task: &Value| task["ended_at"].is_string();
        (tasks.iter().all(ended) && tasks.iter().any(|task| task["note"].is_string()))
            .then_some(tasks)
    })
    .await;
    // Part of the budget may be left: what remains to a task may be too little for two children.
    assert!((150..=301).contains(&tasks.len()), "{} tasks", tasks.len());
    let limited: Vec<_> = tasks.iter().filter(|task| task["note"].is_string()).collect();
    for task in &limited {
        let note = task["note"].as_str().unwrap();
        assert!(note.contains("children were not started: of the 300 tasks"), "{task}");
        assert!(note.contains("max_descendants"), "{task}");
        assert_eq!(task["state"], "succeeded", "its own work succeeded: {task}");
    }
    let (_, said) = fastjob(&coordinator, &["task", "show", &limited[0]["id"].to_string()]);
    assert!(said.contains("children were not started"), "{said}");
}

#[tokio::test]
async fn a_start_beyond_the_quota_is_rejected_with_the_limit() {
    let coordinator = with("FASTJOB_MAX_OPEN_TASKS", "2").await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "j", "handler": "noop"})).await;
    for _ in 0..2 {
        rest.start("j", json!({"delay": "1h"})).await;
    }
    let start = rest.ask("POST", "/api/v1/jobs/j/start", Some("{}".to_owned()));
    let (status, answer) = start.await.unwrap();
    assert_eq!((status, answer["type"].as_str()), (429, Some("urn:fastjob:problem:over-quota")));
    let detail = answer["detail"].as_str().unwrap();
    assert!(
        detail.contains(
            "limit of 2 open tasks on this coordinator (coordinator.limits.max_open_tasks)"
        )
    );
    let (done, said) = fastjob(&coordinator, &["start", "j"]);
    assert!(!done && said.contains("max_open_tasks"), "{said}");
}

/// Joins an executor that declares these jobs, each with its children.
async fn declares(rest: &Rest, url: String, name: &str, jobs: &[(&str, &[&str])]) -> StandIn {
    let jobs = jobs.iter().map(|(name, children)| {
        let children: Vec<_> = children.iter().map(|child| json!({"job": child})).collect();
        json!({"name": name, "handler": "noop", "children": children}).to_string()
    });
    let hello = fastjob_core::wire::v1::Hello { jobs: jobs.collect(), ..hello(name) };
    let machine = Machine { cpu: 0.0, memory_free_gib: 1 };
    let executor = StandIn::join_with(url, hello, machine, Manner::Prompt).await;
    eventually("the executor is connected", Duration::from_secs(20), || async {
        let (_, page) = rest.get("/api/v1/executors").await.ok()?;
        page["items"].as_array()?.iter().any(|executor| executor["name"] == name).then_some(())
    })
    .await;
    executor
}

/// Starts a job that code declared, and waits for the last task of its chain.
async fn runs_through(rest: &Rest, first: &str, last: &str) {
    eventually("the job is saved", Duration::from_secs(20), || async {
        let (status, job) = rest.get(&format!("/api/v1/jobs/{first}")).await.ok()?;
        (status == 200 && job["origin"] == "code").then_some(())
    })
    .await;
    rest.start(first, json!({})).await;
    eventually("the last child succeeds", Duration::from_secs(20), || async {
        let (_, tasks) = rest.get("/api/v1/tasks?state=succeeded").await.ok()?;
        tasks["items"].as_array()?.iter().any(|task| task["job"] == last).then_some(())
    })
    .await;
}

const CHAIN: [(&str, &[&str]); 4] =
    [("a", &["b", "default.d"]), ("b", &["c"]), ("c", &["d"]), ("d", &[])];

#[tokio::test]
async fn code_may_declare_a_parent_before_its_child() {
    let mut coordinator = Coordinator::prepare(FASTJOB);
    coordinator.up().await;
    let rest = coordinator.rest();
    let early = declares(&rest, coordinator.url(), "early", &CHAIN[..3]).await;
    let (status, _) = rest.get("/api/v1/jobs/c").await.unwrap();
    assert_eq!(status, 404, "its child is not known yet");
    let _late = declares(&rest, coordinator.url(), "late", &CHAIN[3..]).await;
    runs_through(&rest, "a", "d").await;
    drop(early);
}

#[tokio::test(flavor = "multi_thread")]
async fn children_that_code_declares_may_be_in_any_partition() {
    let cluster = Cluster::start(1).await;
    let node = &cluster.nodes[0];
    let _executor = declares(&node.rest(), node.url(), "e1", &CHAIN).await;
    runs_through(&node.rest(), "a", "d").await;
}
