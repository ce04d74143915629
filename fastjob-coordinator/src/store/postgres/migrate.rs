//! The schema, brought up to this release. Most nodes find it so, and wait for nobody; who has to
//! change it does so under a lock that is a row: any number of nodes may want to at once.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, migrate::Migrator,
    postgres::PgConnectOptions,
};

use super::{PATIENCE, code, why};
use crate::store::{Error, Result};

/// How long a node waits for another that changes the schema.
pub(super) const WAIT: Duration = Duration::from_secs(60);
/// How often the creation of a table is tried that another node creates at the same moment.
const RACES: u32 = 20;

/// Whether there is something to do.
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
                 one has started, or end it if it hangs, and start this one again"
            ));
        }
        open(why(&err))
    };
    let mut migrations: Migrator = sqlx::migrate!("migrations/postgres");
    // It would take an advisory lock, which not every database has.
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
            // Two that create at once: one of them is told so.
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
        .map_err(|_| open("it does not answer".to_owned()))?
        .map_err(refused)?;
    // A newer release may have been faster.
    if schema(name, &mut second, &migrations).await? == Schema::Older {
        limit(&mut second, wait).await.map_err(refused)?;
        // What `run` does, but a future that can be sent.
        migrations
            .run_direct(None, &mut second, false)
            .await
            .map_err(|err| open(format!("its schema could not be brought up to date: {err}")))?;
    }
    lock.commit().await.map_err(refused)?;
    // It has served.
    drop(second.close().await);
    Ok(())
}

/// How old the schema is; what this release cannot use is refused.
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
    let known = migrations.iter().map(|step| step.version).max().unwrap_or(0);
    if let Some((found, ..)) = applied.last().filter(|(version, ..)| *version > known) {
        return Err(Error::Newer { path: name.to_owned(), found: *found, known });
    }
    let mut schema = Schema::UpToDate;
    for step in migrations.iter() {
        match applied.iter().find(|(version, ..)| *version == step.version) {
            Some((version, _, checksum)) if *checksum != *step.checksum => {
                return Err(open(format!(
                    "its schema {version} is not the one that this release knows by that number"
                )));
            }
            // One that was left half done is told of by those who try it.
            Some((_, true, _)) => {}
            Some(_) | None => schema = Schema::Older,
        }
    }
    Ok(schema)
}

/// Sets how long the connection waits for a lock. A database that only speaks the protocol may not
/// know it.
async fn limit(connection: &mut PgConnection, wait: Duration) -> sqlx::Result<()> {
    let set = format!("set lock_timeout = {}", wait.as_millis());
    match sqlx::raw_sql(AssertSqlSafe(set)).execute(connection).await {
        Ok(_) | Err(sqlx::Error::Database(_)) => Ok(()),
        Err(err) => Err(err),
    }
}

/// Whether two sessions created the same thing at the same moment: unique_violation in the catalog,
/// duplicate_table.
fn is_race(err: &dyn sqlx::error::DatabaseError) -> bool {
    // unique_violation, duplicate_table, duplicate_object: of a table, of its row type
    matches!(err.code().as_deref(), Some("23505" | "42P07" | "42710"))
}
