//! A service that brings its own scheduler: the coordinator, with its store in SQLite, two executors
//! and the service's own HTTP API are one process, which needs nothing else.
//!
//! `web` starts the jobs, `jobs` has them, `mail` writes mails. docs/examples/reminders.md shows how
//! to run it.

mod jobs;
mod mail;
mod web;

use std::{env, path::PathBuf};

use anyhow::Context as _;
use fastjob_coordinator::{CancellationToken, Config, Coordinator};
use fastjob_executor::{Executor, ExecutorError, stop_on_signal};
use tokio::net::TcpListener;

use self::mail::Maildir;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let folder = env::var_os("REMINDERS_FOLDER").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| "fastjob-data/reminders".into());
    let mails =
        Maildir::open(folder.join("mails")).context("could not create the mails' folder")?;

    // FASTJOB_LISTEN, FASTJOB_TOKEN and so on, as for `fastjob serve`.
    let config = Config::load(None, |name| env::var(name).ok())?;
    let store = folder.join("fastjob.db");
    let coordinator = Coordinator::builder().config(config).sqlite(store).bind().await?;
    let address = format!("http://{}", coordinator.local_addr());

    let listen = env::var("REMINDERS_LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&listen)
        .await
        .with_context(|| format!("could not listen on {listen}"))?;
    let web = axum::serve(listener, web::routes(coordinator.handle()));
    tracing::info!("reminders at http://{listen}/reminders, the console at {address}/console/");

    // The name of an executor stays the same, so that a restart is known as one.
    let executor = |service: &str, capacity: u32| -> Result<Executor, ExecutorError> {
        Executor::configured()?
            .service(service)
            .executor_name("reminders")
            .coordinators([&*address])
            .log_path(folder.join(service))
            .capacity(capacity)
            .state(mails.clone())
            .build()
    };
    // A flood of reminders does not delay the digest: it has an executor of its own.
    let (mailing, digesting) = (executor("mail", 100)?, executor("digest", 1)?);

    // First, the API answers its last requests, and the executors let their handlers finish. The
    // coordinator is the last to stop, so that it records their outcomes.
    let (stop, last) = (stop_on_signal()?, CancellationToken::new());
    let parts = async {
        let parts = tokio::join!(
            ends_all(
                &stop,
                web.with_graceful_shutdown(stop.clone().cancelled_owned()).into_future()
            ),
            ends_all(&stop, mailing.run_until(stop.clone())),
            ends_all(&stop, digesting.run_until(stop.clone())),
        );
        last.cancel();
        parts
    };
    let coordinating = ends_all(&stop, coordinator.run(last.clone()));
    let ((served, mailed, digested), coordinated) = tokio::join!(parts, coordinating);
    coordinated?;
    served?;
    mailed?;
    Ok(digested?)
}

/// Runs one part of the process. When it ends, whether at a signal or with an error, so do the others.
async fn ends_all<T>(stop: &CancellationToken, part: impl Future<Output = T>) -> T {
    let _ends_all = stop.clone().drop_guard();
    part.await
}
