//! Why an operation on the store failed.

use fastjob_core::JobId;

use super::Lease;

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be opened or created, or the database cannot be reached.
    #[error("could not open the store {path}: {why}")]
    Open { path: String, why: String },
    /// Another coordinator uses the file.
    #[error(
        "the store {0} is in use by another coordinator: stop it first, or use a different \
         store"
    )]
    InUse(String),
    /// A newer release wrote it.
    #[error(
        "the store {path} was written by a newer release (schema {found}, this release knows \
         {known}): start that release, or restore a backup"
    )]
    Newer { path: String, found: i64, known: i64 },
    /// A development version wrote it.
    #[error(
        "the store {path} has the schema {found} of a development version, which this release cannot \
         read: use a new store"
    )]
    TooOld { path: String, found: i64 },
    /// These leases of this node have ended; nothing of the transaction was written. Other nodes
    /// have the partitions, or their journals cannot be continued.
    #[error("the leases of this node on {} have ended", partitions(.0))]
    Fenced(Vec<Lease>),
    /// The store of one coordinator no longer has all that the coordinator wrote; the file at its
    /// path has nothing of the transaction. In a shared store, the leases end instead.
    #[error(
        "the store has lost commits: its file was moved, deleted or replaced while the coordinator \
         was using it"
    )]
    Behind,
    /// A value cannot be read.
    #[error("this release cannot read a value in the store: {what}")]
    Corrupt { what: String },
    /// Coordinators are using the store.
    #[error(
        "coordinators are using the store: {}. Stop them first; one that was killed counts as \
         running until its lease ends", .0.join(", ")
    )]
    Alive(Vec<String>),
    /// JSON and the protocol cannot represent larger ids.
    #[error("the ids of the store already reach {until}: they cannot be raised by {by}")]
    NoMoreIds { until: i64, by: i64 },
    /// The database did not respond in time.
    #[error("could not {doing}: the database did not respond in time")]
    TimedOut { doing: &'static str },
    /// A newer release saved a job that this one cannot read.
    #[error(
        "job {job} cannot be read by this release: {why}; start the release that saved it, or \
         delete or change the job there"
    )]
    Unreadable { job: JobId, why: String },
    /// The database rejected the operation.
    #[error("could not {doing}")]
    Database {
        doing: &'static str,
        #[source]
        source: sqlx::Error,
    },
}

impl Error {
    /// Whether the error is caused by the data written, so that a retry would fail as well.
    pub(crate) fn is_refusal(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        if matches!(source, sqlx::Error::Encode(_)) {
            return true;
        }
        let Some(err) = source.as_database_error() else { return false };
        #[cfg(feature = "postgres")]
        if let Some(err) = err.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            // data exception, integrity constraint violation, program limit exceeded
            return ["22", "23", "54"].iter().any(|class| err.code().starts_with(class));
        }
        // SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH; the low byte is the primary code
        let code = err.code().and_then(|code| code.parse::<i32>().ok());
        code.is_some_and(|code| matches!(code & 0xff, 18..=20))
    }

    /// Whether the database aborted because the amount was too large: a smaller one may succeed.
    pub(crate) fn is_too_much(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        let code = source.as_database_error().and_then(|err| err.code());
        // out_of_memory, query_canceled (timeout), protocol_violation (message too large)
        matches!(code.as_deref(), Some("53200" | "57014" | "08P01"))
    }
}

fn partitions(lost: &[Lease]) -> String {
    let noun = if lost.len() == 1 { "partition" } else { "partitions" };
    let numbers: Vec<_> = lost.iter().map(|lease| lease.partition.0.to_string()).collect();
    format!("{noun} {}", numbers.join(", "))
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Adds the operation to an error of the database.
pub(super) fn while_doing(doing: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |source| Error::Database { doing, source }
}
