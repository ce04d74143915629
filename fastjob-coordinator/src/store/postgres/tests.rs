//! PostgreSQL passes the tests of all stores, and those for several nodes.

mod groups;
mod leases;
mod limits;
mod losses;
mod outages;
mod schema;
mod speed;

use std::sync::Arc;

use fastjob_postgres::{Database, Postgres as Server};
use sqlx::{Connection, PgConnection};

use super::Postgres;
use crate::store::{
    Commit, Lease, NodeId, NodeRow, Partition, Store,
    suite::{Home, rows::at, suite},
};

suite!(crate::store::postgres::tests::Fresh);

/// A store in its own database.
pub(crate) struct Fresh {
    store: Arc<Postgres>,
    database: Database,
}

impl Fresh {
    /// A store of another node in the same database.
    async fn another(&self) -> Postgres {
        Postgres::open(&self.database.url().parse().unwrap()).await.unwrap()
    }

    async fn run(&self, statement: &'static str) {
        run(self.database.url(), statement).await;
    }
}

impl Home for Fresh {
    async fn fresh() -> Self {
        let database = Server::shared().fresh().await;
        let store = Postgres::open(&database.url().parse().unwrap()).await.unwrap();
        Self { store: Arc::new(store), database }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    async fn reopen(&mut self) {
        self.store = Arc::new(self.another().await);
    }

    async fn refuse_alarms(&self) {
        self.run("alter table alarms add constraint refuse check (number < 0) not valid").await;
    }

    async fn damage_the_index(&self) {
        self.run(
            "update index_blocks set entries = '\\x01ff' where kind = 1 and value = 32 \
             and number = (select max(number) from index_blocks where value = 32)",
        )
        .await;
    }

    async fn save_of_a_later_release(&self) {
        self.run("update jobs set definition = '{\"later\":1}' where id % 2 = 1").await;
    }

    async fn take_alarms(&self) {
        self.run("alter table alarms drop constraint refuse").await;
    }
}

async fn run(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn id(name: &str) -> NodeId {
    NodeId(name.to_owned())
}

fn node(name: &str) -> NodeRow {
    NodeRow {
        id: id(name),
        address: format!("http://{name}"),
        version: "1".to_owned(),
        since: at(0),
    }
}

/// A commit that writes a watermark under this lease.
fn moves_to(lease: Lease, millis: i64) -> Commit {
    Commit { lease, watermark: Some(at(millis)), ..Commit::default() }
}

async fn watermark(store: &Postgres, partition: u32) -> Option<jiff::Timestamp> {
    crate::store::LoadStore::load(store, Partition(partition)).await.unwrap().watermark
}
