//! Handlers that block their threads: time limits and sessions still work.

use std::time::Duration;

use fastjob_tests::{eventually, process::Coordinator};
use serde_json::json;

use crate::{EXECUTOR, FASTJOB};

#[tokio::test]
async fn a_blocking_handler_times_out_and_its_executor_stays_connected() {
    // An executor without heartbeats for a second is lost. The only runtime thread of this one is
    // blocked for longer.
    let mut coordinator = Coordinator::prepare(FASTJOB)
        .env("FASTJOB_EXECUTOR_LOST", "1s")
        .env("FASTJOB_BEAT", "200ms");
    coordinator.up().await;
    let _executor = coordinator.executor_with(EXECUTOR, "e1", &[("TOKIO_WORKER_THREADS", "1")]);
    let rest = coordinator.rest();
    rest.executors(1).await;
    let go = coordinator.folder().join("go");
    let job = json!({"name": "stuck", "handler": "blocks", "param": go.display().to_string(),
        "timeout": "2s", "grace": "500ms"});
    rest.save(job).await;
    let stuck = rest.start("stuck", json!({})).await;
    rest.reaches(stuck, &["running"]).await;
    let behind = rest.start("noop", json!({})).await;
    let ended = rest.ended(stuck).await;
    let attempt = &ended["attempts"][0];
    assert_eq!((&ended["state"], &attempt["reason"]), (&json!("failed"), &json!("timed out")));
    let message = attempt["message"].as_str().unwrap_or_default();
    assert!(message.contains("its thread is blocked"), "{message}");
    eventually("the executor logs which handler blocks", Duration::from_secs(20), || async {
        let said = coordinator.said("e1");
        said.lines()
            .any(|line| line.contains("blocks its thread") && line.contains("blocks\""))
            .then_some(())
    })
    .await;
    assert_eq!(rest.task(behind).await["state"], "queued", "the thread is still blocked");
    assert_eq!(rest.executors(1).await.len(), 1);
    std::fs::write(&go, "").unwrap();
    let behind = rest.ended(behind).await;
    assert_eq!(
        (&behind["state"], &behind["attempts"][0]["number"]),
        (&json!("succeeded"), &json!(1))
    );
    assert_eq!(coordinator.entered().values().sum::<u32>(), 2);
}
