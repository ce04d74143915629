//! A long job that reports its progress, and whose retry resumes where the failed attempt stopped.
//!
//! Needs a running coordinator (`cargo run --bin fastjob -- serve`):
//!
//! ```text
//! cargo run --bin progress_and_checkpoint
//! cargo run --bin fastjob -- start import --wait
//! cargo run --bin fastjob -- task log …
//! ```

use std::{error::Error, process::ExitCode, time::Duration};

use fastjob_examples::{example, say};
use fastjob_executor::prelude::*;
use serde::{Deserialize, Serialize};

const PAGES: u64 = 20;

/// The state that the next attempt needs.
#[derive(Default, Deserialize, Serialize)]
struct Imported {
    pages: u64,
    rows: u64,
}

/// Imports 20 pages; the first attempt loses its connection at page 12.
#[job("import", description = "imports pages", retry = 3, retry_delay = "1s")]
async fn import(ctx: &JobContext) -> Result<String, JobError> {
    let mut done: Imported = ctx.last_checkpoint()?.unwrap_or_default();
    ctx.log(format_args!("attempt {} continues after page {}", ctx.attempt(), done.pages));
    while done.pages < PAGES {
        let page = done.pages + 1;
        if page == 12 && ctx.attempt() == 1 {
            return Err(JobError::retryable("lost the connection at page 12"));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        done.pages = page;
        done.rows += 100 + page;
        // After the work on the page: if an attempt crashes before this, the page is imported
        // again.
        ctx.checkpoint(&done)?;
        ctx.progress(done.pages, PAGES, format!("{} rows", done.rows));
    }
    Ok(format!("{} rows of {} pages", done.rows, done.pages))
}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("progress_and_checkpoint.rs"), run()).await
}

async fn run() -> Result<(), Box<dyn Error>> {
    say("start import, and read its log; Ctrl-C stops")?;
    Executor::builder("importing").log_path("fastjob-data/importing-logs").run().await?;
    Ok(())
}
