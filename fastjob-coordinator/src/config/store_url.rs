//! The address of the store.

use std::{fmt, path::PathBuf, str::FromStr};

use super::PostgresUrl;

const FORMS: &str = "write it like `sqlite:fastjob-data/fastjob.db` or \
                     `postgres://user:password@host:5432/database`";

/// Where the coordinator stores its data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// The embedded store in this file.
    Sqlite(PathBuf),
    /// A PostgreSQL database, which several coordinators may share.
    Postgres(PostgresUrl),
}

/// The options that are supported after `?`. Others are rejected, because they would have no
/// effect.
pub(super) const OPTIONS: [&str; 9] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "user",
    "application_name",
    "options",
];

/// How a connection to a database is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// The database is on this machine, or its identity is verified.
    Safe,
    /// The operator chose a weaker mode, with this weakness.
    Weak(&'static str),
    /// No mode is set, and the driver would fall back to plain text.
    NotSaid,
    /// `prefer` or `allow`: a host on the network path can force plain text.
    Falls,
}

impl StoreUrl {
    /// The kind of store, as the API names it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }
}

impl Default for StoreUrl {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("fastjob-data/fastjob.db"))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// Why a text is not the address of a store. Never contains the text, which may include a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidStoreUrl {
    /// The address of the PostgreSQL database cannot be parsed.
    #[error("the address of the database is invalid; {FORMS}")]
    Postgres,
    /// This build has no PostgreSQL.
    #[error("this build has no PostgreSQL: build it with the feature `postgres`")]
    NoPostgres,
    /// It has an unsupported option.
    #[error("only {} are supported after `?`; {FORMS}", OPTIONS.join(", "))]
    PostgresOptions,
    /// It has no host.
    #[error("the host is missing; {FORMS}")]
    NoHost,
    /// It has no database.
    #[error("the name of the database is missing; {FORMS}")]
    NoDatabase,
    /// It has no file.
    #[error("the path of the file is missing; {FORMS}")]
    NoPath,
    /// A store in memory would not persist anything.
    #[error("a store in memory would not persist anything; {FORMS}")]
    Memory,
    /// It has options after the file.
    #[error("options after `?` are not supported; {FORMS}")]
    Options,
    /// The kind of store is unknown.
    #[error("unknown kind of store; {FORMS}")]
    Unknown,
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    /// Reads `sqlite:PATH`, `sqlite://PATH`, or what [`PostgresUrl`] reads.
    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        let (scheme, rest) = text.split_once(':').ok_or(InvalidStoreUrl::Unknown)?;
        match scheme {
            "sqlite" => {}
            "postgres" | "postgresql" => return text.parse().map(Self::Postgres),
            _ => return Err(InvalidStoreUrl::Unknown),
        }
        match rest.strip_prefix("//").unwrap_or(rest) {
            "" => Err(InvalidStoreUrl::NoPath),
            path if path.contains(":memory:") => Err(InvalidStoreUrl::Memory),
            path if path.contains('?') => Err(InvalidStoreUrl::Options),
            path => Ok(Self::Sqlite(PathBuf::from(path))),
        }
    }
}
