//! Statistics say how many tasks ended, and how long they took.

use fastjob_tests::rest::Rest;
use serde_json::{Value, json};

use crate::{EXECUTOR, coordinator};

pub(crate) async fn stats(rest: &Rest, query: &str) -> Value {
    let (status, stats) = rest.get(&format!("/api/v1/stats?{query}")).await.unwrap();
    assert_eq!(status, 200, "{stats}");
    stats
}

/// Of all, and by state.
pub(crate) fn counts(stats: &Value) -> [i64; 4] {
    ["succeeded", "failed", "stopped", "skipped"].map(|state| {
        let items = stats["items"].as_array().unwrap().iter();
        let sum = items.map(|item| item[state].as_i64().unwrap()).sum();
        assert_eq!(stats["total"][state], sum, "{state}: {stats}");
        sum
    })
}

#[tokio::test]
async fn tasks_count_by_job_and_service_as_soon_as_they_ended() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.save(json!({"name": "a", "handler": "noop"})).await;
    rest.save(json!({"name": "b", "handler": "fatal"})).await;
    rest.save(json!({"name": "again", "handler": "flaky", "param": "2",
        "retry": {"count": 3, "delay": "100ms"}}))
        .await;
    for (job, count) in [("a", 3), ("b", 2), ("again", 1)] {
        for _ in 0..count {
            rest.ended(rest.start(job, json!({})).await).await;
        }
    }
    assert_eq!(counts(&stats(&rest, "job=a").await), [3, 0, 0, 0]);
    assert_eq!(counts(&stats(&rest, "job=default.b&bucket=1h").await), [0, 2, 0, 0]);
    assert_eq!(counts(&stats(&rest, "").await), [4, 2, 0, 0]);
    assert_eq!(counts(&stats(&rest, "service=default&bucket=1m").await), [4, 2, 0, 0]);
    assert_eq!(counts(&stats(&rest, "service=other").await), [0, 0, 0, 0]);
    assert_eq!(counts(&stats(&rest, "until=2026-01-01T00:00:00Z").await), [0, 0, 0, 0]);

    let again = stats(&rest, "job=again&bucket=1d").await;
    assert_eq!((&again["bucket"], counts(&again)), (&json!("24h"), [1, 0, 0, 0]));
    let (run_time, wait) = (&again["total"]["run_time"], &again["total"]["wait"]);
    assert_eq!((&run_time["count"], &wait["count"]), (&json!(1), &json!(1)));
    assert_eq!(run_time["p50_ms"], run_time["max_ms"], "of a single task");
    assert_eq!(again["total"]["lateness"], Value::Null, "no schedule started it");

    let (out, shown) = (coordinator.cli(&["stats", "--job", "a"]), coordinator.cli(&["stats"]));
    assert!(out.status.success() && shown.status.success());
    let out = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines[0],
        ["AT", "SUCCEEDED", "FAILED", "STOPPED", "SKIPPED", "P50", "P95", "P99", "LATE", "P99",]
    );
    let total = lines.last().unwrap();
    assert_eq!(total[..5], ["total", "3", "0", "0", "0"]);
    assert_eq!(total.last(), Some(&"-"), "{out}");
}

#[tokio::test]
async fn statistics_of_an_impossible_range_are_rejected() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    for (query, field, status) in [
        ("bucket=90s", "bucket", 422),
        ("bucket=1m&since=2026-01-01T00:00:00Z", "bucket", 422),
        ("since=2999-01-01T00:00:00Z", "since", 422),
        ("until=yesterday", "until", 422),
        ("job=a&service=b", "service", 422),
        ("service=a%2Fb", "service", 422),
        ("by=job", "by", 422),
    ] {
        let (got, problem) = rest.get(&format!("/api/v1/stats?{query}")).await.unwrap();
        assert_eq!((got, &problem["problems"][0]["field"]), (status, &json!(field)), "{problem}");
    }
    assert_eq!(rest.get("/api/v1/stats?job=unknown").await.unwrap().0, 404);
}
