//! The columns of a PostgreSQL row. Codes are INT2, counts INT4, ids and instants INT8.

use sqlx::{Column, Decode, Row, Type, postgres::PgRow};

use crate::store::rows::Columns;

impl Columns for PgRow {
    fn int(&self, at: usize) -> sqlx::Result<i64> {
        any_width(self, at)
    }

    fn maybe_int(&self, at: usize) -> sqlx::Result<Option<i64>> {
        any_width(self, at)
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

/// Reads an integer by the width of its column. The driver's check accepts only INT8 as `i64`, but
/// its decoder reads every width.
fn any_width<'r, T>(row: &'r PgRow, at: usize) -> sqlx::Result<T>
where
    T: Decode<'r, sqlx::Postgres> + Type<sqlx::Postgres>,
{
    let column = row.try_column(at)?.type_info();
    let is_integer = <i64 as Type<sqlx::Postgres>>::compatible(column)
        || <i32 as Type<sqlx::Postgres>>::compatible(column)
        || <i16 as Type<sqlx::Postgres>>::compatible(column);
    if is_integer { row.try_get_unchecked(at) } else { row.try_get(at) }
}

#[cfg(test)]
mod tests {
    use fastjob_postgres::Postgres;
    use sqlx::{Connection, PgConnection};

    use super::*;

    #[tokio::test]
    async fn integers_of_every_width_are_read_and_no_other_type_is() {
        let database = Postgres::shared().fresh().await;
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        let row = sqlx::query(
            "select (-1)::int2, (-2)::int4, (-3)::int8, null::int2, null::int4, null::int8, \
             '44444444', 1::float8, true",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        for (at, value) in [(0, -1), (1, -2), (2, -3)] {
            assert_eq!(row.int(at).unwrap(), value);
            assert_eq!(row.maybe_int(at).unwrap(), Some(value));
            assert!(row.text(at).is_err(), "column {at}");
        }
        for null in 3..6 {
            assert_eq!(row.maybe_int(null).unwrap(), None);
            assert!(row.int(null).is_err(), "column {null}");
        }
        for other in 6..10 {
            assert!(row.int(other).is_err(), "column {other}");
            assert!(row.maybe_int(other).is_err(), "column {other}");
        }
        assert_eq!((row.text(6).unwrap(), row.flag(8).unwrap()), ("44444444", true));
    }
}
