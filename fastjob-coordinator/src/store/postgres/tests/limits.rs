//! What can block a store: other transactions, paused nodes, silently cut connections.

use std::{future::pending, net::SocketAddr, time::Duration};

use fastjob_postgres::Postgres as Server;
use sqlx::{Connection, PgConnection};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{Fresh, Postgres, id, moves_to, node, watermark};
use crate::store::{
    Alive, ClusterStore, Commit, CommitStore, Error, JobStore, Lease, LoadStore, Partition,
    TaskStore,
    suite::{
        Home,
        rows::{alarm, at, base, head, plan},
    },
};

const LEASE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_transaction_aborted_by_a_conflict_is_retried() {
    let home = Fresh::fresh().await;
    home.run(
        "create sequence tries; \
         create function give_way() returns trigger language plpgsql as $$ begin \
         if nextval('tries') < 5 then raise 'not now' using errcode = '40001'; end if; \
         return new; end $$; \
         create trigger give_way before insert on journal \
         for each row execute function give_way()",
    )
    .await;
    home.store.commit(&[base(), plan([head(10)])]).await.unwrap();
    assert!(home.store.task(fastjob_core::TaskId(10)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_transaction_that_is_always_aborted_is_reported() {
    let home = Fresh::fresh().await;
    home.run(
        "create function give_way() returns trigger language plpgsql as $$ begin \
         raise 'never' using errcode = '40P01'; end $$; \
         create trigger give_way before insert on journal \
         for each row execute function give_way()",
    )
    .await;
    let refused = home.store.commit(&[base(), plan([head(10)])]).await;
    assert!(matches!(refused, Err(Error::Database { .. })), "{refused:?}");
    home.run("drop trigger give_way on journal").await;
    home.store.commit(&[base(), plan([head(10)])]).await.unwrap();
}

#[tokio::test]
async fn two_transactions_in_a_deadlock_both_succeed() {
    let home = Fresh::fresh().await;
    // Long enough for this test to complete the cycle before the database looks for one.
    home.run(
        "do $$ begin execute format('alter database %I set deadlock_timeout = ''3s''', \
         current_database()); end $$",
    )
    .await;
    let mut other = PgConnection::connect(home.database.url()).await.unwrap();
    sqlx::query("set deadlock_timeout = '10min'").execute(&mut other).await.unwrap();
    let mut tx = other.begin().await.unwrap();
    let alarms = "update counters set value = value where name = 'alarms'";
    sqlx::query(alarms).execute(&mut *tx).await.unwrap();
    let commit = Commit {
        alarms: vec![alarm(1, None, crate::store::AlarmKind::Failed)],
        ..moves_to(Lease::default(), 5)
    };
    let store = std::sync::Arc::clone(&home.store);
    let commit = tokio::spawn(async move { store.commit(&[commit]).await });
    let mut watcher = PgConnection::connect(home.database.url()).await.unwrap();
    let waits = "select exists (select 1 from pg_stat_activity \
                 where datname = current_database() and wait_event_type = 'Lock')";
    while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut watcher).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let partition = "update partitions set clock = 1 where partition = 0";
    sqlx::query(partition).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    commit.await.unwrap().unwrap();
    assert_eq!(watermark(&home.store, 0).await, Some(at(5)));
}

#[tokio::test]
async fn rows_locked_by_a_paused_node_do_not_block_the_leases() {
    let home = Fresh::fresh().await;
    let store = &home.store;
    store.beat(&node("a"), LEASE).await.unwrap();
    store.beat(&node("gone"), LEASE).await.unwrap();
    let held = store.acquire(&id("a"), Partition(6)).await.unwrap().unwrap();
    home.run("update nodes set until = clock_timestamp() - interval '2 days' where id = 'gone'")
        .await;
    // A connection that the database does not terminate.
    let mut paused = PgConnection::connect(home.database.url()).await.unwrap();
    let mut tx = paused.begin().await.unwrap();
    for statement in [
        "update partitions set clock = 1 where partition in (6, 7)",
        "update nodes set address = '' where id = 'gone'",
    ] {
        sqlx::query(statement).execute(&mut *tx).await.unwrap();
    }
    store.beat(&node("a"), LEASE).await.unwrap();
    assert_eq!(store.acquire(&id("a"), Partition(7)).await.unwrap(), None, "it is locked");
    assert!(store.acquire(&id("a"), Partition(8)).await.unwrap().is_some());
    store.release(&id("a"), held).await.unwrap_err();
    let view = store.beat(&node("a"), LEASE).await.unwrap();
    assert_eq!(view.partitions[6].holder, Some((id("a"), Alive::Yes)), "it was not released");
    store.leave(&id("a")).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(store.beat(&node("b"), LEASE).await.unwrap().nodes, [node("b")]);
    for partition in [6, 7, 8].map(Partition) {
        assert!(store.acquire(&id("b"), partition).await.unwrap().is_some(), "{partition:?}");
    }
}

#[tokio::test]
async fn reading_locked_rows_does_not_wait_forever() {
    let home = Fresh::fresh().await;
    let mut other = PgConnection::connect(home.database.url()).await.unwrap();
    let mut tx = other.begin().await.unwrap();
    sqlx::query("lock table jobs in access exclusive mode").execute(&mut *tx).await.unwrap();
    let store = &home.store;
    let (list, changed, loaded) =
        tokio::join!(store.jobs(None, 1, 1), store.parents_of(&[], 1), store.load(Partition(0)),);
    assert!(list.is_err() && changed.is_err() && loaded.is_err(), "{list:?} {changed:?}");
    tx.rollback().await.unwrap();
    assert_eq!(store.jobs(None, 1, 1).await.unwrap().jobs, []);
    store.load(Partition(0)).await.unwrap();
}

/// A proxy to the database. On request, all its connections go silent without being closed.
async fn link(to: SocketAddr) -> (SocketAddr, watch::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (cut, silent) = watch::channel(());
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut silent = silent.clone();
            silent.mark_unchanged();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(to).await.unwrap();
                tokio::select! {
                    biased;
                    Ok(()) = silent.changed() => pending().await,
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                }
            });
        }
    });
    (address, cut)
}

#[tokio::test]
async fn a_silently_cut_connection_is_replaced() {
    let database = Server::shared().fresh().await;
    let server = Server::shared().address();
    let (address, cut) = link(server).await;
    let url = database.url().replace(&server.to_string(), &address.to_string());
    assert_ne!(url, database.url());
    let store = Postgres::open(&url.parse().unwrap()).await.unwrap();
    store.beat(&node("a"), LEASE).await.unwrap();
    store.commit(&[moves_to(Lease::default(), 1)]).await.unwrap();
    assert_eq!(store.jobs(None, 1, 1).await.unwrap().jobs, []);
    cut.send(()).unwrap();
    store.writer.age().await;
    store.beats.age().await;
    store.beat(&node("a"), LEASE).await.unwrap();
    store.commit(&[moves_to(Lease::default(), 2)]).await.unwrap();
    assert_eq!(watermark(&store, 0).await, Some(at(2)));
}

#[tokio::test]
async fn a_stricter_default_isolation_level_is_overridden() {
    let home = Fresh::fresh().await;
    home.run(
        "do $$ begin execute format('alter database %I \
         set default_transaction_isolation = ''serializable''', current_database()); end $$",
    )
    .await;
    let mut writer = home.store.writer.connect().await.unwrap();
    let level = "select current_setting('transaction_isolation')";
    let level: String = sqlx::query_scalar(level).fetch_one(&mut writer).await.unwrap();
    assert_eq!(level, "read committed");
}

#[tokio::test]
async fn the_address_may_name_the_application() {
    let database = Server::shared().fresh().await;
    for (option, name) in [("", "fastjob"), ("&application_name=billing", "billing")] {
        let url = format!("{}{option}", database.url());
        let store = Postgres::open(&url.parse().unwrap()).await.unwrap();
        let mut writer = store.writer.connect().await.unwrap();
        let shown: String = sqlx::query_scalar("select current_setting('application_name')")
            .fetch_one(&mut writer)
            .await
            .unwrap();
        assert_eq!(shown, name);
    }
}
