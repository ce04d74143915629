//! The store that several coordinators share: one PostgreSQL database, or one that speaks its
//! protocol.
//!
//! Only portable SQL: no advisory locks, no reliance on notifications. What must not wait for
//! something else has a connection of its own: the writer, the leases, and a pool for readers.

mod alarms;
mod cluster;
mod commit;
mod insert;
mod jobs;
mod load;
mod outcomes;
mod silences;
mod tasks;

#[cfg(test)]
mod tests;

use std::time::Duration;

use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::Mutex;

use super::{Error, Result};
use crate::config::PostgresUrl;

/// Readers at the same time.
const READERS: u32 = 8;
/// How long a reader waits for a connection, and anybody for the database to take one.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a transaction may take: longer says that the way to the database is cut.
const TRANSACTION: Duration = Duration::from_secs(30);
/// What every connection is told: who holds rows and falls silent, because it is paused or cut off,
/// is ended by the database, so that nobody waits for it longer than for a lease.
const ALL: &[&str] = &["set idle_in_transaction_session_timeout = '2s'"];
/// What the writer's connection is told besides: its statements find each row by its key, whatever
/// the planner has seen of a table. A plan from when the table was empty would read all of it.
const WRITER: &[&str] = &[
    "set plan_cache_mode = force_generic_plan",
    "set enable_hashjoin = off",
    "set enable_mergejoin = off",
    "set enable_seqscan = off",
    "set jit = off",
];
/// How often the creation of a table is tried that another node creates at the same moment.
const RACES: u32 = 20;

/// A store in one PostgreSQL database.
pub(crate) struct Postgres {
    writer: Line,
    cluster: Line,
    readers: PgPool,
    /// How many partitions there are.
    partitions: u32,
}

/// A connection for one purpose, opened anew after an error.
struct Line {
    options: PgConnectOptions,
    /// Besides [`ALL`].
    settings: &'static [&'static str],
    open: Mutex<Option<PgConnection>>,
}

impl Line {
    fn new(options: &PgConnectOptions, settings: &'static [&'static str]) -> Self {
        Self { options: options.clone(), settings, open: Mutex::new(None) }
    }

    async fn connect(&self) -> sqlx::Result<PgConnection> {
        let mut connection = self.options.connect().await?;
        set(&mut connection, ALL).await?;
        set(&mut connection, self.settings).await?;
        Ok(connection)
    }

    /// Does something over the connection; after an error, or if it takes too long, the next one
    /// gets a new connection.
    async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        let late = |_| {
            let why = "the database did not answer in time";
            sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, why))
        };
        let mut line = self.open.lock().await;
        let mut connection = match line.take() {
            Some(connection) => connection,
            None => tokio::time::timeout(PATIENCE, self.connect()).await.map_err(late)??,
        };
        // Until it is put back, whatever happens drops it.
        let done =
            tokio::time::timeout(TRANSACTION, work(&mut connection)).await.map_err(late)??;
        *line = Some(connection);
        Ok(done)
    }

    async fn close(&self) -> sqlx::Result<()> {
        match self.open.lock().await.take() {
            Some(connection) => connection.close().await,
            None => Ok(()),
        }
    }
}

/// Says how a connection is to behave. A database that only speaks the protocol may not know it.
async fn set(connection: &mut PgConnection, settings: &[&'static str]) -> sqlx::Result<()> {
    for setting in settings {
        match sqlx::raw_sql(*setting).execute(&mut *connection).await {
            Ok(_) => {}
            Err(sqlx::Error::Database(err)) => {
                tracing::debug!(error = err.message(), setting, "the database has no such setting");
            }
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

impl Postgres {
    /// Connects, and brings the schema up to this release; of several nodes that do so at once one
    /// does and the others wait.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be reached or read, or if a newer release wrote it.
    pub(crate) async fn open(url: &PostgresUrl) -> Result<Self> {
        let name = url.to_string();
        let open = |why: String| Error::Open { path: name.clone(), why };
        let options = url
            .options()
            .clone()
            .application_name("fastjob")
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let mut connection = tokio::time::timeout(PATIENCE, options.connect())
            .await
            .map_err(|_| open("it does not answer".to_owned()))?
            .map_err(|err| open(why(&err)))?;
        migrate(&name, &mut connection, &options).await?;
        let partitions: String =
            sqlx::query_scalar("select value from meta where key = 'partitions'")
                .fetch_one(&mut connection)
                .await
                .map_err(|err| open(why(&err)))?;
        let partitions = partitions
            .parse()
            .map_err(|_| Error::Corrupt { what: format!("partitions {partitions}") })?;
        // It has served; whether it is told so or finds out is the same.
        drop(connection.close().await);
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(PATIENCE)
            .idle_timeout(Duration::from_secs(300))
            .after_connect(|connection, _| Box::pin(set(connection, ALL)))
            .connect_lazy_with(options.clone());
        let (writer, cluster) = (Line::new(&options, WRITER), Line::new(&options, &[]));
        Ok(Self { writer, cluster, readers, partitions })
    }
}

/// Brings the schema up to this release under a lock that is a row: any number of nodes may do so
/// at once.
async fn migrate(
    name: &str,
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<()> {
    let open = |why: String| Error::Open { path: name.to_owned(), why };
    let mut migrations: Migrator = sqlx::migrate!("migrations/postgres");
    // It would take an advisory lock, which not every database has.
    migrations.set_locking(false);
    for race in 1.. {
        let created = sqlx::query(
            "create table if not exists fastjob_migrating (one integer not null primary key)",
        )
        .execute(&mut *connection)
        .await;
        match created {
            Ok(_) => break,
            // Two that create at once: one of them is told so.
            Err(sqlx::Error::Database(err)) if race < RACES && is_race(&*err) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(err) => return Err(open(why(&err))),
        }
    }
    let mut lock = connection.begin().await.map_err(|err| open(why(&err)))?;
    sqlx::query("insert into fastjob_migrating (one) values (1) on conflict do nothing")
        .execute(&mut *lock)
        .await
        .map_err(|err| open(why(&err)))?;
    sqlx::query("select one from fastjob_migrating where one = 1 for update")
        .execute(&mut *lock)
        .await
        .map_err(|err| open(why(&err)))?;

    let mut second = tokio::time::timeout(PATIENCE, options.connect())
        .await
        .map_err(|_| open("it does not answer".to_owned()))?
        .map_err(|err| open(why(&err)))?;
    let known = migrations.iter().map(|step| step.version).max().unwrap_or(0);
    let newest: Option<i64> = match sqlx::query_scalar("select max(version) from _sqlx_migrations")
        .fetch_one(&mut second)
        .await
    {
        Ok(newest) => newest,
        // undefined_table
        Err(sqlx::Error::Database(err)) if err.code().as_deref() == Some("42P01") => None,
        Err(err) => return Err(open(why(&err))),
    };
    if let Some(found) = newest.filter(|found| *found > known) {
        return Err(Error::Newer { path: name.to_owned(), found, known });
    }
    // What `run` does, but a future that can be sent.
    migrations.run_direct(None, &mut second, false).await.map_err(|err| {
        if let MigrateError::VersionMismatch(version) = err {
            return open(format!(
                "its schema {version} is not the one that this release knows by that number"
            ));
        }
        open(format!("its schema could not be brought up to date: {err}"))
    })?;
    lock.commit().await.map_err(|err| open(why(&err)))?;
    // It has served.
    drop(second.close().await);
    Ok(())
}

/// Whether two sessions created the same thing at the same moment: unique_violation in the catalog,
/// duplicate_table.
fn is_race(err: &dyn sqlx::error::DatabaseError) -> bool {
    // unique_violation, duplicate_table, duplicate_object: of a table, of its row type
    matches!(err.code().as_deref(), Some("23505" | "42P07" | "42710"))
}

/// An error with its causes, without what the driver says around them.
#[expect(clippy::wildcard_enum_match_arm, reason = "a long list that grows, and one answer")]
fn why(err: &sqlx::Error) -> String {
    match err {
        sqlx::Error::Database(err) => err.message().to_owned(),
        sqlx::Error::Io(err) => err.to_string(),
        other => other.to_string(),
    }
}

/// Names what was being done when the database refused.
fn while_doing(doing: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |source| Error::Database { doing, source }
}

/// PostgreSQL's texts have no NUL, so one is shown as what it is.
fn clean(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{2400}").into() } else { text.into() }
}

/// A code as it stands in a column.
fn small(code: i64) -> i16 {
    i16::try_from(code).unwrap_or(i16::MAX)
}

/// A count as it stands in a column.
fn int(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
