//! Builds without the feature `postgres`: there is no address of a PostgreSQL database.

use std::{fmt, str::FromStr};

use super::store_url::{InvalidStoreUrl, Transport};

/// The address of a PostgreSQL database; this build has no PostgreSQL, so there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostgresUrl {}

impl PostgresUrl {
    pub(crate) fn has_password(&self) -> bool {
        match *self {}
    }

    pub(crate) fn with_password(&self, _: &str) -> Self {
        match *self {}
    }

    pub(super) fn transport(&self) -> Transport {
        match *self {}
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl FromStr for PostgresUrl {
    type Err = InvalidStoreUrl;

    fn from_str(_: &str) -> Result<Self, InvalidStoreUrl> {
        Err(InvalidStoreUrl::NoPostgres)
    }
}
