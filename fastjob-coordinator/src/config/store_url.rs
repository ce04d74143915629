//! Where the store is.

use std::{fmt, path::PathBuf, str::FromStr};

const FORMS: &str = "write it like `sqlite:fastjob-data/fastjob.db`";

/// Where the coordinator keeps what it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// The embedded store in this file.
    Sqlite(PathBuf),
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
        }
    }
}

/// Why a text names no store. Never holds the text, which may have a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidStoreUrl {
    /// It is a store of a later release.
    #[error("this release has no PostgreSQL store yet; {FORMS}")]
    Postgres,
    /// There is no file in it.
    #[error("no file is named; {FORMS}")]
    NoPath,
    /// It would forget everything.
    #[error("a store in memory would forget everything; {FORMS}")]
    Memory,
    /// It has something after the file.
    #[error("options after `?` are not taken; {FORMS}")]
    Options,
    /// It is something else.
    #[error("no such kind of store is known; {FORMS}")]
    Unknown,
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    /// Reads `sqlite:PATH` or `sqlite://PATH`.
    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        let (scheme, rest) = text.split_once(':').ok_or(InvalidStoreUrl::Unknown)?;
        match scheme {
            "sqlite" => {}
            "postgres" | "postgresql" => return Err(InvalidStoreUrl::Postgres),
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
