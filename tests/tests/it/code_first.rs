//! Jobs declared in code: code creates them, and manual changes take precedence.

use std::time::Duration;

use fastjob_tests::{eventually, rest::Rest};
use serde_json::{Value, json};

use crate::{EXECUTOR, coordinator};

async fn job(rest: &Rest, name: &str) -> Value {
    eventually("the job exists", Duration::from_secs(20), || async {
        let (status, job) = rest.get(&format!("/api/v1/jobs/{name}")).await.ok()?;
        (status == 200).then_some(job)
    })
    .await
}

#[tokio::test]
async fn code_creates_jobs_but_keeps_manual_changes_and_deletions() {
    let mut coordinator = coordinator().await;
    let mut executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    let made = job(&rest, "noop").await;
    assert_eq!(
        (&made["origin"], &made["service"], &made["revision"], &made["handler"]),
        (&json!("code"), &json!("default"), &json!(1), &json!("noop"))
    );
    rest.save(json!({"name": "slow", "handler": "slow", "param": "1", "timeout": "7s"})).await;
    let edited = job(&rest, "slow").await;
    assert_eq!((&edited["origin"], &edited["timeout"]), (&json!("api"), &json!("7s")));
    rest.post("/api/v1/jobs/talks/disable").await;
    job(&rest, "flaky").await;
    let (status, _) = rest.ask("DELETE", "/api/v1/jobs/flaky", None).await.unwrap();
    assert_eq!(status, 204);

    // Restarts of the executor or the coordinator do not restore the definitions in code.
    for life in ["e1", "e1", "e2"] {
        executor.kill();
        coordinator.kill();
        coordinator.up().await;
        executor = coordinator.executor(EXECUTOR, life);
        // Once a task runs, the executor has registered and sent its definitions.
        let task = rest.ended(rest.start("noop", json!({})).await).await;
        assert_eq!(task["state"], "succeeded");
        let (_, slow) = rest.get("/api/v1/jobs/slow").await.unwrap();
        for field in ["id", "origin", "timeout", "param", "revision"] {
            assert_eq!(slow[field], edited[field], "{field} of {slow}");
        }
        assert_eq!(rest.get("/api/v1/jobs/talks").await.unwrap().1["enabled"], false);
        assert_eq!(rest.get("/api/v1/jobs/flaky").await.unwrap().0, 404);
        let (_, noop) = rest.get("/api/v1/jobs/noop").await.unwrap();
        assert_eq!((&noop["id"], &noop["revision"]), (&made["id"], &json!(1)));
    }
}
