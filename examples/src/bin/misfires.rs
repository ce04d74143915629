//! Misfire strategies, after a coordinator outage. Fires that are at least 5 s late are misfires,
//! which the job's strategy handles; the others run as usual.
//!
//! ```text
//! cargo run --bin misfires
//! ```

use std::{process::ExitCode, time::Duration};

use fastjob_examples::{Stage, StageError, example, say};
use fastjob_executor::prelude::*;
use serde_json::{Value, json};

const DOWN: Duration = Duration::from_secs(12);

#[job("work")]
async fn work() {}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("misfires.rs"), show()).await
}

async fn show() -> Result<(), StageError> {
    let mut stage = Stage::open(&[("e1", "a")]).await?;
    let strategies = [
        ("skip", json!("skip")),
        ("once", json!("fire_once")),
        ("all", json!({"fire_all": {}})),
        ("newest-2", json!({"fire_all": {"max": 2}})),
        ("last-7s", json!({"fire_all": {"window": "7s"}})),
    ];
    for (name, misfire) in &strategies {
        let job = json!({"name": name, "handler": "work", "misfire": misfire,
            "schedule": {"fixed_rate": "1s"}});
        stage.save(job).await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    say(format_args!("the coordinator is down for {DOWN:?}"))?;
    stage.interrupt(DOWN).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;

    for (name, misfire) in strategies {
        say(format_args!("\n{name}: misfire = {misfire}"))?;
        let page: Value = stage.rest().get(&format!("/api/v1/tasks?job={name}&limit=500")).await?;
        let mut tasks: Vec<_> = page["items"].as_array().into_iter().flatten().collect();
        tasks.sort_by_key(|task| task["fire_at"].as_str());
        let text = |task: &Value, field: &str| task[field].as_str().unwrap_or_default().to_owned();
        let kind = |task: &Value| ["cause", "state", "note"].map(|field| text(task, field));
        for alike in tasks.chunk_by(|a, b| kind(a) == kind(b)) {
            // Show only the time of day of 2026-11-23T16:19:50.5Z.
            let fire = |task: &Value| text(task, "fire_at").chars().skip(11).take(8).collect();
            let [first, last]: [String; 2] = [fire(alike[0]), fire(alike[alike.len() - 1])];
            let ([cause, state, note], count) = (kind(alike[0]), alike.len());
            say(format_args!("  {first} to {last}  {count:2}  {cause:8}  {state:9}  {note}"))?;
        }
    }
    stage.close().await
}
