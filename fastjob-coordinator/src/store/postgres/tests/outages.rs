//! A database that is down: it is reported clearly, and found again.

use std::{
    error::Error as _,
    time::{Duration, Instant},
};

use fastjob_postgres::Postgres as Server;
use sqlx::{Connection, PgConnection};

use super::{Fresh, Postgres, id, moves_to, node, watermark};
use crate::store::{
    ClusterStore, CommitStore, Error, JobStore, Lease, Partition,
    suite::{Home, rows::at},
};

const LEASE: Duration = Duration::from_secs(60);

async fn refused(url: &str) -> String {
    Postgres::open(&url.parse().unwrap()).await.map(drop).unwrap_err().to_string()
}

#[tokio::test]
async fn a_failure_to_open_is_reported_without_the_password() {
    let closed = "postgres://u:secret@127.0.0.1:1/db";
    let said = refused(closed).await;
    assert!(said.starts_with("could not open the store postgres://127.0.0.1:1/db: "), "{said}");
    assert!(said.contains("refused") && !said.contains("secret"), "{said}");
    let unknown = Server::shared().url("nowhere");
    let said = refused(&unknown).await;
    assert!(said.contains("database \"nowhere\" does not exist"), "{said}");
    let plain = Server::shared().url("postgres").replace("disable", "require");
    let said = refused(&plain).await;
    assert!(said.contains("TLS"), "{said}");
}

#[tokio::test]
async fn an_unresponsive_database_is_not_waited_for() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let began = Instant::now();
    let said = refused(&format!("postgres://u@127.0.0.1:{port}/db?sslmode=disable")).await;
    assert!(said.contains("it does not respond"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_database_that_comes_back_is_found() {
    let mut server = Server::start().await;
    let url = server.database("store").await;
    let store = Postgres::open(&url.parse().unwrap()).await.unwrap();
    store.beat(&node("a"), LEASE).await.unwrap();
    let lease = store.acquire(&id("a"), Partition(0)).await.unwrap().unwrap();
    store.commit(&[moves_to(lease, 1)]).await.unwrap();
    assert_eq!(store.jobs(None, 1, 1).await.unwrap().jobs, []);
    for (round, kill) in [(2, false), (4, true)] {
        if kill {
            server.kill();
        } else {
            server.stop();
        }
        for _ in 0..2 {
            let away = store.commit(&[moves_to(lease, round)]).await.unwrap_err();
            assert!(matches!(away, Error::Database { .. }), "{away:?}");
            assert!(away.source().is_some(), "{away}");
        }
        store.beat(&node("a"), LEASE).await.unwrap_err();
        server.up().await;
        // The writer retries it.
        store.commit(&[moves_to(lease, round)]).await.unwrap();
        store.commit(&[moves_to(lease, round)]).await.unwrap();
        store.beat(&node("a"), LEASE).await.unwrap();
        assert_eq!(watermark(&store, 0).await, Some(at(round)));
    }
}

#[tokio::test]
async fn a_commit_whose_connection_breaks_succeeds_the_next_time() {
    let home = Fresh::fresh().await;
    let commit = [moves_to(Lease::default(), 1)];
    home.store.commit(&commit).await.unwrap();
    home.run(
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .await;
    home.store.commit(&commit).await.unwrap_err();
    home.store.commit(&commit).await.unwrap();
    // Readers check that their connections are alive.
    assert_eq!(watermark(&home.store, 0).await, Some(at(1)));
}

#[tokio::test]
async fn a_node_that_goes_silent_in_a_transaction_blocks_others_only_briefly() {
    let home = Fresh::fresh().await;
    let mut paused = home.store.writer.connect().await.unwrap();
    let mut tx = paused.begin().await.unwrap();
    sqlx::query("update partitions set clock = 1").execute(&mut *tx).await.unwrap();
    home.store.beat(&node("b"), LEASE).await.unwrap();
    let ended =
        async { while home.store.acquire(&id("b"), Partition(0)).await.unwrap().is_none() {} };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the database ends it");
    tx.commit().await.unwrap_err();
}

#[tokio::test]
async fn the_settings_of_the_writer_are_supported() {
    let home = Fresh::fresh().await;
    let mut writer = home.store.writer.connect().await.unwrap();
    for (name, value) in [
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("idle_in_transaction_session_timeout", "2s"),
        ("statement_timeout", "30s"),
        ("lock_timeout", "10s"),
        ("synchronous_commit", "on"),
    ] {
        let set: String = sqlx::query_scalar("select current_setting($1)")
            .bind(name)
            .fetch_one(&mut writer)
            .await
            .unwrap();
        assert_eq!(set, value, "{name}");
    }
    // An unknown setting does no harm.
    let mut other = PgConnection::connect(home.database.url()).await.unwrap();
    super::super::set(&mut other, &["set no_such_thing = 1", "set jit = off"]).await.unwrap();
    let jit: String = sqlx::query_scalar("show jit").fetch_one(&mut other).await.unwrap();
    assert_eq!(jit, "off");
}
