//! The index of the history.

use std::collections::HashSet;

use fastjob_core::{ExecutorName, JobId, ServiceName, TaskId};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Connection, SqliteConnection, SqliteExecutor, Transaction, sqlite::SqliteRow,
};

use super::{Sqlite, commit::Outcome, find, many::insert};
use crate::store::{
    Bucket, IndexStore, JobEnd, LifeId, Partition, Result, StatFilter, StatStore, TaskFilter,
    index::{
        Block, Entry, Found, IndexReader, MERGED, Merge, NewSegment, Range, Removal, Segment,
        aside, buckets, choose, merge, unreadable,
    },
    rows::index::{END, attempted, block, end, found, segment},
    while_doing,
};

const READ: &str = "read the index of tasks";
const WRITE: &str = "write the index of tasks";

/// The only partition.
const ALL: Partition = Partition(0);

/// Reads the index and the history as of one instant.
pub(super) struct Reader<'c> {
    tx: Transaction<'c, sqlx::Sqlite>,
}

impl Sqlite {
    /// Begins to read the index.
    pub(super) async fn index(&self) -> Result<Reader<'_>> {
        let tx = self.readers.begin().await.map_err(while_doing(READ))?;
        Ok(Reader { tx })
    }
}

#[async_trait::async_trait]
impl IndexReader for Reader<'_> {
    async fn segments(&mut self, _of: Option<JobId>) -> Result<Vec<Segment>> {
        segments(&mut *self.tx, "level >= ?", 0).await
    }

    async fn segments_before(
        &mut self,
        _partition: Partition,
        before: Timestamp,
    ) -> Result<Vec<Segment>> {
        segments(&mut *self.tx, "end_at < ?", before.as_millisecond()).await
    }

    async fn blocks(&mut self, of: &[(Segment, Entry)]) -> Result<Vec<(usize, Block)>> {
        let mut found = Vec::with_capacity(of.len());
        for (place, (segment, at)) in of.iter().enumerate() {
            let row = sqlx::query(
                "select kind, value, task, entries from index_blocks \
                 where level = ? and number = ? and (kind, value, task) <= (?, ?, ?) \
                 order by kind desc, value desc, task desc limit 1",
            )
            .bind(segment.level)
            .bind(segment.number)
            .bind(at.key.kind)
            .bind(at.key.value)
            .bind(at.task)
            .fetch_optional(&mut *self.tx)
            .await
            .map_err(while_doing(READ))?;
            if let Some(row) = row {
                found.push((place, block(&row, 0)?));
            }
        }
        Ok(found)
    }

    async fn blocks_after(
        &mut self,
        segment: &Segment,
        first: Entry,
        limit: u32,
    ) -> Result<Vec<Block>> {
        let rows = sqlx::query(
            "select kind, value, task, entries from index_blocks \
             where level = ? and number = ? and (kind, value, task) > (?, ?, ?) \
             order by kind, value, task limit ?",
        )
        .bind(segment.level)
        .bind(segment.number)
        .bind(first.key.kind)
        .bind(first.key.value)
        .bind(first.task)
        .bind(limit)
        .fetch_all(&mut *self.tx)
        .await;
        rows.map_err(while_doing(READ))?.iter().map(|row| block(row, 0)).collect()
    }

    async fn ends(&mut self, tasks: &[i64]) -> Result<Vec<(JobId, JobEnd)>> {
        let sql =
            format!("select {END} from tasks t where t.id in (select value from json_each(?))");
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(Value::from(tasks).to_string())
            .fetch_all(&mut *self.tx)
            .await
            .map_err(while_doing(READ))?;
        rows.iter().map(end).collect()
    }

    async fn found(&mut self, tasks: &[i64], filter: &TaskFilter) -> Result<Vec<Found>> {
        let rows = find::tasks(tasks, filter).build().fetch_all(&mut *self.tx).await;
        rows.map_err(while_doing(READ))?.iter().map(found).collect()
    }

    async fn history(
        &mut self,
        range: Range,
        filter: &TaskFilter,
        limit: usize,
    ) -> Result<Vec<Found>> {
        let rows = find::history(range, filter, limit).build().fetch_all(&mut *self.tx).await;
        rows.map_err(while_doing(READ))?.iter().map(found).collect()
    }

    async fn jobs_of(&mut self, jobs: &[JobId], service: &ServiceName) -> Result<HashSet<JobId>> {
        let rows = find::jobs(jobs, service).build_query_scalar().fetch_all(&mut *self.tx).await;
        Ok(rows.map_err(while_doing(READ))?.into_iter().map(JobId).collect())
    }

    async fn lives_of(&mut self, executor: &ExecutorName) -> Result<HashSet<LifeId>> {
        let rows = find::lives(executor).build_query_scalar().fetch_all(&mut *self.tx).await;
        Ok(rows.map_err(while_doing(READ))?.into_iter().map(LifeId).collect())
    }

    async fn attempted(
        &mut self,
        tasks: &[TaskId],
        filter: &TaskFilter,
    ) -> Result<Vec<(TaskId, bool, bool)>> {
        let rows = find::attempted(tasks, filter).build().fetch_all(&mut *self.tx).await;
        rows.map_err(while_doing(READ))?.iter().map(attempted).collect()
    }
}

#[async_trait::async_trait]
impl StatStore for Sqlite {
    async fn stats(&self, filter: &StatFilter) -> Result<Vec<Bucket>> {
        buckets(&mut self.index().await?, filter).await
    }
}

#[async_trait::async_trait]
impl IndexStore for Sqlite {
    async fn merge_index(&self, _partitions: &[Partition]) -> Result<bool> {
        let mut tx = self.readers.begin().await.map_err(while_doing(READ))?;
        let segments = segments(&mut *tx, "level < ?", i64::from(MERGED)).await?;
        let Some(chosen) = choose(&segments) else { return Ok(false) };
        let mut blocks = Vec::with_capacity(chosen.sources.len());
        for source in &chosen.sources {
            blocks.push(blocks_of(&mut tx, source).await.map_err(while_doing(READ))?);
        }
        drop(tx);
        let merging = chosen.clone();
        match aside(move || merge(&merging, blocks)).await? {
            Ok(merged) => self.replace(&chosen, merged).await.map_err(while_doing(WRITE))?,
            Err(err) => {
                unreadable(&err);
                self.raise(&err.segment).await.map_err(while_doing(WRITE))?;
            }
        }
        Ok(true)
    }
}

impl Sqlite {
    /// Writes the result of a merge, unless one of the sources was removed meanwhile.
    async fn replace(&self, chosen: &Merge, merged: NewSegment) -> sqlx::Result<()> {
        let mut writer = self.writer.lock().await;
        let mut tx = writer.connection.begin_with("begin immediate").await?;
        for source in &chosen.sources {
            if !remove(&mut tx, source).await? {
                return tx.rollback().await;
            }
        }
        write(&mut tx, &[merged]).await?;
        tx.commit().await
    }
}

impl Sqlite {
    /// Leaves a segment out of later merges.
    async fn raise(&self, segment: &Segment) -> sqlx::Result<()> {
        let mut writer = self.writer.lock().await;
        let mut tx = writer.connection.begin_with("begin immediate").await?;
        for statement in [
            "update index_segments set level = ? where level = ? and number = ?",
            "update index_blocks set level = ? where level = ? and number = ?",
        ] {
            sqlx::query(statement)
                .bind(MERGED)
                .bind(segment.level)
                .bind(segment.number)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await
    }
}

/// The segments that match a condition with one value.
async fn segments(
    connection: impl SqliteExecutor<'_>,
    condition: &str,
    value: i64,
) -> Result<Vec<Segment>> {
    let sql = format!("select {} from index_segments where {condition}", Segment::COLUMNS);
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(value).fetch_all(connection).await;
    let read = |row: &SqliteRow| segment(row, ALL);
    rows.map_err(while_doing(READ))?.iter().map(read).collect()
}

/// Writes segments.
pub(super) async fn write(tx: &mut SqliteConnection, segments: &[NewSegment]) -> Outcome {
    for NewSegment { segment, blocks } in segments {
        sqlx::query(
            "insert into index_segments (level, number, tasks, not_succeeded, first_task, \
             last_task, first_created, last_created, end_at, end_task, last_end) \
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(segment.level)
        .bind(segment.number)
        .bind(segment.tasks)
        .bind(segment.not_succeeded)
        .bind(segment.first_task)
        .bind(segment.last_task)
        .bind(segment.first_created)
        .bind(segment.last_created)
        .bind(segment.end_at)
        .bind(segment.end_task)
        .bind(segment.last_end)
        .execute(&mut *tx)
        .await?;
        let columns = "index_blocks (level, number, kind, value, task, entries)";
        insert(tx, (columns, 6, ""), blocks, |query, block| {
            let Block { first: Entry { key, task }, bytes } = block;
            query
                .bind(segment.level)
                .bind(segment.number)
                .bind(key.kind)
                .bind(key.value)
                .bind(*task)
                .bind(bytes.as_slice())
        })
        .await?;
    }
    Ok(())
}

/// Changes the index after tasks were removed.
pub(super) async fn apply(tx: &mut SqliteConnection, removals: &[Removal]) -> Outcome {
    for removal in removals {
        match removal {
            Removal::Whole(segment) => {
                remove(tx, segment).await?;
            }
            Removal::Upto(segment, end, task) => {
                sqlx::query(
                    "update index_segments set end_at = ?, end_task = ? \
                     where level = ? and number = ?",
                )
                .bind(end)
                .bind(task)
                .bind(segment.level)
                .bind(segment.number)
                .execute(&mut *tx)
                .await?;
            }
        }
    }
    Ok(())
}

/// Removes a segment with its blocks. Returns whether it was there.
async fn remove(tx: &mut SqliteConnection, segment: &Segment) -> sqlx::Result<bool> {
    let removed = sqlx::query("delete from index_segments where level = ? and number = ?")
        .bind(segment.level)
        .bind(segment.number)
        .execute(&mut *tx)
        .await?;
    sqlx::query("delete from index_blocks where level = ? and number = ?")
        .bind(segment.level)
        .bind(segment.number)
        .execute(&mut *tx)
        .await?;
    Ok(removed.rows_affected() > 0)
}

async fn blocks_of(tx: &mut SqliteConnection, segment: &Segment) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar(
        "select entries from index_blocks where level = ? and number = ? \
         order by kind, value, task",
    )
    .bind(segment.level)
    .bind(segment.number)
    .fetch_all(tx)
    .await
}
