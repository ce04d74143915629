//! The statements of a transaction, with their values, which are run together.
//!
//! Each message to the thread of a connection wakes two threads. A transaction of a few tasks has ten
//! statements, and most of its time would be spent between them.

use rusqlite::{Connection, params_from_iter, types::Value};
use sqlx::{AssertSqlSafe, SqliteConnection};

/// Statements that return nothing, in their order.
#[derive(Debug, Default)]
pub(super) struct Script(Vec<Step>);

/// A statement, which is run once for each row of values.
#[derive(Debug)]
struct Step {
    sql: &'static str,
    /// Values of a row, at least one.
    columns: usize,
    values: Vec<Value>,
}

impl Script {
    /// Adds a statement that is run once, with at least one value.
    pub(super) fn add<const COLUMNS: usize>(
        &mut self,
        sql: &'static str,
        values: [Value; COLUMNS],
    ) {
        self.rows(sql, std::iter::once(values));
    }

    /// Adds a statement that is run for each row.
    pub(super) fn rows<const COLUMNS: usize>(
        &mut self,
        sql: &'static str,
        rows: impl ExactSizeIterator<Item = [Value; COLUMNS]>,
    ) {
        const { assert!(COLUMNS > 0, "a row has values") };
        if rows.len() == 0 {
            return;
        }
        let mut values = Vec::with_capacity(COLUMNS * rows.len());
        rows.for_each(|row| values.extend(row));
        self.0.push(Step { sql, columns: COLUMNS, values });
    }

    /// Runs the statements. Each of them stays prepared.
    pub(super) fn run(self, connection: &Connection) -> rusqlite::Result<()> {
        for Step { sql, columns, values } in self.0 {
            let mut statement = connection.prepare_cached(sql)?;
            for row in values.chunks_exact(columns) {
                statement.execute(params_from_iter(row))?;
            }
        }
        Ok(())
    }

    /// Runs the statements one by one on another connection.
    pub(super) async fn run_on(self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        for Step { sql, columns, values } in self.0 {
            let mut values = values.into_iter();
            while values.len() >= columns {
                let mut query = sqlx::query(AssertSqlSafe(sql));
                for value in values.by_ref().take(columns) {
                    query = match value {
                        Value::Null => query.bind(None::<i64>),
                        Value::Integer(number) => query.bind(number),
                        Value::Real(number) => query.bind(number),
                        Value::Text(text) => query.bind(text),
                        Value::Blob(bytes) => query.bind(bytes),
                    };
                }
                query.execute(&mut *connection).await?;
            }
        }
        Ok(())
    }
}

/// A text or null.
pub(super) fn maybe_text(text: Option<impl AsRef<str>>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(text.as_ref().to_owned()))
}
