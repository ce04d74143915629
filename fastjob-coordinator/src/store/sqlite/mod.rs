//! The embedded store: one SQLite file, one writer, several readers.
//!
//! Every commit is on disk when it returns (`synchronous = FULL`). The file belongs to one
//! coordinator: a lock that the operating system releases with the process keeps others out.

mod alarms;
mod columns;
mod commit;
mod drains;
mod filters;
mod find;
mod history;
mod index;
mod inspect;
mod jobs;
mod load;
mod packed;
mod repair;
mod retention;
mod script;
mod silences;
mod tasks;
#[cfg(test)]
mod tests;
mod thread;
mod versions;

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{Mutex, MutexGuard};

use self::thread::{BUSY, WriteThread};
use super::{
    ClusterKey, Error, OLDEST, Result,
    journal::{Journals, SharedOpenTasks},
    key::NAME,
    unreadable::Unreadable,
};
use crate::files::{self, Identity, NotPrivate};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Most readers at the same time.
const READERS: u32 = 4;

/// A store in one SQLite file.
#[derive(Debug)]
pub(crate) struct Sqlite {
    writer: Mutex<Writer>,
    /// How to open the connection of the writer.
    options: SqliteConnectOptions,
    file: Opened,
    readers: SqlitePool,
    open: SharedOpenTasks,
    unreadable: Unreadable,
    /// Held while the store is open, and as long as a transaction is being written.
    lock: Arc<File>,
}

/// What writes, one at a time, and the journal as of the last commit.
#[derive(Debug)]
struct Writer {
    /// Writes what callers ask for, and reads what a commit needs.
    connection: SqliteConnection,
    /// Writes commits and merges. While the writer is locked, it writes only what the holder of the lock
    /// sends, and what a caller that was cancelled had sent before.
    thread: WriteThread,
    journals: Journals,
}

impl Writer {
    /// Whether a failed transaction, such as one on a full disk, is still open on the connection, or
    /// counts as open there. It would fail later ones, and an open one blocks the thread.
    async fn is_stuck(&mut self) -> bool {
        // The rollback may still be in its queue.
        self.connection.is_in_transaction()
            && (self.connection.ping().await.is_err() || self.connection.is_in_transaction())
    }
}

impl Sqlite {
    /// Opens the file, creates it if it is missing, and brings its schema up to date with this
    /// release.
    ///
    /// # Errors
    ///
    /// Fails if another coordinator uses it, if it is not a store (it is left unchanged), if it has
    /// two names, if a newer release wrote it, or if it cannot be read and written.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let open = |why: String| Error::Open { path: path.display().to_string(), why };
        if path.is_dir() {
            return Err(open("it is a folder".to_owned()));
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            files::make_folder(folder).map_err(|err| open(err.to_string()))?;
            if files::is_open_to_all(folder) {
                tracing::warn!(
                    folder = %folder.display(),
                    "all users of this machine can replace the files of the store: run chmod o-w \
                     on its folder"
                );
            }
        }
        let private = |err: NotPrivate| open(err.to_string());
        files::is_own_link(path).map_err(private)?;
        // A file has one lock, whichever link is used to open it.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let path = real.as_path();
        let beside = ["-wal", "-shm", "-journal"].map(|suffix| inspect::beside(path, suffix));
        for file in beside.iter().map(PathBuf::as_path).chain([path]) {
            files::check(file).map_err(private)?;
        }
        inspect::inspect(path).await?;
        let lock = Arc::new(lock(path)?);
        // SQLite gives its companion files the mode of this one.
        drop(files::open(path).map_err(private)?);
        let file = Opened::at(path).map_err(|err| open(err.to_string()))?;
        for file in &beside {
            files::restrict_if_there(file).map_err(private)?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .foreign_keys(false)
            .pragma("temp_store", "memory")
            .statement_cache_capacity(192)
            .disable_statement_logging();
        // In KiB. Larger caches made no measurable difference: most of what is written is appended,
        // and the pages of the rest are in the cache of the system.
        let cached = |kib: u32| options.clone().pragma("cache_size", format!("-{kib}"));
        let writing = cached(2 * 1024).pragma("wal_autocheckpoint", "4000");
        let mut writer = writing.connect().await.map_err(|err| open(not_a_store(&err)))?;
        migrate(path, &mut writer).await?;
        let thread = WriteThread::start(file.clone(), Arc::clone(&lock)).await;
        let thread = thread.map_err(|err| open(err.to_string()))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(cached(8 * 1024).read_only(true))
            .await
            .map_err(|err| open(err.to_string()))?;
        if file.is_gone() {
            return Err(open("it was replaced while it was being opened".to_owned()));
        }
        Ok(Self {
            file,
            writer: Mutex::new(Writer {
                connection: writer,
                thread,
                journals: Journals::default(),
            }),
            options: writing,
            readers,
            open: SharedOpenTasks::default(),
            unreadable: Unreadable::default(),
            lock,
        })
    }
}

impl Sqlite {
    /// What writes, once nothing else does.
    async fn writer(&self) -> MutexGuard<'_, Writer> {
        let mut writer = self.writer.lock().await;
        if writer.is_stuck().await {
            self.reconnect(&mut writer).await;
        }
        writer
    }

    /// Replaces the connection of the writer, unless the store is closed.
    async fn reconnect(&self, writer: &mut Writer) {
        if !writer.thread.has_ended()
            && let Ok(fresh) = self.options.connect().await
        {
            writer.connection = fresh;
        }
    }

    /// Fails if the file is gone: what was just written must not be acknowledged then.
    fn written(&self) -> Result<()> {
        if self.file.is_gone() { Err(Error::Behind) } else { Ok(()) }
    }
}

/// The file that the connections have open.
///
/// A file that is moved or replaced stays open: commits would succeed, and be in a file that the next
/// start does not read. As long as a connection is open, no other file gets the same identity.
#[derive(Clone, Debug)]
struct Opened {
    path: PathBuf,
    identity: Identity,
}

impl Opened {
    fn at(path: &Path) -> std::io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: files::identity(path)? })
    }

    /// Whether the path now names another file, or none. A system that cannot answer has not lost
    /// the file.
    fn is_gone(&self) -> bool {
        match files::identity(&self.path) {
            Ok(found) => found != self.identity,
            Err(err) => err.kind() == std::io::ErrorKind::NotFound,
        }
    }
}

/// Takes the lock file. The process id in it is for operators.
fn lock(path: &Path) -> Result<File> {
    let beside = inspect::beside(path, ".lock");
    let refused = |why: String| Error::Open {
        path: path.display().to_string(),
        why: format!("its lock file {} cannot be opened: {why}", beside.display()),
    };
    let open = |err: std::io::Error| refused(err.to_string());
    let mut file = files::open(&beside).map_err(|err| refused(err.to_string()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::InUse(path.display().to_string())),
        Err(TryLockError::Error(err)) => return Err(open(err)),
    }
    if !files::is_at(&file, &beside).map_err(open)? {
        return Err(refused("it was replaced while it was being opened".to_owned()));
    }
    file.set_len(0).map_err(open)?;
    writeln!(file, "{}", std::process::id()).map_err(open)?;
    Ok(file)
}

async fn migrate(path: &Path, writer: &mut SqliteConnection) -> Result<()> {
    let known = MIGRATIONS.iter().map(|step| step.version).max().unwrap_or(0);
    let open = |why: String| Error::Open { path: path.display().to_string(), why };
    let newest: Option<i64> = match sqlx::query_scalar("select max(version) from _sqlx_migrations")
        .fetch_one(&mut *writer)
        .await
    {
        Ok(newest) => newest,
        Err(sqlx::Error::Database(err)) if err.message().contains("no such table") => None,
        Err(err) => return Err(open(not_a_store(&err))),
    };
    if newest.is_some() {
        let oldest: i64 = sqlx::query_scalar("select min(version) from _sqlx_migrations")
            .fetch_one(&mut *writer)
            .await
            .map_err(|err| open(not_a_store(&err)))?;
        if oldest < OLDEST {
            return Err(Error::TooOld { path: path.display().to_string(), found: oldest });
        }
    }
    if let Some(found) = newest.filter(|found| *found > known) {
        return Err(Error::Newer { path: path.display().to_string(), found, known });
    }
    // Like `run`, but the future is `Send`.
    MIGRATIONS.run_direct(None, &mut *writer, false).await.map_err(|err| {
        if let MigrateError::VersionMismatch(version) = err {
            return open(format!("its schema {version} differs from the one in this release"));
        }
        open(format!("its schema could not be migrated: {err}"))
    })?;
    if let Some(from) = newest.filter(|found| *found < known) {
        tracing::info!(from, to = known, "changed the schema of the store");
    }
    let cluster = uuid::Uuid::new_v4().to_string();
    sqlx::query("insert into meta (key, value) values ('cluster', ?) on conflict do nothing")
        .bind(cluster)
        .execute(&mut *writer)
        .await
        .map_err(|err| open(err.to_string()))?;
    sqlx::query("insert into secrets (name, value) values (?, ?) on conflict do nothing")
        .bind(NAME)
        .bind(ClusterKey::random().to_hex())
        .execute(&mut *writer)
        .await
        .map_err(|err| open(err.to_string()))?;
    sqlx::query(
        "insert into meta (key, value) values \
         ('since', cast(cast(unixepoch('subsec') * 1000 as integer) as text)) \
         on conflict do nothing",
    )
    .execute(&mut *writer)
    .await
    .map_err(|err| open(err.to_string()))?;
    Ok(())
}

/// The driver's message, or a clearer one.
fn not_a_store(err: &sqlx::Error) -> String {
    let text = err.to_string();
    if text.contains("file is not a database") {
        return "it is not a SQLite file".to_owned();
    }
    text
}
