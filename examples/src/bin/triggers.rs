//! How tasks are started: by cron, at a fixed rate, after a delay, once, by a call, with an
//! idempotency key, later, and as a backfill of a past range.
//!
//! ```text
//! cargo run --bin triggers
//! ```

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use fastjob_client::types::BackfillRequest;
use fastjob_examples::{Stage, StageError, example, say};
use fastjob_executor::prelude::*;
use serde_json::json;

#[job("work")]
async fn work() {}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("triggers.rs"), Stage::show(&[("e1", "a")], show)).await
}

async fn show(stage: &mut Stage) -> Result<(), StageError> {
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
    let week = BackfillRequest {
        from: "2026-01-01T00:00:00Z".to_owned(),
        until: Some("2026-01-08T00:00:00Z".to_owned()),
        ..BackfillRequest::default()
    };
    let filled = stage.job("nightly").backfill(&week).await?;
    say(format_args!("backfill of a week without its Sunday: tasks {:?}", filled.tasks))?;

    let job = stage.job("by-call");
    let first = job.start().key("order-7").send().await?.id();
    let again = job.start().key("order-7").send().await?.id();
    say(format_args!("started twice with the same key: tasks {first} and {again}"))?;
    job.start().delay(Duration::from_secs(2)).send().await?;

    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut causes: BTreeMap<String, u32> = BTreeMap::new();
    for task in stage.client().tasks().all().await? {
        *causes.entry(format!("{} ({})", task.job, task.cause)).or_default() += 1;
    }
    for (cause, count) in causes {
        say(format_args!("{count:3} {cause}"))?;
    }
    Ok(())
}
