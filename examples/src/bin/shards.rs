//! Sharded tasks: on all executors, on those that match a filter, or in a fixed number of shards.
//! The task's result is the list of its shards' results.
//!
//! ```text
//! cargo run --bin shards
//! ```

use std::process::ExitCode;

use fastjob_examples::{Stage, StageError, example, say};
use fastjob_executor::prelude::*;
use serde_json::json;

#[job("part")]
async fn part(ctx: &JobContext) -> JobResult {
    let shard = ctx.shard();
    Ok(format!("part {} of {}", shard.index, shard.total).into())
}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("shards.rs"), Stage::show(&[("e1", "a"), ("e2", "a"), ("e3", "b")], show))
        .await
}

async fn show(stage: &mut Stage) -> Result<(), StageError> {
    let shards = [
        ("everywhere", json!("all")),
        ("zone-a", json!({"dynamic": "zone = a and memory_free > 1MiB"})),
        ("five", json!({"count": 5})),
    ];
    for (name, shard) in shards {
        stage.save(json!({"name": name, "handler": "part", "shard": shard})).await?;
        let task = stage.run(name).await?;
        say(format_args!("{name}: {}", task.result.unwrap_or_default()))?;
        for attempt in task.attempts {
            let executor = attempt.executor.unwrap_or_default();
            say(format_args!("  shard {} on {executor}", attempt.shard))?;
        }
    }
    Ok(())
}
