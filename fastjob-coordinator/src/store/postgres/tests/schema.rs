//! The schema: made once, by whoever is first, and left alone by an older release.

use std::collections::BTreeSet;

use fastjob_postgres::Postgres as Server;
use tokio::task::JoinSet;

use super::{Fresh, Postgres, run};
use crate::store::{Error, LoadStore, suite::Home};

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
async fn a_store_of_a_newer_release_is_left_alone() {
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
async fn a_schema_that_was_changed_by_hand_is_left_alone() {
    let home = Fresh::fresh().await;
    home.run("update _sqlx_migrations set checksum = '\\x00'").await;
    let changed = Postgres::open(&home.database.url().parse().unwrap()).await.map(drop);
    let said = changed.unwrap_err().to_string();
    assert!(said.contains("its schema 1 is not the one"), "{said}");
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

#[test]
fn a_coordinator_can_be_opened_by_a_task() {
    fn is_sent(_: impl Send) {}
    is_sent(crate::Coordinator::builder().bind());
}
/// To some databases that speak the protocol, `integer` is what `bigint` is here.
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
