//! The store that several coordinators share: one PostgreSQL database, or a wire-compatible one.
//!
//! Only portable SQL: no advisory locks, no reliance on notifications. The writer, the leases and
//! the readers have separate connections, so that they do not wait for each other.

mod alarms;
mod cluster;
mod columns;
mod commit;
mod connection;
mod drains;
mod fence;
mod filters;
mod find;
mod history;
mod index;
mod jobs;
mod load;
mod migrate;
mod readers;
mod repair;
mod retention;
mod silences;
mod tasks;
mod versions;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, time::Duration};

use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::Mutex;

use self::{connection::Reconnecting, readers::Readers};
use super::{
    ClusterKey, Error, Partition, Result,
    journal::{Journals, SharedOpenTasks},
    key::NAME,
    rows::jobs::JobReaders,
    unreadable::Unreadable,
};
use crate::config::PostgresUrl;

/// How long a caller waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may take to answer a ping.
const PING: Duration = Duration::from_secs(1);
/// How long a commit may take: after that, the connection counts as lost.
const COMMIT: Duration = Duration::from_secs(30);
/// How long a query about leases may take.
const CLUSTER: Duration = Duration::from_secs(5);
/// Settings of every connection. The database terminates a client that is silent in a transaction,
/// so that others wait for its rows no longer than for a lease, and cancels statements that exceed
/// every timeout here. The statements are written for this isolation level, whatever the default of
/// the database.
const ALL: &[&str] = &[
    "set default_transaction_isolation = 'read committed'",
    "set idle_in_transaction_session_timeout = '2s'",
    "set statement_timeout = '30s'",
    "set client_connection_check_interval = '2s'",
    "set tcp_user_timeout = '10s'",
    "set tcp_keepalives_idle = '10s'",
    "set tcp_keepalives_interval = '5s'",
    "set tcp_keepalives_count = 2",
];
/// Additional settings of the writer's connection: its statements find each row by its key,
/// whatever the table statistics suggest. A plan from when the table was empty would read all of
/// it.
const WRITER: &[&str] = &[
    "set plan_cache_mode = force_generic_plan",
    "set enable_hashjoin = off",
    "set enable_mergejoin = off",
    "set enable_seqscan = off",
    "set jit = off",
    "set lock_timeout = '10s'",
];
/// Additional settings of the connection for leases: a row that another node has locked must not
/// delay heartbeats.
const LEASES: &[&str] = &["set lock_timeout = '1s'"];

/// A store in one PostgreSQL database.
pub(crate) struct Postgres {
    writer: Reconnecting,
    cluster: Reconnecting,
    beats: Reconnecting,
    readers: Readers,
    /// The journals of the partitions that this node owns, as of its last commit.
    journals: Mutex<Journals>,
    open: SharedOpenTasks,
    /// The number of partitions.
    partitions: u32,
    job_readers: JobReaders,
    unreadable: Unreadable,
}

/// Applies settings to a connection. A database that is only wire-compatible may not support them
/// all.
async fn set(connection: &mut PgConnection, settings: &[&'static str]) -> sqlx::Result<()> {
    for setting in settings {
        match sqlx::raw_sql(*setting).execute(&mut *connection).await {
            Ok(_) => {}
            Err(sqlx::Error::Database(err)) => {
                tracing::debug!(
                    error = err.message(),
                    setting,
                    "the database does not support a setting"
                );
            }
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

impl Postgres {
    /// Connects, and brings the schema up to date with this release; of several nodes that start
    /// at once one changes it and the others wait.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be reached or read, or if a newer release wrote it.
    pub(crate) async fn open(url: &PostgresUrl) -> Result<Self> {
        let name = url.to_string();
        let open = |why: String| Error::Open { path: name.clone(), why };
        let mut options =
            url.options().clone().statement_cache_capacity(256).disable_statement_logging();
        if options.get_application_name().is_none() {
            options = options.application_name("fastjob");
        }
        let mut connection = tokio::time::timeout(PATIENCE, options.connect())
            .await
            .map_err(|_| open("it does not respond".to_owned()))?
            .map_err(|err| open(why(&err)))?;
        migrate::migrate(&name, &mut connection, &options, migrate::WAIT).await?;
        sqlx::query("insert into secrets (name, value) values ($1, $2) on conflict do nothing")
            .bind(NAME)
            .bind(ClusterKey::random().to_hex())
            .execute(&mut connection)
            .await
            .map_err(|err| open(why(&err)))?;
        let partitions: String =
            sqlx::query_scalar("select value from meta where key = 'partitions'")
                .fetch_one(&mut connection)
                .await
                .map_err(|err| open(why(&err)))?;
        let partitions = partitions.parse().map_err(|_| Error::Corrupt {
            what: format!("the number of partitions {partitions}"),
        })?;
        // The connection is no longer needed, and an error while closing it does not matter.
        drop(connection.close().await);
        let writer = Reconnecting::new(&options, WRITER, COMMIT);
        let cluster = Reconnecting::new(&options, LEASES, CLUSTER);
        let beats = Reconnecting::new(&options, LEASES, CLUSTER);
        let readers = Readers::new(&options);
        Ok(Self {
            writer,
            cluster,
            beats,
            readers,
            journals: Mutex::default(),
            open: SharedOpenTasks::default(),
            partitions,
            job_readers: JobReaders::default(),
            unreadable: Unreadable::default(),
        })
    }
}

/// An error with its causes, without the driver's prefixes.
#[expect(clippy::wildcard_enum_match_arm, reason = "a long list that grows, and one answer")]
fn why(err: &sqlx::Error) -> String {
    match err {
        sqlx::Error::Database(err) => err.message().to_owned(),
        sqlx::Error::Io(err) => err.to_string(),
        other => other.to_string(),
    }
}

/// The database's code of an error.
fn code(err: &sqlx::Error) -> Option<Cow<'_, str>> {
    err.as_database_error()?.code()
}

/// The error for a database or connection that is too slow.
fn late() -> sqlx::Error {
    let why = "the database did not respond in time";
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, why))
}

/// A code as a column value.
fn small(code: i64) -> i16 {
    i16::try_from(code).unwrap_or(i16::MAX)
}

/// A count as a column value.
fn int(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Parses the number of a partition.
fn partition(number: i32) -> Result<Partition> {
    let found = u32::try_from(number).map(Partition);
    found.map_err(|_| Error::Corrupt { what: format!("the partition {number}") })
}
