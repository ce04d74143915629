//! Checks a file before it is opened: a file that is not a FastJob store stays unchanged, and no
//! file is created next to it.

use std::{
    fs::{self, Metadata},
    path::{Path, PathBuf},
};

use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use super::{MIGRATIONS, not_a_store};
use crate::store::{Error, OLDEST, Result};

/// Most tables named in the message about another program's file.
const NAMED: usize = 3;

/// Rejects an existing file that is not a store, or that has several names.
pub(super) async fn inspect(path: &Path) -> Result<()> {
    let open = |why: String| Error::Open { path: path.display().to_string(), why };
    let file = match fs::metadata(path) {
        Ok(file) => file,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(err) => return Err(open(err.to_string())),
    };
    if names(&file) > 1 {
        return Err(open(
            "it has more than one name (hard links), so two coordinators could use it under \
             different names: remove the other links, or use a copy"
                .to_owned(),
        ));
    }
    if file.len() == 0 {
        return Ok(());
    }
    // Without a WAL the file is complete: it is read without locks, and SQLite creates no files
    // next to it.
    let has_log = beside(path, "-wal").exists();
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(!has_log)
        .disable_statement_logging()
        .connect()
        .await
        .map_err(|err| open(not_a_store(&err)))?;
    let foreign = foreign(&mut connection).await.map_err(|err| open(not_a_store(&err)))?;
    connection.close().await.map_err(|err| open(err.to_string()))?;
    foreign.map_or(Ok(()), |why| Err(open(why)))
}

/// Why the file belongs to another program; `None` if it is a store, or empty.
async fn foreign(connection: &mut SqliteConnection) -> sqlx::Result<Option<String>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select name from sqlite_master where type in ('table', 'view') \
         and name not like 'sqlite\\_%' escape '\\' order by name",
    )
    .fetch_all(&mut *connection)
    .await?;
    let of_its_own = "use a separate file for FastJob";
    if tables.is_empty() {
        let marks: (i64, i64) = sqlx::query_as(
            "select (select application_id from pragma_application_id), \
             (select user_version from pragma_user_version)",
        )
        .fetch_one(connection)
        .await?;
        let why = format!("it is a SQLite file of another program: {of_its_own}");
        return Ok((marks != (0, 0)).then_some(why));
    }
    let others = || {
        let named = tables.iter().take(NAMED).map(|name| format!("`{name}`")).collect::<Vec<_>>();
        let more = if tables.len() > NAMED { " and more" } else { "" };
        let named = named.join(", ");
        format!("it is another program's SQLite file, with the tables {named}{more}: {of_its_own}")
    };
    if !tables.iter().any(|name| name == "_sqlx_migrations") {
        return Ok(Some(others()));
    }
    // Other programs use the same migration library.
    let first: Option<SqliteRow> =
        sqlx::query("select checksum from _sqlx_migrations where version = ?")
            .bind(OLDEST)
            .fetch_optional(&mut *connection)
            .await?;
    // Also a store of an older schema.
    let has_our_tables =
        ["attempts", "jobs", "lives"].iter().all(|ours| tables.iter().any(|name| name == ours));
    let Some(first) = first else {
        // Or a store whose process was killed during creation.
        return Ok((tables.len() > 1 && !has_our_tables).then(others));
    };
    let checksum: Vec<u8> = sqlx::Row::try_get(&first, 0)?;
    let ours = MIGRATIONS.iter().find(|step| step.version == OLDEST);
    let is_ours = ours.is_some_and(|step| *step.checksum == *checksum) || has_our_tables;
    Ok((!is_ours).then(others))
}

/// The path of a companion file.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(suffix);
    PathBuf::from(beside)
}

/// How many names (hard links) the file has.
#[cfg(unix)]
fn names(file: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(file)
}

#[cfg(not(unix))]
fn names(_: &Metadata) -> u64 {
    1
}
