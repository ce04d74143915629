//! Brings the schema up to date with this release. Most nodes find it up to date and do not wait. A
//! node that has to change it locks a row first, so any number of nodes may start at once.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection,
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
};
use tokio::time::Instant;

use super::{PATIENCE, code, why};
use crate::store::{Error, OLDEST, Result};

/// How long a node waits for another one that is changing the schema.
pub(super) const WAIT: Duration = Duration::from_secs(60);
/// How long a change waits at a time for a table that is in use.
const TURN: Duration = Duration::from_secs(1);
/// How often creating a table is retried while another node creates it.
const RACES: u32 = 20;

/// Whether the schema has to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Schema {
    UpToDate,
    Older,
}

pub(super) async fn migrate(
    name: &str,
    connection: &mut PgConnection,
    options: &PgConnectOptions,
    wait: Duration,
) -> Result<()> {
    let open = |why: String| Error::Open { path: name.to_owned(), why };
    let refused = |err: sqlx::Error| {
        // lock_not_available
        if code(&err).as_deref() == Some("55P03") {
            return open(format!(
                "another node has been changing its schema for more than {wait:?}: wait until that \
                 node has started, or end it if it hangs, then start this one again"
            ));
        }
        open(why(&err))
    };
    let mut migrations: Migrator = sqlx::migrate!("migrations/postgres");
    // Advisory locks are not supported by every database.
    migrations.set_locking(false);
    if schema(name, connection, &migrations).await? == Schema::UpToDate {
        return Ok(());
    }
    limit(connection, wait).await.map_err(refused)?;
    for race in 1.. {
        let created = sqlx::query(
            "create table if not exists fastjob_migrating (one int4 not null primary key)",
        )
        .execute(&mut *connection)
        .await;
        match created {
            Ok(_) => break,
            // Two nodes created the table at the same moment: one of them gets an error.
            Err(sqlx::Error::Database(err)) if race < RACES && is_race(&*err) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(err) => return Err(refused(err)),
        }
    }
    let mut lock = connection.begin().await.map_err(refused)?;
    sqlx::query("insert into fastjob_migrating (one) values (1) on conflict do nothing")
        .execute(&mut *lock)
        .await
        .map_err(refused)?;
    sqlx::query("select one from fastjob_migrating where one = 1 for update")
        .execute(&mut *lock)
        .await
        .map_err(refused)?;

    let mut second = tokio::time::timeout(PATIENCE, options.connect())
        .await
        .map_err(|_| open("it does not respond".to_owned()))?
        .map_err(refused)?;
    // A newer release may have changed it in the meantime.
    if schema(name, &mut second, &migrations).await? == Schema::Older {
        limit(&mut second, TURN).await.map_err(refused)?;
        change(&migrations, &mut second, wait).await.map_err(|err| {
            let hint = match is_in_use(&err) {
                true => ": wait until what uses the table has ended, such as a backup",
                false => "",
            };
            open(format!("its schema could not be migrated: {err}{hint}"))
        })?;
        let to = migrations.iter().map(|step| step.version).max();
        tracing::info!(to, "changed the schema of the store");
    }
    lock.commit().await.map_err(refused)?;
    // The connection is no longer needed.
    drop(second.close().await);
    Ok(())
}

/// Changes the schema. While a change waits for a table, such as for the end of a backup, all others
/// wait behind it, and nodes that run could write nothing. So it gives way after each [`TURN`].
async fn change(
    migrations: &Migrator,
    connection: &mut PgConnection,
    wait: Duration,
) -> std::result::Result<(), MigrateError> {
    let until = Instant::now() + wait;
    loop {
        // Like `run`, but the future is `Send`.
        match migrations.run_direct(None, &mut *connection, false).await {
            Err(err) if is_in_use(&err) && Instant::now() < until => {
                tracing::info!(%err, "the schema cannot be changed yet, trying again");
                // Has the failed transaction rolled back, which would otherwise wait for the next one.
                connection.ping().await?;
                tokio::time::sleep(TURN).await;
            }
            done => return done,
        }
    }
}

/// Whether a table was in use. Nothing of the change was made.
fn is_in_use(err: &MigrateError) -> bool {
    let (MigrateError::Execute(err) | MigrateError::ExecuteMigration(err, _)) = err else {
        return false;
    };
    // lock_not_available, deadlock_detected
    matches!(code(err).as_deref(), Some("55P03" | "40P01"))
}

/// The state of the schema; fails if this release cannot use it.
async fn schema(
    name: &str,
    connection: &mut PgConnection,
    migrations: &Migrator,
) -> Result<Schema> {
    let open = |why: String| Error::Open { path: name.to_owned(), why };
    let applied: Vec<(i64, bool, Vec<u8>)> = match sqlx::query_as(
        "select version, success, checksum from _sqlx_migrations order by version",
    )
    .fetch_all(connection)
    .await
    {
        Ok(applied) => applied,
        // undefined_table
        Err(err) if code(&err).as_deref() == Some("42P01") => return Ok(Schema::Older),
        Err(err) => return Err(open(why(&err))),
    };
    if let Some((found, ..)) = applied.first().filter(|(version, ..)| *version < OLDEST) {
        return Err(Error::TooOld { path: name.to_owned(), found: *found });
    }
    let known = migrations.iter().map(|step| step.version).max().unwrap_or(0);
    if let Some((found, ..)) = applied.last().filter(|(version, ..)| *version > known) {
        return Err(Error::Newer { path: name.to_owned(), found: *found, known });
    }
    let mut schema = Schema::UpToDate;
    for step in migrations.iter() {
        match applied.iter().find(|(version, ..)| *version == step.version) {
            Some((version, _, checksum)) if *checksum != *step.checksum => {
                return Err(open(format!(
                    "its schema {version} differs from the one in this release"
                )));
            }
            // A migration that was left incomplete is reported when it is run.
            Some((_, true, _)) => {}
            Some(_) | None => schema = Schema::Older,
        }
    }
    Ok(schema)
}

/// Sets how long the connection waits for a lock. A database that is only wire-compatible may not
/// support this.
async fn limit(connection: &mut PgConnection, wait: Duration) -> sqlx::Result<()> {
    let set = format!("set lock_timeout = {}", wait.as_millis());
    match sqlx::raw_sql(AssertSqlSafe(set)).execute(connection).await {
        Ok(_) | Err(sqlx::Error::Database(_)) => Ok(()),
        Err(err) => Err(err),
    }
}

/// Whether two sessions created the same object at the same moment: unique_violation in the
/// catalog, duplicate_table.
fn is_race(err: &dyn sqlx::error::DatabaseError) -> bool {
    // unique_violation, duplicate_table, duplicate_object: of a table, of its row type
    matches!(err.code().as_deref(), Some("23505" | "42P07" | "42710"))
}
