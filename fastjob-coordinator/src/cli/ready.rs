//! `fastjob ready`: whether a coordinator can do its work, for health checks and scripts.

use std::time::{Duration, Instant};

use clap::Args;
use fastjob_client::{Call, Client};

use super::{error::Error, options, out::Out};

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(super) struct Ready {
    /// Wait until it is ready, for at most this long, such as 1m
    #[arg(long, value_name = "DURATION", value_parser = options::span)]
    wait: Option<Duration>,
}

impl Ready {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let (asked, wait) = (Instant::now(), self.wait.unwrap_or_default());
        let answer = loop {
            match client.answer(Call::ready()).await {
                Ok(answer) => break answer,
                Err(err) if err.is_transient() && asked.elapsed() + PAUSE < wait => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(err) => return Err(err.into()),
            }
        };
        if out.is_json() {
            return out.line(answer.text());
        }
        out.line(answer.read()?.status)
    }
}
