//! An executor for a cluster, configured by environment variables.
//!
//! ```text
//! FASTJOB_COORDINATORS=http://127.0.0.1:7071 FASTJOB_EXECUTOR_NAME=e1 cargo run --bin worker
//! ```
//!
//! It connects to one coordinator and learns the others from it. `scripts/cluster` starts two.

use std::{error::Error, io::IsTerminal as _, process::ExitCode, time::Duration};

use fastjob_examples::example;
use fastjob_executor::prelude::*;

/// Fires every second, on whichever node owns its partition.
#[job("heartbeat", cron = "* * * * * ?")]
async fn heartbeat(ctx: &JobContext) -> JobResult {
    ctx.log(format_args!("the fire of {:?}", ctx.fire_at()));
    Ok("alive".into())
}

/// Takes ten seconds: long enough to kill a coordinator in the meantime.
#[job("long")]
async fn long(ctx: &JobContext) -> JobResult {
    for second in 1..=10 {
        ctx.progress(second, 10, "seconds");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok("ten seconds".into())
}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("worker.rs"), run()).await
}

async fn run() -> Result<(), Box<dyn Error>> {
    let colours = std::io::stdout().is_terminal();
    tracing_subscriber::fmt().with_target(false).with_ansi(colours).init();
    Ok(Executor::configured()?.run().await?)
}
