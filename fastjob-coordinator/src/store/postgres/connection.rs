//! A connection for one purpose, reopened after an error.
//!
//! A transaction that the database aborts in favour of another (a deadlock or a serialization
//! failure) is not an outage: it is retried here a few times, and callers do not see it.

use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::Mutex;

use super::{ALL, COMMIT, PATIENCE, PING, code, late, set};

/// A connection that has been idle for longer is checked first: if it was cut silently, the next
/// caller would have to wait for a timeout.
const IDLE: Duration = Duration::from_secs(2);
/// How often a transaction is retried.
const TRIES: u32 = 10;

/// A connection for one purpose.
pub(super) struct Reconnecting {
    options: PgConnectOptions,
    /// Settings in addition to [`ALL`].
    settings: &'static [&'static str],
    /// How long the work may take: after that, the connection counts as lost.
    limit: Duration,
    open: Mutex<Option<Open>>,
}

struct Open {
    connection: PgConnection,
    used: Instant,
}

impl Reconnecting {
    pub(super) fn new(
        options: &PgConnectOptions,
        settings: &'static [&'static str],
        limit: Duration,
    ) -> Self {
        Self { options: options.clone(), settings, limit, open: Mutex::new(None) }
    }

    pub(super) async fn connect(&self) -> sqlx::Result<PgConnection> {
        let mut connection = self.options.connect().await?;
        set(&mut connection, ALL).await?;
        set(&mut connection, self.settings).await?;
        Ok(connection)
    }

    /// Runs the work on the connection. After an error or a timeout, the next call opens a new
    /// connection.
    pub(super) async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        let mut line = self.open.lock().await;
        let mut connection = match line.take() {
            Some(open) => match alive(open).await {
                Some(connection) => connection,
                None => self.connect_in_time().await?,
            },
            None => self.connect_in_time().await?,
        };
        // Until it is put back, dropping this future drops the connection.
        let done =
            tokio::time::timeout(self.limit, work(&mut connection)).await.map_err(|_| late())?;
        if done.as_ref().err().is_none_or(gave_way) {
            *line = Some(Open { connection, used: Instant::now() });
        }
        done
    }

    async fn connect_in_time(&self) -> sqlx::Result<PgConnection> {
        let limit = PATIENCE.min(self.limit);
        tokio::time::timeout(limit, self.connect()).await.map_err(|_| late())?
    }

    pub(super) async fn close(&self) -> sqlx::Result<()> {
        match self.open.lock().await.take() {
            Some(open) => open.connection.close().await,
            None => Ok(()),
        }
    }

    /// Makes the connection look idle for a long time.
    #[cfg(test)]
    pub(super) async fn age(&self) {
        if let Some(open) = self.open.lock().await.as_mut() {
            open.used = open.used.checked_sub(IDLE * 2).unwrap_or(open.used);
        }
    }
}

/// The connection, unless it has been idle for a while and does not answer.
async fn alive(mut open: Open) -> Option<PgConnection> {
    if open.used.elapsed() >= IDLE {
        let answer = tokio::time::timeout(PING, open.connection.ping()).await;
        answer.ok()?.ok()?;
    }
    Some(open.connection)
}

/// Runs an expression, and retries it if the database aborted it in favour of another transaction.
/// A macro, because the future of a closure that is called repeatedly would not be `Send`.
macro_rules! again {
    ($work:expr) => {{
        let mut tries = $crate::store::postgres::connection::Tries::default();
        loop {
            match $work.await {
                Err(err) if tries.again(&err).await => {}
                done => break done,
            }
        }
    }};
}
pub(super) use again;

/// Counts attempts.
pub(super) struct Tries {
    failed: u32,
    began: Instant,
}

impl Default for Tries {
    fn default() -> Self {
        Self { failed: 0, began: Instant::now() }
    }
}

impl Tries {
    /// Waits briefly and returns `true` if a retry makes sense; otherwise returns `false` at once.
    pub(super) async fn again(&mut self, err: &sqlx::Error) -> bool {
        self.failed += 1;
        if !gave_way(err) || self.failed >= TRIES || self.began.elapsed() >= COMMIT {
            return false;
        }
        tracing::debug!(%err, self.failed, "transaction aborted by a conflict, retrying");
        tokio::time::sleep(pause(self.failed)).await;
        true
    }
}

/// Whether the database aborted a transaction in favour of another: serialization_failure,
/// deadlock_detected.
fn gave_way(err: &sqlx::Error) -> bool {
    matches!(code(err).as_deref(), Some("40001" | "40P01"))
}

/// Random, so that two transactions that conflicted do not conflict again.
fn pause(tries: u32) -> Duration {
    let most = 10 << tries.min(5);
    Duration::from_millis(rand::random_range(1..=most))
}
