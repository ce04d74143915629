//! A connection for one purpose, opened anew after an error.
//!
//! A transaction that the database gives up for another's sake (a deadlock, or two that cannot be put
//! in an order) is no outage: it is begun anew here, some times, and nobody else hears of it.

use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::Mutex;

use super::{ALL, COMMIT, PATIENCE, PING, code, late, set};

/// After so long without use it is asked whether the way to the database is still there: one that
/// was cut without a word would hold up whoever comes next.
const IDLE: Duration = Duration::from_secs(2);
/// How often a transaction is begun anew.
const TRIES: u32 = 10;

/// A connection for one purpose.
pub(super) struct Line {
    options: PgConnectOptions,
    /// Besides [`ALL`].
    settings: &'static [&'static str],
    /// How long the work may take: longer says that the way to the database is cut.
    limit: Duration,
    open: Mutex<Option<Open>>,
}

struct Open {
    connection: PgConnection,
    used: Instant,
}

impl Line {
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

    /// Does something over the connection; after an error, or if it takes too long, the next one
    /// gets a new connection.
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
        // Until it is put back, whatever happens drops it.
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

    /// Has it look as if nobody had used it for long.
    #[cfg(test)]
    pub(super) async fn age(&self) {
        if let Some(open) = self.open.lock().await.as_mut() {
            open.used = open.used.checked_sub(IDLE * 2).unwrap_or(open.used);
        }
    }
}

/// The connection, unless it has not been used for a while and does not answer.
async fn alive(mut open: Open) -> Option<PgConnection> {
    if open.used.elapsed() >= IDLE {
        let answer = tokio::time::timeout(PING, open.connection.ping()).await;
        answer.ok()?.ok()?;
    }
    Some(open.connection)
}

/// Does something, and again where the database gave it up for another's sake. A macro, for a
/// closure that is called more than once does not make a future that can be sent.
macro_rules! again {
    ($work:expr) => {{
        let mut tries = $crate::store::postgres::line::Tries::default();
        loop {
            match $work.await {
                Err(err) if tries.again(&err).await => {}
                done => break done,
            }
        }
    }};
}
pub(super) use again;

/// Counts how often something was tried.
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
    /// Waits a moment and says that it is worth another try, or at once that it is not.
    pub(super) async fn again(&mut self, err: &sqlx::Error) -> bool {
        self.failed += 1;
        if !gave_way(err) || self.failed >= TRIES || self.began.elapsed() >= COMMIT {
            return false;
        }
        tracing::debug!(%err, self.failed, "a transaction gave way and is begun anew");
        tokio::time::sleep(pause(self.failed)).await;
        true
    }
}

/// Whether the database gave a transaction up for another's sake: serialization_failure,
/// deadlock_detected.
fn gave_way(err: &sqlx::Error) -> bool {
    matches!(code(err).as_deref(), Some("40001" | "40P01"))
}

/// By chance, so that two that were in each other's way are not so again.
fn pause(tries: u32) -> Duration {
    let most = 10 << tries.min(5);
    Duration::from_millis(rand::random_range(1..=most))
}
