//! `/metrics` counts what a coordinator does, and needs the token.

use std::time::Duration;

use fastjob_tests::{eventually, process::Coordinator, rest::Rest};
use serde_json::json;

use crate::{EXECUTOR, FASTJOB, coordinator};

const TOKEN: &str = "a-token-of-the-tests-1234";

async fn scrape(rest: &Rest) -> String {
    let (status, text) = rest.get("/metrics").await.unwrap();
    assert_eq!(status, 200, "{text}");
    text.as_str().unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// The sum of the samples that begin with this.
fn value(text: &str, start: &str) -> f64 {
    let samples = text.lines().filter(|line| line.starts_with(start));
    samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[tokio::test]
async fn what_a_coordinator_does_is_counted() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.save(json!({"name": "a", "handler": "noop"})).await;
    rest.save(json!({"name": "b", "handler": "fatal"})).await;
    rest.save(json!({"name": "ticks", "handler": "noop", "schedule": {"fixed_rate": "1s"}})).await;
    for job in ["a", "a", "b"] {
        rest.ended(rest.start(job, json!({})).await).await;
    }
    let text = eventually("a fire has ended", Duration::from_secs(20), || async {
        let text = scrape(&rest).await;
        (value(&text, "fastjob_lateness_seconds_count ") >= 1.0).then_some(text)
    })
    .await;
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(value(&text, "fastjob_fires_total{result=\"planned\"}") >= 1.0, "{text}");
    assert_eq!(value(&text, "fastjob_tasks_created_total{cause=\"api\"}"), 3.0);
    assert_eq!(value(&text, "fastjob_tasks_ended_total{state=\"failed\"}"), 1.0);
    assert_eq!(value(&text, "fastjob_attempts_ended_total{outcome=\"fatal_error\"}"), 1.0);
    let of_job = "fastjob_job_tasks_ended_total{job_name=\"default.a\",state=\"succeeded\"}";
    assert_eq!(value(&text, of_job), 2.0);
    for (name, least) in [
        ("fastjob_sessions ", 1.0),
        ("fastjob_sessions_opened_total", 1.0),
        ("fastjob_store_commits_total", 3.0),
        ("fastjob_store_transaction_seconds_count", 1.0),
        ("fastjob_ready ", 1.0),
        ("fastjob_partitions{state=\"running\"}", 1.0),
        ("fastjob_http_requests_total{route=\"/api/v1/jobs/{name}/start\"", 3.0),
    ] {
        assert!(value(&text, name) >= least, "{name} is not at least {least} in\n{text}");
    }
}

#[tokio::test]
async fn the_metrics_need_the_token_and_count_those_without_it() {
    let mut coordinator = Coordinator::prepare(FASTJOB).env("FASTJOB_TOKEN", TOKEN);
    coordinator.up().await;
    assert_eq!(coordinator.rest().get("/metrics").await.unwrap().0, 401);
    let text = scrape(&coordinator.rest().with_token(TOKEN)).await;
    assert_eq!(value(&text, "fastjob_requests_refused_total{reason=\"no_token\"}"), 1.0, "{text}");
}

#[tokio::test]
async fn top_prints_one_frame_and_needs_a_terminal_otherwise() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.save(json!({"name": "slow", "handler": "slow", "param": "60000"})).await;
    let task = rest.start("slow", json!({})).await;
    eventually("the task runs", Duration::from_secs(20), || async {
        let done = coordinator.cli(&["top", "--once"]);
        assert!(done.status.success(), "{done:?}");
        let text = String::from_utf8(done.stdout).unwrap();
        let row = text.lines().find(|line| line.contains("default.slow"))?;
        (row.contains("running") && row.contains(&task.to_string())).then_some(())
    })
    .await;
    let refused = coordinator.cli(&["top"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("needs a terminal"), "{said}");
}
