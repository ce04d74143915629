//! Inserts of many rows, with bound values: several rows in one statement, because each statement is
//! a message to the thread of the connection.

use std::fmt::Write;

use sqlx::{
    AssertSqlSafe, SqliteConnection,
    query::Query,
    sqlite::{Sqlite, SqliteArguments},
};

use super::commit::Outcome;

/// How many rows the statements have. SQLite allows 32,766 values in one. With these sizes, a few
/// statements insert any number of rows, and each of them stays prepared.
const SIZES: [usize; 9] = [128, 64, 32, 16, 8, 4, 3, 2, 1];

/// A statement whose values are being bound.
pub(super) type Binding<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Inserts rows. `into` names the table and its columns, `columns` is their number, `conflict` is the
/// end of the statement, and `bind` binds the values of a row.
pub(super) async fn insert<'q, R: Sync>(
    tx: &mut SqliteConnection,
    (into, columns, conflict): (&str, usize, &str),
    rows: &'q [R],
    bind: impl Fn(Binding<'q>, &'q R) -> Binding<'q>,
) -> Outcome {
    let mut rest = rows;
    for size in SIZES {
        if rest.len() < size {
            continue;
        }
        let statement = statement(into, columns, size, conflict);
        while rest.len() >= size {
            let (chunk, later) = rest.split_at(size);
            rest = later;
            let query = sqlx::query(AssertSqlSafe(statement.clone()));
            chunk.iter().fold(query, &bind).execute(&mut *tx).await?;
        }
    }
    Ok(())
}

fn statement(into: &str, columns: usize, rows: usize, conflict: &str) -> String {
    let mut text = String::with_capacity(into.len() + 2 * rows * (columns + 1) + 64);
    // Writing to a text does not fail.
    let _ = write!(text, "insert into {into} values ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(?" } else { ",(?" });
        for _ in 1..columns {
            text.push_str(",?");
        }
        text.push(')');
    }
    text.push(' ');
    text.push_str(conflict);
    text
}
