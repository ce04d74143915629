//! Reads rows of the database as records, for every store.
//!
//! Each store implements [`Columns`] for its rows, and keeps its own SQL. The readers find columns
//! by their position, so a statement selects them in the order that its reader expects. A value
//! that this release does not know is an error, never a default.

pub(super) mod alarms;
pub(super) mod children;
pub(super) mod drains;
pub(super) mod index;
pub(super) mod jobs;
pub(super) mod loaded;
pub(super) mod silences;
pub(super) mod tasks;
pub(super) mod versions;

use std::str::FromStr;

use fastjob_core::Shard;
use jiff::Timestamp;

use super::{Error, Result, while_doing};

/// The columns of a row, by position.
pub(super) trait Columns {
    /// An integer of any width.
    fn int(&self, at: usize) -> sqlx::Result<i64>;
    /// An integer of any width, or null.
    fn maybe_int(&self, at: usize) -> sqlx::Result<Option<i64>>;
    /// A text, not copied.
    fn text(&self, at: usize) -> sqlx::Result<&str>;
    /// A text, not copied, or null.
    fn maybe_text(&self, at: usize) -> sqlx::Result<Option<&str>>;
    /// Bytes, not copied.
    fn bytes(&self, at: usize) -> sqlx::Result<&[u8]>;
    /// The value of a condition.
    fn flag(&self, at: usize) -> sqlx::Result<bool>;
}

/// A row, and the operation that its errors name.
struct Reading<'r, R> {
    row: &'r R,
    doing: &'static str,
}

impl<'r, R: Columns> Reading<'r, R> {
    fn new(row: &'r R, doing: &'static str) -> Self {
        Self { row, doing }
    }

    fn int(&self, at: usize) -> Result<i64> {
        self.row.int(at).map_err(while_doing(self.doing))
    }

    fn maybe_int(&self, at: usize) -> Result<Option<i64>> {
        self.row.maybe_int(at).map_err(while_doing(self.doing))
    }

    fn number(&self, at: usize) -> Result<u32> {
        number(self.int(at)?)
    }

    fn instant(&self, at: usize) -> Result<Timestamp> {
        instant(self.int(at)?)
    }

    fn maybe_instant(&self, at: usize) -> Result<Option<Timestamp>> {
        self.maybe_int(at)?.map(instant).transpose()
    }

    /// The index and the total of a shard, in two columns.
    fn shard(&self, at: usize) -> Result<Shard> {
        Ok(Shard { index: self.number(at)?, total: self.number(at + 1)? })
    }

    fn text(&self, at: usize) -> Result<&'r str> {
        self.row.text(at).map_err(while_doing(self.doing))
    }

    /// A text as its owner wants it.
    fn maybe_text<T: From<&'r str>>(&self, at: usize) -> Result<Option<T>> {
        let text = self.row.maybe_text(at).map_err(while_doing(self.doing))?;
        Ok(text.map(T::from))
    }

    fn name<T: FromStr>(&self, at: usize) -> Result<T> {
        name(self.text(at)?)
    }

    fn maybe_name<T: FromStr>(&self, at: usize) -> Result<Option<T>> {
        self.maybe_text(at)?.map(name).transpose()
    }

    fn flag(&self, at: usize) -> Result<bool> {
        self.row.flag(at).map_err(while_doing(self.doing))
    }
}

/// Parses an instant.
pub(super) fn instant(millis: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(millis)
        .map_err(|_| Error::Corrupt { what: format!("the instant {millis}") })
}

/// Parses a name of any kind.
pub(super) fn name<T: FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::Corrupt { what: format!("the name `{text}`") })
}

fn number(value: i64) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::Corrupt { what: format!("the number {value}") })
}
