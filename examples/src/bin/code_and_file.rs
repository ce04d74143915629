//! One handler with several jobs: its default job in code, and two more in a file.
//!
//! Needs a running coordinator (`cargo run --bin fastjob -- serve`):
//!
//! ```text
//! cargo run --bin code_and_file
//! cargo run --bin fastjob -- job apply examples/jobs.toml
//! cargo run --bin fastjob -- job list
//! ```

use std::{error::Error, path::PathBuf, process::ExitCode};

use fastjob_examples::{example, say};
use fastjob_executor::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Folder {
    path: PathBuf,
}

/// Counts the files of a folder.
// The default job, like a `[[job]]` in a file. Once a user saves the job, the saved version
// applies.
#[job("count-files", fixed_rate = "10s", param = r#"{"path": "."}"#)]
async fn count_files(ctx: &JobContext, folder: Folder) -> Result<String, std::io::Error> {
    let mut entries = tokio::fs::read_dir(&folder.path).await?;
    let mut files = 0_u32;
    while let Some(entry) = entries.next_entry().await? {
        ctx.log(entry.path().display());
        files += u32::from(entry.file_type().await?.is_file());
    }
    Ok(format!("{files} files in {}", folder.path.display()))
}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("code_and_file.rs"), run()).await
}

async fn run() -> Result<(), Box<dyn Error>> {
    say("the handler count-files is running; Ctrl-C stops")?;
    Executor::builder("files").log_path("fastjob-data/files-logs").run().await?;
    Ok(())
}
