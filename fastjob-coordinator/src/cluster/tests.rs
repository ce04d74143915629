//! Leases while the clock of a real database is changed.

use std::{sync::Arc, time::Duration};

use fastjob_postgres::{Database, Postgres as Server};
use sqlx::{Connection, PgConnection};

use super::{keeper::node, observer::Observer};
use crate::{
    clock::{Clock, Witness},
    store::{Alive, ClusterStore, ClusterView, Lease, NodeRow, Partition, postgres::Postgres},
};

/// Long enough for a few looks.
const LEASE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(1);

/// A database whose clock a test sets, with a function that shadows the real one.
struct Stepped(Database);

impl Stepped {
    async fn new() -> Self {
        let database = Server::shared().fresh().await;
        // Create the schema first, before the search path changes.
        drop(Postgres::open(&database.url().parse().unwrap()).await.unwrap());
        let stepped = Self(database);
        stepped
            .run(
                "create schema stepped; \
                 create table stepped.clock (ahead interval not null); \
                 insert into stepped.clock values ('0'); \
                 create function stepped.clock_timestamp() returns timestamptz language sql \
                 volatile as 'select pg_catalog.clock_timestamp() + ahead from stepped.clock'; \
                 do $$ begin execute format('alter database %I set search_path = \
                 stepped, pg_catalog, public', current_database()); end $$",
            )
            .await;
        stepped
    }

    async fn node(&self) -> (Arc<Postgres>, NodeRow) {
        let store = Postgres::open(&self.0.url().parse().unwrap()).await.unwrap();
        (Arc::new(store), node("http://127.0.0.1:1".to_owned()))
    }

    async fn run(&self, statement: &'static str) {
        let mut connection = PgConnection::connect(self.0.url()).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// Sends a heartbeat, and checks the answer as the heartbeat loop does.
async fn beat(
    (store, me): &(Arc<Postgres>, NodeRow),
    lease: Duration,
    observer: &mut Observer,
    clock: &Clock,
) -> (ClusterView, ClusterView, super::observer::Observed) {
    let sent = clock.elapsed();
    let raw = store.beat(me, lease).await.unwrap();
    let mut view = raw.clone();
    let observed = observer.look(&mut view, sent, clock.elapsed());
    (raw, view, observed)
}

fn holder(view: &ClusterView) -> Option<Alive> {
    view.partitions[5].holder.as_ref().map(|(_, alive)| *alive)
}

#[tokio::test]
async fn a_database_whose_clock_is_set_forward_does_not_end_the_lease_of_a_node_that_is_alive() {
    let database = Stepped::new().await;
    let (a, b) = (database.node().await, database.node().await);
    let clock = Clock::start(Witness::Database);
    let mut observer = Observer::new(LEASE);
    a.0.beat(&a.1, LEASE).await.unwrap();
    let held = a.0.acquire(&a.1.id, Partition(5)).await.unwrap().unwrap();
    let (_, seen, observed) = beat(&b, LEASE, &mut observer, &clock).await;
    assert_eq!((holder(&seen), observed.step), (Some(Alive::Yes), None));
    database.run("update stepped.clock set ahead = '1 hour'").await;
    let (raw, seen, observed) = beat(&b, LEASE, &mut observer, &clock).await;
    let minutes = observed.step.unwrap().as_mins();
    assert!((59..=60).contains(&minutes), "{observed:?}");
    assert_eq!(holder(&raw), Some(Alive::No), "the database alone would allow a takeover");
    assert_eq!(holder(&seen), Some(Alive::Yes));
    // It sends a heartbeat by the new clock, and keeps its partitions.
    a.0.beat(&a.1, LEASE).await.unwrap();
    let (raw, ..) = beat(&b, LEASE, &mut observer, &clock).await;
    assert_eq!(raw.partitions[5].lease, held);
    assert_eq!(holder(&raw), Some(Alive::Yes));
    assert_eq!(b.0.acquire(&b.1.id, Partition(5)).await.unwrap(), None);
}

#[tokio::test]
async fn a_database_whose_clock_is_set_back_does_not_keep_the_partitions_of_a_dead_node() {
    let database = Stepped::new().await;
    let (a, b) = (database.node().await, database.node().await);
    let clock = Clock::start(Witness::Database);
    let mut observer = Observer::new(SHORT);
    a.0.beat(&a.1, SHORT).await.unwrap();
    let held = a.0.acquire(&a.1.id, Partition(5)).await.unwrap().unwrap();
    beat(&b, SHORT, &mut observer, &clock).await;
    database.run("update stepped.clock set ahead = '-1 hour'").await;
    let silent = loop {
        let (raw, _, observed) = beat(&b, SHORT, &mut observer, &clock).await;
        assert_eq!(holder(&raw), Some(Alive::Yes), "the database considers it alive for an hour");
        if let [silent] = &observed.silent[..] {
            break silent.clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(silent.node, a.1.id);
    b.0.forget(&silent).await.unwrap();
    let taken = b.0.acquire(&b.1.id, Partition(5)).await.unwrap().unwrap();
    assert!(taken.term > held.term, "{taken:?}");
}

#[tokio::test]
async fn a_node_that_has_sent_a_heartbeat_since_is_not_considered_dead() {
    let database = Stepped::new().await;
    let (a, b) = (database.node().await, database.node().await);
    let view = a.0.beat(&a.1, LEASE).await.unwrap();
    a.0.acquire(&a.1.id, Partition(5)).await.unwrap().unwrap();
    a.0.beat(&a.1, LEASE).await.unwrap();
    b.0.forget(&view.until[0]).await.unwrap();
    assert_eq!(b.0.acquire(&b.1.id, Partition(5)).await.unwrap(), None);
}

#[tokio::test]
async fn a_machine_whose_clock_is_ahead_uses_the_databases_clock() {
    let database = Stepped::new().await;
    database.run("update stepped.clock set ahead = '-1 hour'").await;
    let (store, me) = database.node().await;
    let clock = Clock::start(Witness::Database);
    let before = clock.now().wall;
    let sent = clock.elapsed();
    let view = store.beat(&me, LEASE).await.unwrap();
    clock.database(view.clock.unwrap(), sent, clock.elapsed());
    let ahead = before.duration_since(clock.now().wall).as_mins();
    assert!((59..=60).contains(&ahead), "{ahead}");
    let free = Lease { partition: Partition(0), term: 0 };
    assert_eq!(view.partitions[0].lease, free);
}
