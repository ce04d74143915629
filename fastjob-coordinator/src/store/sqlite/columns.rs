//! The columns of a SQLite row. Its integers have one width.

use sqlx::{Row, sqlite::SqliteRow};

use crate::store::rows::Columns;

impl Columns for SqliteRow {
    fn int(&self, at: usize) -> sqlx::Result<i64> {
        self.try_get(at)
    }

    fn maybe_int(&self, at: usize) -> sqlx::Result<Option<i64>> {
        self.try_get(at)
    }

    fn text(&self, at: usize) -> sqlx::Result<&str> {
        self.try_get(at)
    }

    fn maybe_text(&self, at: usize) -> sqlx::Result<Option<&str>> {
        self.try_get(at)
    }

    fn bytes(&self, at: usize) -> sqlx::Result<&[u8]> {
        self.try_get(at)
    }

    fn flag(&self, at: usize) -> sqlx::Result<bool> {
        self.try_get(at)
    }
}
