//! Manual repairs. They lock the rows of all partitions, so that no node that starts meanwhile
//! takes one. They also raise the terms, so that a node that is not alive can no longer write.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::{Connection, PgConnection, postgres::PgRow};

use super::{Postgres, connection::again, fence::REPLAYING, history, index, partition};
use crate::store::{
    Error, Marks, Partition, RepairStore, Result, Survey,
    index::Rebuild,
    journal::{self, Journal, pieces},
    repair::{INDEXED, check_room},
    rows::{index::indexed, instant},
    while_doing,
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
            let journals = journals(line).await?;
            Ok((later_than(line, rows, now).await?, journals))
        }));
        let (found, journals) = found.map_err(while_doing("read the store"))?;
        found.survey(attempts(&journals?, now))
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
            sqlx::query(REPLAYING).execute(&mut *tx).await?;
            let mut journals = match journals(&mut tx).await? {
                Ok(journals) => journals,
                Err(unreadable) => return Ok(Done::Found(Err(unreadable))),
            };
            let attempts = attempts(&journals, now);
            for statement in [
                "update partitions set watermark = $1 where watermark > $1",
                "update partitions set clock = $1 where clock > $1",
                "update jobs set anchor = $1 where anchor > $1",
                "delete from cursors where at > $1",
                "delete from fired_ahead where at > $1",
            ] {
                sqlx::query(statement).bind(now.as_millisecond()).execute(&mut *tx).await?;
            }
            for (partition, journal) in &mut journals {
                let records = journal::set_back(*partition, journal, now);
                for some in pieces(&records) {
                    history::records(&mut tx, some).await?;
                }
            }
            sqlx::query(END_LEASES).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(Done::Found(Ok((found, attempts))))
        }));
        let (found, attempts) =
            done.map_err(while_doing("set back the clocks of the store"))?.found()??;
        found.survey(attempts)
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

    async fn count_tasks(&self) -> Result<u64> {
        let readers = self.readers.patient();
        let count = sqlx::query_scalar("select count(*) from tasks").fetch_one(&readers);
        let count: i64 = count.await.map_err(while_doing("count the history"))?;
        Ok(count.unsigned_abs())
    }

    async fn rebuild_index(&self) -> Result<u64> {
        let doing = while_doing("build the index of tasks");
        // Not in `with`, whose limit is for commits: a long history takes minutes.
        let mut line = self.writer.connect().await.map_err(&doing)?;
        let mut tx = line.begin().await.map_err(&doing)?;
        sqlx::query(LOCKED).execute(&mut *tx).await.map_err(&doing)?;
        let alive = alive(&mut tx).await.map_err(&doing)?;
        if !alive.is_empty() {
            return Err(Error::Alive(alive));
        }
        for statement in ["delete from index_segments", "delete from index_blocks"] {
            sqlx::query(statement).execute(&mut *tx).await.map_err(&doing)?;
        }
        let (mut rebuild, mut count) = (Rebuild::new(self.partitions), 0);
        let mut after = i64::MIN;
        loop {
            let rows = sqlx::query(INDEXED).bind(after).fetch_all(&mut *tx);
            let rows = rows.await.map_err(&doing)?;
            let ended = rows.iter().map(indexed).collect::<Result<Vec<_>>>()?;
            let Some(last) = ended.last() else { break };
            (after, count) = (last.task.0, count + ended.len() as u64);
            for segment in rebuild.add(ended) {
                index::write(&mut tx, &[segment]).await.map_err(&doing)?;
            }
        }
        for segment in rebuild.finish() {
            index::write(&mut tx, &[segment]).await.map_err(&doing)?;
        }
        sqlx::query(END_LEASES).execute(&mut *tx).await.map_err(&doing)?;
        tx.commit().await.map_err(doing)?;
        Ok(count)
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
    clock: i64,
}

impl Found {
    fn survey(self, attempts: usize) -> Result<Survey> {
        let marks = self.rows.into_iter().map(marks).collect::<Result<_>>()?;
        Ok(Survey::new(marks, self.anchors, attempts, Some(instant(self.clock)?)))
    }
}

async fn later_than(
    line: &mut PgConnection,
    rows: Vec<Row>,
    now: Timestamp,
) -> sqlx::Result<Found> {
    let (anchors, clock) = sqlx::query_as(
        "select (select count(*) from jobs where anchor > $1), \
         cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
    )
    .bind(now.as_millisecond())
    .fetch_one(line)
    .await?;
    Ok(Found { rows, anchors, clock })
}

/// The journals of all partitions.
async fn journals(line: &mut PgConnection) -> sqlx::Result<Result<BTreeMap<Partition, Journal>>> {
    let rows = sqlx::query("select partition, seq, record from journal order by partition, seq")
        .fetch_all(line)
        .await?;
    Ok(replay(&rows))
}

fn replay(rows: &[PgRow]) -> Result<BTreeMap<Partition, Journal>> {
    let mut records: BTreeMap<Partition, Vec<_>> = BTreeMap::new();
    for row in rows {
        let (partition, seq, bytes) = history::record(row)?;
        records.entry(partition).or_default().push(Ok((seq, bytes)));
    }
    let replayed = |(partition, records)| Ok((partition, Journal::replay(records)?));
    records.into_iter().map(replayed).collect()
}

/// How many open attempts were created later than `now`.
fn attempts(journals: &BTreeMap<Partition, Journal>, now: Timestamp) -> usize {
    journals.values().map(|journal| journal::later_than(journal, now)).sum()
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
