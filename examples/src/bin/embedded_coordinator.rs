//! A coordinator embedded in another service: one process, which starts and stops as a whole.
//!
//! The service counts its visitors on port 8080, and a job reports the count:
//!
//! ```text
//! cargo run --bin embedded_coordinator
//! curl http://127.0.0.1:8080
//! cargo run --bin fastjob -- task list --job visitors
//! ```

use std::{
    error::Error,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fastjob_coordinator::{CancellationToken, Coordinator};
use fastjob_examples::{example, say};
use fastjob_executor::{prelude::*, stop_on_signal};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// Reports how many visitors there were.
#[job("visitors", cron = "0/10 * * * * ?")]
struct Visitors(Arc<AtomicU64>);

impl JobHandler for Visitors {
    async fn execute(&self, _: &JobContext) -> JobResult {
        Ok(format!("{} visitors so far", self.0.load(Ordering::Relaxed)).into())
    }
}

/// The service itself.
async fn serve(listener: TcpListener, count: Arc<AtomicU64>) -> std::io::Result<()> {
    loop {
        let (mut visitor, _) = listener.accept().await?;
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::spawn(async move {
            let mut request = [0; 1024];
            if visitor.read(&mut request).await? == 0 {
                return Ok(()); // already disconnected
            }
            let body = format!("You are visitor {number}.\n");
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", body.len());
            visitor.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes()).await
        });
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("embedded_coordinator.rs"), run()).await
}

async fn run() -> Result<(), Box<dyn Error>> {
    let count = Arc::new(AtomicU64::new(0));
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    let coordinator = Coordinator::builder().sqlite("fastjob-data/visitors.db").bind().await?;
    let address = format!("http://{}", coordinator.local_addr());
    say(format_args!(
        "visit http://127.0.0.1:8080; the coordinator is at {address}; Ctrl-C stops"
    ))?;

    let stop = stop_on_signal()?;
    // The executor stops first, so that the coordinator still receives its last reports.
    let last = CancellationToken::new();
    let coordinating = tokio::spawn(coordinator.run(last.clone()));
    let executor = Executor::builder("visits")
        .coordinators([address])
        .log_path("fastjob-data/visits-logs")
        .handler(Visitors(Arc::clone(&count)));
    let executing = async {
        let executed = executor.run_until(stop.clone()).await;
        stop.cancel();
        executed
    };
    let serving = async {
        let served = stop.run_until_cancelled(serve(listener, count)).await;
        // If the server has failed, the executor still drains.
        stop.cancel();
        served.unwrap_or(Ok(()))
    };
    let (executed, served) = tokio::join!(executing, serving);
    last.cancel();
    coordinating.await??;
    executed?;
    Ok(served?)
}
