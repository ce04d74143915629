//! How tasks are started: by cron, at a fixed rate, after a delay, once, by a call, with an
//! idempotency key, later, and as a backfill of a past range.
//!
//! ```text
//! cargo run --bin triggers
//! ```

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use fastjob_examples::{Stage, StageError, example, say};
use fastjob_executor::prelude::*;
use serde_json::{Value, json};

#[job("work")]
async fn work() {}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("triggers.rs"), show()).await
}

async fn show() -> Result<(), StageError> {
    let stage = Stage::open(&[("e1", "a")]).await?;
    let schedules = [
        ("by-cron", json!({"cron": "0/2 * * * * ?"})),
        ("at-a-rate", json!({"fixed_rate": "1s"})),
        ("after-a-delay", json!({"fixed_delay": "1500ms"})),
        ("by-call", json!("none")),
    ];
    for (name, schedule) in schedules {
        stage.save(json!({"name": name, "handler": "work", "schedule": schedule})).await?;
    }
    // Nightly, except on Sundays, with a jitter of ten minutes, which is always the same for a
    // fire.
    let nightly = json!({"name": "nightly", "handler": "work", "jitter": "10m",
        "schedule": {"cron": "0 0 3 * * ?"}, "exclude": {"days": ["sun"]}});
    stage.save(nightly).await?;
    let past = json!({"from": "2026-01-01T00:00:00Z", "until": "2026-01-08T00:00:00Z"});
    let filled: Value = stage.rest().post("/api/v1/jobs/nightly/backfill", &past).await?;
    say(format_args!("backfill of a week without its Sunday: tasks {}", filled["tasks"]))?;

    let order = json!({"key": "order-7"});
    let (first, again) =
        (stage.start("by-call", order.clone()).await?, stage.start("by-call", order).await?);
    say(format_args!("started twice with the same key: tasks {first} and {again}"))?;
    stage.start("by-call", json!({"delay": "2s"})).await?;

    tokio::time::sleep(Duration::from_secs(6)).await;
    let page: Value = stage.rest().get("/api/v1/tasks?limit=500").await?;
    let mut causes: BTreeMap<String, u32> = BTreeMap::new();
    for task in page["items"].as_array().into_iter().flatten() {
        let text = |field: &str| task[field].as_str().unwrap_or_default().to_owned();
        *causes.entry(format!("{} ({})", text("job"), text("cause"))).or_default() += 1;
    }
    for (cause, count) in causes {
        say(format_args!("{count:3} {cause}"))?;
    }
    stage.close().await
}
