//! How attempts end, and what is retried: an error, a permanent error, a panic, a timeout.
//!
//! Needs a running coordinator (`cargo run --bin fastjob -- serve`):
//!
//! ```text
//! cargo run --bin retries_and_timeouts
//! cargo run --bin fastjob -- start too-long --wait
//! cargo run --bin fastjob -- task list
//! cargo run --bin fastjob -- task show …
//! ```

use std::{error::Error, process::ExitCode, time::Duration};

use fastjob_examples::{example, say};
use fastjob_executor::prelude::*;

/// Any error of the `?` operator is retried: after 1 s, 2 s and 4 s.
#[job("bad-luck", retry = 3, retry_delay = "1s")]
async fn bad_luck(ctx: &JobContext) -> Result<String, std::num::ParseIntError> {
    let text = if ctx.attempt() > 3 { "7" } else { "seven" };
    let number: u32 = text.parse()?;
    Ok(format!("attempt {} read {number}", ctx.attempt()))
}

/// A permanent error fails the task at once.
#[job("hopeless", retry = 3)]
async fn hopeless() -> JobResult {
    Err(JobError::fatal("the account is closed"))
}

/// A panic fails its attempt but not the executor, and is retried too.
#[job("panics-once", retry = 1, retry_delay = "1s")]
async fn panics_once(ctx: &JobContext) -> JobResult {
    assert!(ctx.attempt() > 1, "the first attempt panics");
    Ok("the second did not panic".into())
}

/// At the timeout the stop token fires; a handler that has not ended after the grace period is
/// aborted.
#[job("too-long", timeout = "2s", grace = "1s")]
async fn too_long(ctx: &JobContext) -> JobResult {
    for step in 1..=100 {
        tokio::select! {
            () = ctx.stop_token().cancelled() => {
                ctx.log(format_args!("stopped, the next attempt resumes at {step}"));
                return Err(JobError::retryable("not finished"));
            }
            () = tokio::time::sleep(Duration::from_millis(300)) => ctx.log(step),
        }
    }
    Ok("all 100 steps".into())
}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("retries_and_timeouts.rs"), run()).await
}

async fn run() -> Result<(), Box<dyn Error>> {
    say("start bad-luck, hopeless, panics-once or too-long; Ctrl-C stops")?;
    Executor::builder("trying").log_path("fastjob-data/trying-logs").run().await?;
    Ok(())
}
