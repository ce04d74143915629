//! A nightly pipeline: it collects the sales of all shops, sums them in parallel, and writes a report.
//!
//! `pipeline` has the three jobs, `files` what they read and write. docs/examples/nightly.md shows
//! how to run it.

mod files;
mod pipeline;

use fastjob_executor::Executor;

use self::files::Files;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let files = Files::from_env()?;
    Executor::configured()?.service("nightly").state(files).run().await?;
    Ok(())
}
