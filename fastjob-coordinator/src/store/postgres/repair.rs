//! Manual repairs. They lock the rows of all partitions, so that no node that starts meanwhile
//! takes one. They also raise the terms, so that a node that is not alive can no longer write.

use jiff::Timestamp;
use sqlx::{Connection, PgConnection};

use super::{Postgres, connection::again, partition};
use crate::store::{
    Error, Marks, RepairStore, Result, Survey, repair::check_room, rows::instant, while_doing,
};

/// A partition with its watermark, clock and ids.
type Row = (i32, Option<i64>, Option<i64>, i64);

const ROWS: &str =
    "select partition, watermark, clock, ids_until from partitions order by partition";
const LOCKED: &str = "select partition, watermark, clock, ids_until from partitions \
                      order by partition for update";
const END_LEASES: &str = "update partitions set node = null, term = greatest(term + 1, \
                          cast(extract(epoch from clock_timestamp()) as bigint))";

/// The result of a repair, or the nodes that prevent it.
enum Done<T> {
    Found(T),
    Alive(Vec<String>),
}

#[async_trait::async_trait]
impl RepairStore for Postgres {
    async fn survey(&self, now: Timestamp) -> Result<Survey> {
        let found = again!(self.writer.with(async |line| {
            let rows: Vec<Row> = sqlx::query_as(ROWS).fetch_all(&mut *line).await?;
            later_than(line, rows, now).await
        }));
        found.map_err(while_doing("read the store"))?.survey()
    }

    async fn set_back(&self, now: Timestamp) -> Result<Survey> {
        let done = again!(self.writer.with(async |line| {
            let mut tx = line.begin().await?;
            let rows: Vec<Row> = sqlx::query_as(LOCKED).fetch_all(&mut *tx).await?;
            let alive = alive(&mut tx).await?;
            if !alive.is_empty() {
                tx.rollback().await?;
                return Ok(Done::Alive(alive));
            }
            let found = later_than(&mut tx, rows, now).await?;
            for statement in [
                "update partitions set watermark = $1 where watermark > $1",
                "update partitions set clock = $1 where clock > $1",
                "update jobs set anchor = $1 where anchor > $1",
                "delete from cursors where at > $1",
                "delete from fired_ahead where at > $1",
                "update attempts set due_at = case when life is null \
                 then $1 + due_at - created_at else $1 end \
                 where state = 0 and created_at > $1 and due_at >= created_at",
            ] {
                sqlx::query(statement).bind(now.as_millisecond()).execute(&mut *tx).await?;
            }
            sqlx::query(END_LEASES).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(Done::Found(found))
        }));
        done.map_err(while_doing("set back the clocks of the store"))?.found()?.survey()
    }

    async fn lift_ids(&self, by: i64) -> Result<Vec<Marks>> {
        let done = again!(self.writer.with(async |line| {
            let mut tx = line.begin().await?;
            let rows: Vec<Row> = sqlx::query_as(LOCKED).fetch_all(&mut *tx).await?;
            let alive = alive(&mut tx).await?;
            if !alive.is_empty() {
                tx.rollback().await?;
                return Ok(Done::Alive(alive));
            }
            let until = rows.iter().map(|row| row.3).max().unwrap_or_default();
            if let Err(full) = check_room(until, by) {
                tx.rollback().await?;
                return Ok(Done::Found(Err(full)));
            }
            sqlx::query("update partitions set ids_until = ids_until + $1")
                .bind(by)
                .execute(&mut *tx)
                .await?;
            sqlx::query(END_LEASES).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(Done::Found(Ok(rows)))
        }));
        let rows = done.map_err(while_doing("raise the ids of the store"))?.found()??;
        rows.into_iter().map(marks).collect()
    }
}

impl<T> Done<T> {
    fn found(self) -> Result<T> {
        match self {
            Self::Found(found) => Ok(found),
            Self::Alive(nodes) => Err(Error::Alive(nodes)),
        }
    }
}

/// What the database contains.
struct Found {
    rows: Vec<Row>,
    anchors: i64,
    attempts: i64,
    clock: i64,
}

impl Found {
    fn survey(self) -> Result<Survey> {
        let marks = self.rows.into_iter().map(marks).collect::<Result<_>>()?;
        Ok(Survey::new(marks, self.anchors, self.attempts, Some(instant(self.clock)?)))
    }
}

async fn later_than(
    line: &mut PgConnection,
    rows: Vec<Row>,
    now: Timestamp,
) -> sqlx::Result<Found> {
    let (anchors, attempts, clock) = sqlx::query_as(
        "select (select count(*) from jobs where anchor > $1), \
         (select count(*) from attempts \
         where state = 0 and created_at > $1 and due_at >= created_at), \
         cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
    )
    .bind(now.as_millisecond())
    .fetch_one(line)
    .await?;
    Ok(Found { rows, anchors, attempts, clock })
}

/// The addresses of the nodes that are alive.
async fn alive(line: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("select address from nodes where until > clock_timestamp() order by address")
        .fetch_all(line)
        .await
}

fn marks((number, watermark, clock, ids_until): Row) -> Result<Marks> {
    Ok(Marks {
        partition: partition(number)?,
        watermark: watermark.map(instant).transpose()?,
        clock: clock.map(instant).transpose()?,
        ids_until,
    })
}
