//! A process that embeds a coordinator and two executors, and drains all of them on SIGTERM. Takes the
//! arguments of `fastjob serve` that the tests give.

use std::{error::Error, io::Write, time::Duration};

use fastjob_coordinator::{CancellationToken, Coordinator};
use fastjob_executor::{prelude::*, stop_on_signal};
use tokio::task::JoinSet;

/// Takes some milliseconds, and records in a file, which survives a kill, that it has started.
#[job("embedded")]
async fn embedded(ctx: &JobContext) -> JobResult {
    let line = format!("{} {}\n", std::process::id(), ctx.attempt_id());
    let path = std::env::var("TEST_RECORDS")?;
    std::fs::File::options().create(true).append(true).open(path)?.write_all(line.as_bytes())?;
    tokio::time::sleep(Duration::from_millis(30)).await;
    Ok("done".into())
}

fn argument(name: &str) -> Result<String, String> {
    let mut args = std::env::args().skip_while(|arg| arg != name);
    args.nth(1).ok_or(format!("{name} is missing"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let coordinator = Coordinator::builder()
        .listen(argument("--listen")?.parse()?)
        .store(argument("--store")?.parse()?)
        .bind()
        .await?;
    let address = format!("http://{}", coordinator.local_addr());
    let stop = stop_on_signal()?;
    // The executors stop first, so that the coordinator still receives their last reports.
    let last = CancellationToken::new();
    let coordinating = tokio::spawn(coordinator.run(last.clone()));
    let mut executors = JoinSet::new();
    for name in ["e1", "e2"] {
        let executor = Executor::builder("default")
            .executor_name(name)
            .coordinators([address.clone()])
            .log_path(format!("{name}-logs"))
            .run_until(stop.clone());
        executors.spawn(executor);
    }
    while let Some(executed) = executors.join_next().await {
        executed??;
    }
    last.cancel();
    Ok(coordinating.await??)
}
