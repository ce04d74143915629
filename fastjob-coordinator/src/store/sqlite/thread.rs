//! The thread that writes: each transaction is one message to it.

use std::{
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use sqlx::error::{DatabaseError, ErrorKind};
use tokio::sync::oneshot;

use super::Opened;

/// How long a transaction waits for one of another connection.
pub(super) const BUSY: Duration = Duration::from_secs(10);
/// How long the last transaction may take once the store is no longer used.
const LAST: Duration = Duration::from_secs(5);
/// Statements that stay prepared.
const PREPARED: usize = 64;
/// Settings of the connection. Sizes of caches are in KiB if they are negative.
const SETTINGS: &str = "pragma journal_mode = wal; pragma synchronous = full; \
    pragma foreign_keys = off; pragma temp_store = memory; pragma cache_size = -4096; \
    pragma wal_autocheckpoint = 4000;";

type Task = Box<dyn FnOnce(&mut Line) + Send>;

/// The thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct WriteThread {
    /// `None` once it is to end.
    tasks: Option<mpsc::Sender<Task>>,
    /// Disconnected when it has ended. Nothing is sent.
    ended: Mutex<mpsc::Receiver<()>>,
}

/// The connection of the thread.
struct Line {
    file: Opened,
    /// `None` after a transaction that failed: a full disk leaves the connection inside of it.
    connection: Option<Connection>,
}

impl Line {
    fn open(&mut self) -> rusqlite::Result<&mut Connection> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                // No other thread uses it.
                let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                    | OpenFlags::SQLITE_OPEN_URI
                    | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let fresh = Connection::open_with_flags(&self.file.path, flags)?;
                if self.file.is_gone() {
                    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
                    let why = "the file was moved, deleted or replaced".to_owned();
                    return Err(rusqlite::Error::SqliteFailure(code, Some(why)));
                }
                fresh.busy_timeout(BUSY)?;
                fresh.execute_batch(SETTINGS)?;
                fresh.set_prepared_statement_cache_capacity(PREPARED);
                fresh
            }
        };
        Ok(self.connection.insert(connection))
    }

    fn write<T>(
        &mut self,
        write: impl FnOnce(Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let connection = self.open()?;
        let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let written = begun.and_then(write);
        // A failed rollback is not reported.
        if written.is_err() || !connection.is_autocommit() {
            self.connection = None;
        }
        written
    }
}

impl WriteThread {
    /// Starts the thread, which opens the file. It keeps `held` as long as it may write.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be opened, or the thread cannot be started.
    pub(super) async fn start<H: Send + 'static>(file: Opened, held: H) -> sqlx::Result<Self> {
        let (tasks, inbox) = mpsc::channel::<Task>();
        let (ending, ended) = mpsc::channel();
        let mut line = Line { file, connection: None };
        let run = move || {
            for task in inbox {
                let ran = panic::catch_unwind(AssertUnwindSafe(|| task(&mut line)));
                if ran.is_err() {
                    // The panic was logged. Its transaction is rolled back with the connection.
                    line.connection = None;
                }
            }
            // In this order.
            drop(line);
            drop(held);
            drop(ending);
        };
        // Linux shows 15 characters.
        thread::Builder::new().name("fastjob-sqlite".to_owned()).spawn(run)?;
        let thread = Self { tasks: Some(tasks), ended: Mutex::new(ended) };
        thread.call(|line| line.open().map(drop)).await?;
        Ok(thread)
    }

    /// Carries out a transaction, unless the thread has ended. `write` commits it, or drops it to write
    /// nothing. Whether the caller waits for the result makes no difference.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> sqlx::Result<T> {
        self.call(|line| line.write(write)).await
    }

    /// Returns when earlier transactions have ended, also those whose callers did not wait.
    pub(super) async fn settled(&self) -> sqlx::Result<()> {
        self.call(|_| Ok(())).await
    }

    /// A transaction does not wait for one of another connection, until one fails.
    #[cfg(test)]
    pub(super) async fn wait_no_longer(&self) {
        self.call(|line| line.open()?.busy_timeout(Duration::ZERO)).await.unwrap();
    }

    /// Closes the connection. Nothing is written any more.
    pub(super) async fn end(&mut self) {
        let Some(tasks) = self.tasks.take() else { return };
        let (closed, wait) = oneshot::channel::<()>();
        let close = move |line: &mut Line| {
            line.connection = None;
            drop(closed);
        };
        if tasks.send(Box::new(close)).is_ok() {
            // Nothing is sent: the other end is dropped, by the task or with it.
            drop(wait.await);
        }
    }

    /// Whether nothing is written any more.
    pub(super) fn has_ended(&self) -> bool {
        self.tasks.is_none()
    }

    async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Line) -> rusqlite::Result<T> + Send + 'static,
    ) -> sqlx::Result<T> {
        let (answer, wait) = oneshot::channel();
        let task = move |line: &mut Line| {
            // A caller that was cancelled does not wait for it; the next commit reads what was written.
            let _ = answer.send(call(line));
        };
        let ended = || sqlx::Error::WorkerCrashed;
        let tasks = self.tasks.as_ref().ok_or_else(ended)?;
        tasks.send(Box::new(task)).map_err(|_| ended())?;
        wait.await.map_err(|_| ended())?.map_err(converted)
    }
}

impl Drop for WriteThread {
    /// Waits for a transaction that is being written, so that the file can be opened again.
    fn drop(&mut self) {
        self.tasks = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(LAST) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("a transaction of the store is still being written");
        }
    }
}

/// An error as that of the other connections.
fn converted(err: rusqlite::Error) -> sqlx::Error {
    let rusqlite::Error::SqliteFailure(failure, message) = err else {
        return sqlx::Error::Protocol(err.to_string());
    };
    let message = message.unwrap_or_else(|| failure.to_string());
    sqlx::Error::Database(Box::new(Failure { code: failure.extended_code, message }))
}

/// What SQLite says of a failure.
#[derive(Debug)]
struct Failure {
    /// The extended result code.
    code: i32,
    message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(code: {}) {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}

impl DatabaseError for Failure {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}
