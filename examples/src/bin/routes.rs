//! Route strategies: for each one, how often each of three executors runs a job.
//!
//! ```text
//! cargo run --bin routes
//! ```

use std::{collections::BTreeMap, process::ExitCode};

use fastjob_examples::{Stage, StageError, example, say};
use fastjob_executor::prelude::*;
use serde_json::json;

#[job("work")]
async fn work() {}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("routes.rs"), Stage::show(&[("e1", "a"), ("e2", "a"), ("e3", "b")], show))
        .await
}

async fn show(stage: &mut Stage) -> Result<(), StageError> {
    let names = [
        "round_robin",
        "random",
        "consistent_hash",
        "least_scheduled",
        "memory_first",
        "cpu_first",
        "response_first",
        "failover",
        "first",
        "last",
        "least_recently_used",
        "idle_first",
    ];
    let routes = names.map(|name| (name, json!(name)));
    for (name, route) in routes.into_iter().chain([("specific", json!({"specific": "e2"}))]) {
        stage.save(json!({"name": name, "handler": "work", "route": route})).await?;
        let mut who: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..6 {
            let task = stage.run(name).await?;
            let executor = task.attempts[0].executor.clone().unwrap_or_default();
            *who.entry(executor).or_default() += 1;
        }
        say(format_args!("{name:20} {who:?}"))?;
    }
    Ok(())
}
