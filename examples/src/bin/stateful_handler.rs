//! State: a handler struct that the program creates, and a value that functions take as `State`.
//!
//! Needs a running coordinator (`cargo run --bin fastjob -- serve`):
//!
//! ```text
//! cargo run --bin stateful_handler
//! cargo run --bin fastjob -- start mail --param '{"to":"ann@example.org"}' --wait
//! cargo run --bin fastjob -- start count-mails --wait
//! ```

use std::{
    error::Error,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
};

use fastjob_examples::{example, say};
use fastjob_executor::prelude::*;
use serde::Deserialize;

/// Writes mails to a folder, in place of an SMTP client.
#[job("mail", retry = 3)]
struct Mailer {
    folder: PathBuf,
    sent: AtomicU64,
}

#[derive(Deserialize)]
struct Mail {
    to: String,
}

impl JobHandler for Mailer {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        let mail: Mail = ctx.param()?;
        // A task may run more than once, so the file is named by its id: a second run overwrites
        // it.
        let file = self.folder.join(format!("{}.txt", ctx.task_id()));
        tokio::fs::write(&file, format!("To: {}\n\nHello!\n", mail.to)).await?;
        let sent = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        ctx.log(format_args!("wrote {}", file.display()));
        Ok(format!("mail {sent} of this process").into())
    }
}

/// The folder that a function needs. Handlers share one value of each type.
struct Folder(PathBuf);

/// Counts the mails.
#[job("count-mails")]
async fn count_mails(
    ctx: &JobContext,
    State(folder): State<Folder>,
) -> Result<usize, std::io::Error> {
    let mut entries = tokio::fs::read_dir(&folder.0).await?;
    let mut count = 0;
    while let Some(entry) = entries.next_entry().await? {
        ctx.log(entry.path().display());
        count += 1;
    }
    Ok(count)
}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("stateful_handler.rs"), run()).await
}

async fn run() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from("fastjob-data/mails");
    tokio::fs::create_dir_all(&folder).await?;
    say(format_args!("mails go to {}; Ctrl-C stops", folder.display()))?;
    Executor::builder("mailing")
        .log_path("fastjob-data/mailing-logs")
        .state(Folder(folder.clone()))
        .handler(Mailer { folder, sent: AtomicU64::new(0) })
        .run()
        .await?;
    Ok(())
}
