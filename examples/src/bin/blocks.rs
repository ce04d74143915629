//! Block strategies: what happens to a task while another task of its job runs, within one executor
//! and across all of them.
//!
//! ```text
//! cargo run --bin blocks
//! ```

use std::{process::ExitCode, time::Duration};

use fastjob_examples::{Stage, StageError, example, say};
use fastjob_executor::prelude::*;
use serde_json::json;

#[job("takes-a-while")]
async fn takes_a_while(ctx: &JobContext) -> JobResult {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(400)) => Ok("done".into()),
        () = ctx.stop_token().cancelled() => Err(JobError::retryable("was stopped")),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("blocks.rs"), Stage::show(&[("e1", "a"), ("e2", "b")], show)).await
}

async fn show(stage: &mut Stage) -> Result<(), StageError> {
    for scope in ["executor", "cluster"] {
        for strategy in ["serial", "skip_new", "replace_running", "parallel"] {
            let name = format!("{strategy}-{scope}");
            let block = json!({"strategy": strategy, "scope": scope});
            stage.save(json!({"name": name, "handler": "takes-a-while", "block": block})).await?;
            let mut tasks = Vec::new();
            for _ in 0..4 {
                tasks.push(stage.job(&name).start().send().await?);
            }
            let mut ends = Vec::new();
            for task in tasks {
                ends.push(task.wait(Duration::from_secs(60)).await?.state.to_string());
            }
            say(format_args!("{name:25} {}", ends.join(", ")))?;
        }
    }
    Ok(())
}
