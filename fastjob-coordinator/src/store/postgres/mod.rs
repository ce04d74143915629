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
mod line;
mod load;
mod migrate;
mod outcomes;
mod readers;
mod repair;
mod retention;
mod silences;
mod tasks;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, time::Duration};

use sqlx::{ConnectOptions, Connection, PgConnection};

use self::{line::Line, readers::Readers};
use super::{ClusterKey, Error, Result, key::NAME, unreadable::Unreadable};
use crate::config::PostgresUrl;

/// How long anybody waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection has to show that it is alive.
const PING: Duration = Duration::from_secs(1);
/// How long a commit may take: longer says that the way to the database is cut.
const COMMIT: Duration = Duration::from_secs(30);
/// How long what concerns the leases may take.
const CLUSTER: Duration = Duration::from_secs(5);
/// What every connection is told: who holds rows and falls silent, because it is paused or cut off,
/// is ended by the database, so that nobody waits for it longer than for a lease; and what takes
/// longer than anybody here waits for it is given up. The isolation is what the statements are
/// written for, whatever the database has by default.
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
/// What the writer's connection is told besides: its statements find each row by its key, whatever
/// the planner has seen of a table. A plan from when the table was empty would read all of it.
const WRITER: &[&str] = &[
    "set plan_cache_mode = force_generic_plan",
    "set enable_hashjoin = off",
    "set enable_mergejoin = off",
    "set enable_seqscan = off",
    "set jit = off",
    "set lock_timeout = '10s'",
];
/// What the connection for the leases is told besides: a row that another node holds, paused or at
/// work, must not hold up the beats.
const LEASES: &[&str] = &["set lock_timeout = '1s'"];

/// A store in one PostgreSQL database.
pub(crate) struct Postgres {
    writer: Line,
    cluster: Line,
    beats: Line,
    readers: Readers,
    /// How many partitions there are.
    partitions: u32,
    unreadable: Unreadable,
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
        let mut options =
            url.options().clone().statement_cache_capacity(256).disable_statement_logging();
        if options.get_application_name().is_none() {
            options = options.application_name("fastjob");
        }
        let mut connection = tokio::time::timeout(PATIENCE, options.connect())
            .await
            .map_err(|_| open("it does not answer".to_owned()))?
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
        let partitions = partitions
            .parse()
            .map_err(|_| Error::Corrupt { what: format!("partitions {partitions}") })?;
        // It has served; whether it is told so or finds out is the same.
        drop(connection.close().await);
        let writer = Line::new(&options, WRITER, COMMIT);
        let cluster = Line::new(&options, LEASES, CLUSTER);
        let beats = Line::new(&options, LEASES, CLUSTER);
        let readers = Readers::new(&options);
        let unreadable = Unreadable::default();
        Ok(Self { writer, cluster, beats, readers, partitions, unreadable })
    }
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

/// What the database calls an error.
fn code(err: &sqlx::Error) -> Option<Cow<'_, str>> {
    err.as_database_error()?.code()
}

/// The database, or the way to it, is too slow.
fn late() -> sqlx::Error {
    let why = "the database did not answer in time";
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, why))
}

/// Names what was being done when the database refused.
fn while_doing(doing: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |source| Error::Database { doing, source }
}

/// PostgreSQL's texts have no NUL, so one is shown as what it is.
fn clean(text: &str) -> Cow<'_, str> {
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
