//! All of FastJob in one process: a coordinator with its store, and an executor with handlers of
//! every kind.
//!
//! `cargo run --profile quick --bin quickstart`, and Ctrl-C to stop.

#[path = "quickstart/handlers.rs"]
mod handlers;
#[path = "quickstart/show.rs"]
mod show;

use std::{
    error::Error,
    io::IsTerminal as _,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    pin::pin,
    process::ExitCode,
};

use fastjob_client::{Client, types::JobDraft};
use fastjob_coordinator::{CancellationToken, Coordinator};
use fastjob_examples::{example, say};
use fastjob_executor::{CommandEntry, Executor, stop_on_signal};
use serde_json::json;
use tracing_subscriber::EnvFilter;

const SERVICE: &str = "quickstart";
const DATA: &str = "fastjob-data/quickstart";

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("quickstart.rs"), run()).await
}

async fn run() -> Result<(), Box<dyn Error>> {
    log();
    let listen = match std::env::var("FASTJOB_LISTEN") {
        Ok(text) => text.parse().map_err(|err| format!("FASTJOB_LISTEN: `{text}`: {err}"))?,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 7070)),
    };
    let data = Path::new(DATA);
    let coordinator =
        Coordinator::builder().listen(listen).sqlite(data.join("fastjob.db")).bind().await?;
    let address = coordinator.local_addr();
    let stop = stop_on_signal()?;

    // The coordinator stops last, so that it still receives the executor's last reports.
    let last = CancellationToken::new();
    let mut coordinating = tokio::spawn(coordinator.run(last.clone()));
    let mut executing = pin!(
        Executor::builder(SERVICE)
            .coordinators([format!("http://{address}")])
            .allow_commands([CommandEntry::program("uname", "/bin/uname").args(["-srm"])])
            .allow_http([address.to_string()])
            .log_path(data.join("logs"))
            .run_until(stop.clone())
    );
    let showing = async {
        let client = Client::builder(format!("http://{address}")).build()?;
        declare(&client).await?;
        show::start(address, data)?;
        show::outcomes(&client).await
    };
    let ended = tokio::select! {
        ended = &mut executing => ended.map_err(Into::into),
        ended = showing => {
            // Usually a closed standard output: stop gracefully.
            stop.cancel();
            ended.and(executing.await.map_err(Into::into))
        }
        ended = &mut coordinating => return Ok(ended??),
    };
    last.cancel();
    coordinating.await??;
    ended?;
    Ok(say(format_args!("stopped; the task history is kept in {DATA}"))?)
}

/// Creates jobs for the built-in handlers; those in `handlers` have default jobs.
async fn declare(client: &Client) -> Result<(), Box<dyn Error>> {
    let url = format!("{}/healthz", client.server());
    let jobs = [
        json!({
            "name": "health",
            "service": SERVICE,
            "handler": "httpJobHandler",
            "param": { "url": url, "timeout": "2s" },
            "schedule": { "fixed_rate": "5s" },
        }),
        json!({
            "name": "uname",
            "service": SERVICE,
            "handler": "commandJobHandler",
            "param": "uname -srm",
            "schedule": { "fixed_delay": "12s" },
        }),
    ];
    for job in jobs {
        let draft: JobDraft = serde_json::from_value(job)?;
        client.job(format!("{SERVICE}.{}", draft.name)).save(&draft).await?;
    }
    Ok(())
}

/// Logs warnings to the terminal; FASTJOB_LOG=info logs more.
fn log() {
    let level = std::env::var("FASTJOB_LOG").unwrap_or_else(|_| "warn".to_owned());
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
