//! `fastjob top`: shows live what runs, as `htop` does for processes.
//!
//! It asks the coordinator for its lists every few seconds and decides nothing. `sample` reads,
//! `state` holds what the user selected and what a key means, `view` draws, `live` runs the terminal.

mod live;
mod log;
mod rows;
mod sample;
mod state;
#[cfg(test)]
mod tests;
mod view;

use std::{io::IsTerminal, time::Duration};

use clap::Args;
use fastjob_client::{
    Client,
    types::{ExecutorView, TaskView},
};
use serde_json::Value;

use self::{sample::Sample, state::State};
use super::{error::Error, options::span, out::Out};

/// Shortest time between two reads: each reads several lists of all coordinators.
const INTERVAL_LEAST: Duration = Duration::from_millis(500);
/// Longest time between two reads.
const INTERVAL_MOST: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(super) struct Top {
    /// Read again after this time, such as 500ms
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = interval)]
    interval: Duration,
    /// Only jobs, executors and tasks that contain this text, in upper or lower case
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Print one frame as text, and end
    #[arg(long)]
    once: bool,
}

/// What is read for people.
type Shown = Sample<TaskView, ExecutorView>;

/// Parses the time between two reads.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = span(text)?;
    if !(INTERVAL_LEAST..=INTERVAL_MOST).contains(&interval) {
        return Err("it is not between 500ms and 1m".to_owned());
    }
    Ok(interval)
}

impl Top {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        if out.is_json() {
            let sample: Sample<Value, Value> = Sample::read(client).await?;
            return out.json(&sample);
        }
        if self.once {
            let mut state = State::new(self.filter, false);
            state.show(Sample::read(client).await?);
            return out.raw(&view::text(&state, &out.times()));
        }
        if !out.is_for_terminal() || !std::io::stdin().is_terminal() {
            return Err(Error::Misuse(
                "`fastjob top` needs a terminal: use --once to print one frame as text, or --json"
                    .to_owned(),
            ));
        }
        let colours = out.has_colours();
        live::run(client, self.interval, State::new(self.filter, colours), &out.times()).await
    }
}
