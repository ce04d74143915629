//! The jobs, each on an executor of its own.

use std::time::Duration;

use fastjob_executor::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mail::Maildir;

/// The job that delivers a reminder, with its service.
pub(crate) const REMIND: &str = "mail.remind";

/// A reminder, as the job's param.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub(crate) struct Reminder {
    #[schemars(length(min = 1))]
    to: String,
    text: String,
}

/// Delivers a reminder, and takes a moment for it, as mail servers do.
// The mail is named by the task. A process that is killed after it has delivered the mail delivers
// it again, under the same name, and there is still one.
#[job("remind", service = "mail", retry(count = 10, delay = "1s", factor = 2.0, max_delay = "10m"))]
async fn remind(ctx: &JobContext, mails: State<Maildir>, reminder: Reminder) -> JobResult {
    tokio::time::sleep(Duration::from_millis(100)).await;
    mails.deliver(ctx.task_id(), &reminder.to, &reminder.text).await?;
    Ok(format!("to {}", reminder.to).into())
}

/// Counts the mails, every morning.
#[job("digest", service = "digest", cron = "0 0 7 * * ?", misfire = "fire_once")]
async fn digest(mails: State<Maildir>) -> JobResult {
    Ok(format!("{} mails", mails.count().await?).into())
}
