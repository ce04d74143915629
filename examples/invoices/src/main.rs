//! A service with a database of its own: callers order invoices over HTTP, and a job issues each of
//! them once, wherever a process is killed.
//!
//! `web` starts the job, `issue` is the job. docs/examples/invoices.md shows how to run it.

mod issue;
mod web;

use std::{env, time::Duration};

use anyhow::Context as _;
use fastjob_client::ClientBuilder;
use fastjob_executor::{Executor, stop_on_signal};
use sqlx::PgPool;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let database = env::var("DATABASE_URL")
        .context("set DATABASE_URL, such as postgres://user@127.0.0.1/invoices")?;
    let db = PgPool::connect(&database).await.context("could not connect to the database")?;
    sqlx::migrate!().run(&db).await.context("could not create the tables")?;

    // Both read their settings from FASTJOB_… variables. A caller waits while the client repeats a
    // start, so it gives up earlier than by default.
    let client = ClientBuilder::from_env()?.retry_for(Duration::from_secs(10)).build()?;
    let executor = Executor::configured()?.service("invoices").state(db.clone()).build()?;

    let listen = env::var("INVOICES_LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&listen)
        .await
        .with_context(|| format!("could not listen on {listen}"))?;

    // At SIGTERM, open requests are answered and running handlers finish. If one of the two parts
    // fails, the other one stops, too.
    let stop = stop_on_signal()?;
    let serving = async {
        let _stops_both = stop.clone().drop_guard();
        let web = axum::serve(listener, web::routes(client, db));
        web.with_graceful_shutdown(stop.clone().cancelled_owned()).await
    };
    let executing = async {
        let _stops_both = stop.clone().drop_guard();
        executor.run_until(stop.clone()).await
    };
    let (served, executed) = tokio::join!(serving, executing);
    served?;
    Ok(executed?)
}
