//! A custom alarm channel: a text message to the person on call.
//!
//! ```text
//! cargo run --bin sms_alarm
//! cargo run --bin fastjob -- start fails
//! ```

use std::{error::Error, process::ExitCode};

use fastjob_client::Client;
use fastjob_coordinator::{
    CancellationToken, Coordinator,
    alarm::{self, Alarm, Message, async_trait},
};
use fastjob_examples::{example, say};
use fastjob_executor::prelude::*;
use serde_json::json;

struct Sms {
    to: String,
}

#[async_trait]
impl Alarm for Sms {
    async fn send(&self, message: &Message) -> Result<(), alarm::Error> {
        // Call the SMS gateway here; an error is retried.
        say(format_args!("to {}: {}", self.to, message.title()))?;
        Ok(())
    }
}

#[job("fails")]
async fn fails() -> JobResult {
    Err(JobError::fatal("the account is closed"))
}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("sms_alarm.rs"), run()).await
}

async fn run() -> Result<(), Box<dyn Error>> {
    let coordinator = Coordinator::builder()
        .sqlite("fastjob-data/sms.db")
        .alarm("on-call", Sms { to: "+49 170 0000000".to_owned() })
        .bind()
        .await?;
    let address = coordinator.local_addr();
    let last = CancellationToken::new();
    let coordinating = tokio::spawn(coordinator.run(last.clone()));
    let job = json!({"name": "fails", "handler": "fails", "alarms": ["on-call"]});
    let client = Client::builder(format!("http://{address}")).build()?;
    client.job("fails").save(&serde_json::from_value(job)?).await?;
    say("`fastjob start fails` sends a message some seconds later; Ctrl-C stops")?;
    let executed = Executor::builder("default")
        .coordinators([format!("http://{address}")])
        .log_path("fastjob-data/sms-logs")
        .run()
        .await;
    // The coordinator stops last, so that it still receives the executor's last reports.
    last.cancel();
    coordinating.await??;
    Ok(executed?)
}
