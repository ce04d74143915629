//! The schema: created once, by the first node, and not changed by an older release.

use std::{collections::BTreeSet, time::Duration};

use fastjob_postgres::Postgres as Server;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::task::JoinSet;

use super::{super::migrate::migrate, Fresh, Postgres, run};
use crate::{
    config::PostgresUrl,
    store::{Error, LoadStore, suite::Home},
};

/// More than it can take unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn many_nodes_may_open_a_new_database_at_once() {
    let database = Server::shared().fresh().await;
    let mut nodes = JoinSet::new();
    for _ in 0..8 {
        let url = database.url().parse().unwrap();
        nodes.spawn(async move { Postgres::open(&url).await.unwrap().facts().await.unwrap() });
    }
    let facts: Vec<_> = nodes.join_all().await;
    let names: BTreeSet<_> = facts.iter().map(|facts| &facts.cluster).collect();
    assert_eq!((facts.len(), names.len()), (8, 1), "they share one store: {names:?}");
}

#[tokio::test]
async fn a_store_of_a_newer_release_is_not_changed() {
    let home = Fresh::fresh().await;
    home.run(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9999, 'later', true, '\\x00', 0)",
    )
    .await;
    let newer = Postgres::open(&home.database.url().parse().unwrap()).await;
    let Err(Error::Newer { path, found: 9999, .. }) = newer.map(drop) else {
        panic!("it was opened");
    };
    assert!(path.starts_with("postgres://127.0.0.1:"), "{path}");
}

#[tokio::test]
async fn a_schema_that_was_changed_by_hand_is_not_changed() {
    let home = Fresh::fresh().await;
    home.run("update _sqlx_migrations set checksum = '\\x00'").await;
    let changed = Postgres::open(&home.database.url().parse().unwrap()).await.map(drop);
    let said = changed.unwrap_err().to_string();
    assert!(said.contains("its schema 100 differs"), "{said}");
}

#[tokio::test]
async fn an_up_to_date_schema_does_not_wait() {
    let home = Fresh::fresh().await;
    let mut hanging = PgConnection::connect(home.database.url()).await.unwrap();
    let mut tx = hanging.begin().await.unwrap();
    let held = "select one from fastjob_migrating for update";
    assert_eq!(sqlx::query(held).fetch_all(&mut *tx).await.unwrap().len(), 1);
    let opened = tokio::time::timeout(PATIENCE, home.another()).await;
    opened.expect("it does not wait").facts().await.unwrap();
}

#[tokio::test]
async fn a_long_wait_for_a_schema_change_ends_with_a_hint() {
    let home = Fresh::fresh().await;
    home.run("delete from _sqlx_migrations").await;
    let mut hanging = PgConnection::connect(home.database.url()).await.unwrap();
    let mut tx = hanging.begin().await.unwrap();
    let held = "select one from fastjob_migrating for update";
    sqlx::query(held).execute(&mut *tx).await.unwrap();
    let url: PostgresUrl = home.database.url().parse().unwrap();
    let mut connection = url.options().connect().await.unwrap();
    let wait = Duration::from_millis(200);
    let refused =
        tokio::time::timeout(PATIENCE, migrate("it", &mut connection, url.options(), wait)).await;
    let said = refused.expect("it does not wait forever").unwrap_err().to_string();
    assert!(said.contains("another node has been changing its schema"), "{said}");
    assert!(said.contains("end it if it hangs"), "{said}");
}

#[tokio::test]
async fn nodes_that_run_write_while_a_schema_change_waits_for_a_backup() {
    let home = Fresh::fresh().await;
    home.run(
        "alter table tasks drop column trace; alter table child_starts drop column trace; \
         delete from _sqlx_migrations where version = 102",
    )
    .await;
    let mut backup = PgConnection::connect(home.database.url()).await.unwrap();
    let mut tx = backup.begin().await.unwrap();
    sqlx::query("lock table tasks in access share mode").execute(&mut *tx).await.unwrap();
    let url: PostgresUrl = home.database.url().parse().unwrap();
    let node = tokio::spawn(async move {
        let mut connection = url.options().connect().await.unwrap();
        migrate("it", &mut connection, url.options(), PATIENCE).await
    });
    // Long enough for the change to be attempted twice.
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        home.run("set lock_timeout = '5s'; update tasks set note = note where id < 0").await;
    }
    assert!(!node.is_finished());
    tx.rollback().await.unwrap();
    let changed = tokio::time::timeout(PATIENCE, node).await;
    changed.expect("it is tried again").unwrap().unwrap();
    home.another().await.facts().await.unwrap();
}

#[tokio::test]
async fn no_advisory_lock_is_taken() {
    let database = Server::shared().fresh().await;
    run(
        database.url(),
        "create function pg_temp.nothing() returns void language sql as ''; \
         create function public.pg_advisory_lock(bigint) returns void language plpgsql as \
         $$ begin raise exception 'no such thing here'; end $$; \
         do $$ begin execute format('alter database %I set search_path = public, pg_catalog', \
         current_database()); end $$",
    )
    .await;
    Postgres::open(&database.url().parse().unwrap()).await.unwrap();
}

/// Some wire-compatible databases use 64 bits for `integer`.
#[test]
fn whole_numbers_have_their_width_in_their_name() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let sql = std::fs::read_to_string(&path).unwrap();
        let mut words = sql.split(|c: char| !c.is_alphanumeric());
        assert!(!words.any(|word| ["int", "integer"].contains(&word)), "{}", path.display());
    }
}

#[test]
fn a_coordinator_can_be_opened_by_a_task() {
    fn is_sent(_: impl Send) {}
    is_sent(crate::Coordinator::builder().bind());
}

#[tokio::test]
async fn a_store_of_a_development_version_is_not_changed() {
    let database = Server::shared().fresh().await;
    run(
        database.url(),
        "create table _sqlx_migrations (version bigint primary key, description text, \
         installed_on timestamptz default now(), success boolean, checksum bytea, \
         execution_time bigint); \
         insert into _sqlx_migrations values (1, 'first', now(), true, '\\x00', 0)",
    )
    .await;
    let old = Postgres::open(&database.url().parse().unwrap()).await.map(drop).unwrap_err();
    assert!(matches!(old, Error::TooOld { found: 1, .. }), "{old}");
    assert!(old.to_string().contains("use a new store"), "{old}");
}
