//! Child jobs: started after a success, after a failure, or after both, with the parent's result.
//!
//! ```text
//! cargo run --bin children
//! ```

use std::{process::ExitCode, time::Duration};

use fastjob_examples::{Stage, StageError, example, say};
use fastjob_executor::prelude::*;
use serde_json::json;

#[job("counts")]
async fn counts() -> JobResult {
    Ok("42 orders".into())
}

#[job("fails")]
async fn fails() -> JobResult {
    Err(JobError::fatal("the shop is closed"))
}

#[job("tells")]
async fn tells(ctx: &JobContext) -> JobResult {
    Ok(format!("{} received {:?}", ctx.job_name(), ctx.param_text()).into())
}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("children.rs"), Stage::show(&[("e1", "a")], show)).await
}

async fn show(stage: &mut Stage) -> Result<(), StageError> {
    for child in ["mail", "page-somebody", "clean-up"] {
        stage.save(json!({"name": child, "handler": "tells"})).await?;
    }
    let children = json!([
        {"job": "mail", "pass_result": true},
        {"job": "page-somebody", "on": "failure"},
        {"job": "clean-up", "on": "always"},
    ]);
    for parent in ["counts", "fails"] {
        stage.save(json!({"name": parent, "handler": parent, "children": children})).await?;
        let task = stage.run(parent).await?;
        say(format_args!("{parent} {}", task.state))?;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for task in stage.client().tasks().all().await?.into_iter().rev() {
        if let Some(parent) = task.parent {
            let result = task.result.unwrap_or_default();
            say(format_args!("task {} after {parent}: {result}", task.id))?;
        }
    }
    Ok(())
}
