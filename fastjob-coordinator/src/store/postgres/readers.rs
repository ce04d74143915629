//! The pool for readers. Every query has a timeout: in the database, and on this side in case the
//! connection is cut.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    Stream,
    future::BoxFuture,
    stream::{BoxStream, StreamExt},
};
use sqlx::{
    Connection, Either, Execute, Executor, PgConnection, PgPool, SqlStr, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};
use tokio::time::Sleep;

use super::{ALL, PATIENCE, PING, late, set};

/// Most readers at the same time.
const MOST: u32 = 8;
/// How long a query of a client may take, including the wait for a connection.
const ANSWER: Duration = Duration::from_secs(10);
/// How long loading a partition may take.
const LOAD: Duration = Duration::from_secs(30);
/// Additional settings of their connections. Compiling a query takes longer than any of a list, which reads
/// few rows, whatever the database expects.
const SETTINGS: &[&str] = &["set lock_timeout = '5s'", "set jit = off"];

/// A handle to the readers.
#[derive(Clone, Debug)]
pub(super) struct Readers {
    pool: PgPool,
    limit: Duration,
}

impl Readers {
    pub(super) fn new(options: &PgConnectOptions) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(MOST)
            .acquire_timeout(PATIENCE)
            .idle_timeout(Duration::from_secs(300))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    set(connection, ALL).await?;
                    set(connection, SETTINGS).await
                })
            })
            // The pool's own test would wait forever on a connection that is cut.
            .test_before_acquire(false)
            .before_acquire(|connection, _| answers(connection))
            .after_release(|connection, _| answers(connection))
            .connect_lazy_with(options.clone());
        Self { pool, limit: ANSWER }
    }

    /// For queries that may take longer and that no client waits for.
    pub(super) fn patient(&self) -> Self {
        Self { pool: self.pool.clone(), limit: LOAD }
    }

    /// Limits work on a connection of the pool, such as a transaction.
    pub(super) async fn limited<T>(
        &self,
        work: impl Future<Output = sqlx::Result<T>>,
    ) -> sqlx::Result<T> {
        tokio::time::timeout(self.limit, work).await.map_err(|_| late())?
    }

    pub(super) async fn begin(&self) -> sqlx::Result<Transaction<'static, sqlx::Postgres>> {
        self.pool.begin().await
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

fn answers(connection: &mut PgConnection) -> BoxFuture<'_, sqlx::Result<bool>> {
    Box::pin(async move {
        tokio::time::timeout(PING, connection.ping()).await.map_err(|_| late())?.map(|()| true)
    })
}

impl<'p> Executor<'p> for &'_ Readers {
    type Database = sqlx::Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Self::Database>,
    {
        let end = Some(Box::pin(tokio::time::sleep(self.limit)));
        Limited { rows: self.pool.fetch_many(query), end }.boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Self::Database>,
    {
        let row = self.pool.fetch_optional(query);
        let limit = self.limit;
        Box::pin(async move { tokio::time::timeout(limit, row).await.map_err(|_| late())? })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'p: 'e,
    {
        let statement = self.pool.prepare_with(sql, parameters);
        let limit = self.limit;
        Box::pin(async move { tokio::time::timeout(limit, statement).await.map_err(|_| late())? })
    }

    // For macros that query a database at compile time, which are not used here.
    fn describe<'e>(
        self,
        sql: SqlStr,
    ) -> BoxFuture<'e, sqlx::Result<sqlx::Describe<sqlx::Postgres>>>
    where
        'p: 'e,
    {
        self.pool.describe(sql)
    }
}

/// A stream of rows that ends at a deadline.
struct Limited<'e, T> {
    rows: BoxStream<'e, sqlx::Result<T>>,
    /// `None` once it has passed.
    end: Option<Pin<Box<Sleep>>>,
}

impl<T> Stream for Limited<'_, T> {
    type Item = sqlx::Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        let over = end.as_mut().poll(context).is_ready();
        if let Poll::Ready(row) = self.rows.poll_next_unpin(context) {
            return Poll::Ready(row);
        }
        if over {
            self.end = None;
            return Poll::Ready(Some(Err(late())));
        }
        Poll::Pending
    }
}
