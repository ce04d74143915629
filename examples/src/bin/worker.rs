//! An executor for a cluster: its coordinators, its name and all else come from the environment.
//!
//! ```text
//! FASTJOB_ADMIN_ADDRESSES=http://127.0.0.1:7071 FASTJOB_EXECUTOR_NAME=e1 cargo run --bin worker
//! ```
//!
//! It is told of one coordinator and learns the others from it. `scripts/cluster` starts two.

use std::{io::IsTerminal as _, process::ExitCode, time::Duration};

use fastjob_executor::prelude::*;

/// Fires every second, wherever its partition is held by then.
#[job("heartbeat", cron = "* * * * * ?")]
async fn heartbeat(ctx: &JobContext) -> JobResult {
    ctx.log(format_args!("the fire of {:?}", ctx.fire_at()));
    Ok("alive".into())
}

/// Takes ten seconds: long enough to kill a coordinator meanwhile.
#[job("long")]
async fn long(ctx: &JobContext) -> JobResult {
    for second in 1..=10 {
        ctx.progress(second, 10, "seconds");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok("ten seconds".into())
}

#[tokio::main]
async fn main() -> ExitCode {
    let colours = std::io::stdout().is_terminal();
    tracing_subscriber::fmt().with_target(false).with_ansi(colours).init();
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let signals = async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stopping.cancel();
        }
    };
    let running = async {
        let done = Executor::configured()?.run(stop.clone()).await;
        stop.cancel();
        done
    };
    tokio::select! {
        done = running => match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(err) => {
                eprintln!("error: {err}");
                ExitCode::FAILURE
            }
        },
        () = async { signals.await; std::future::pending::<()>().await } => ExitCode::SUCCESS,
    }
}
