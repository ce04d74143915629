//! A handler whose param has a JSON schema: a param that does not fit is refused before anything runs.
//!
//! Needs a running coordinator (`cargo run --bin fastjob -- serve`):
//!
//! ```text
//! cargo run --bin param_schema
//! cargo run --bin fastjob -- handler show report
//! cargo run --bin fastjob -- start report --param '{"month": 13, "kind": "short"}'
//! cargo run --bin fastjob -- start report --param '{"month": 12, "kind": "short"}' --wait
//! ```

use std::{error::Error, process::ExitCode};

use fastjob_examples::{example, say};
use fastjob_executor::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

// `JsonSchema` is all that is needed: `#[job]` finds it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Report {
    /// The month, 1 to 12.
    #[schemars(range(min = 1, max = 12))]
    month: u8,
    kind: Kind,
    /// Who gets it.
    #[serde(default)]
    to: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Short,
    Long,
}

/// Writes the report of a month.
#[job("report")]
async fn report(ctx: &JobContext, report: Report) -> JobResult {
    let Report { month, kind, to } = report;
    ctx.log(format_args!("a {kind:?} report of month {month} for {} people", to.len()));
    Ok("written".into())
}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("param_schema.rs"), run()).await
}

async fn run() -> Result<(), Box<dyn Error>> {
    say("the handler report is running; Ctrl-C stops")?;
    Executor::builder("reports").log_path("fastjob-data/reports-logs").run().await?;
    Ok(())
}
