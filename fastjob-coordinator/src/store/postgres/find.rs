//! Reads the index and the history for lists.

use std::collections::HashSet;

use fastjob_core::{ExecutorName, JobId, ServiceName, TaskId};
use jiff::Timestamp;
use sqlx::{
    QueryBuilder, Row, Transaction,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::{
    Postgres, filters,
    index::{READ, ids, segments},
    int,
    readers::Readers,
};
use crate::store::{
    JobEnd, LifeId, Partition, Result, TaskFilter,
    index::{Block, END, Entry, Found, IndexReader, Range, Segment},
    rows::index::{attempted, block, found, job_end},
    while_doing,
};

/// Reads the index and the history as of one instant.
pub(super) struct Reader {
    tx: Transaction<'static, sqlx::Postgres>,
    readers: Readers,
    partitions: u32,
}

impl Postgres {
    /// Begins to read the index.
    pub(super) async fn index(&self) -> Result<Reader> {
        let readers = self.readers.clone();
        let begun = readers.limited(async {
            let mut tx = readers.begin().await?;
            sqlx::query("set transaction isolation level repeatable read, read only")
                .execute(&mut *tx)
                .await?;
            Ok(tx)
        });
        let tx = begun.await.map_err(while_doing(READ))?;
        Ok(Reader { tx, readers, partitions: self.partitions })
    }
}

#[async_trait::async_trait]
impl IndexReader for Reader {
    async fn segments(&mut self, of: Option<JobId>) -> Result<Vec<Segment>> {
        let of = of.map(|job| int(Partition::of_id(job.0, self.partitions).0));
        segments(&self.readers, &mut *self.tx, "$1::int4 is null or partition = $1", of).await
    }

    async fn segments_before(
        &mut self,
        partition: Partition,
        before: Timestamp,
    ) -> Result<Vec<Segment>> {
        let before = before.as_millisecond();
        let condition = format!("partition = $1 and end_at < {before}");
        segments(&self.readers, &mut *self.tx, &condition, Some(int(partition.0))).await
    }

    async fn blocks(&mut self, of: &[(Segment, Entry)]) -> Result<Vec<(usize, Block)>> {
        let sql = "select at.place, found.kind, found.value, found.task, found.entries \
             from unnest($1::int4[], $2::smallint[], $3::bigint[], $4::smallint[], $5::bigint[], \
             $6::bigint[]) with ordinality \
             as at (partition, level, number, kind, value, task, place) \
             cross join lateral (select b.kind, b.value, b.task, b.entries from index_blocks b \
             where b.partition = at.partition and b.level = at.level and b.number = at.number \
             and (b.kind, b.value, b.task) <= (at.kind, at.value, at.task) \
             order by b.kind desc, b.value desc, b.task desc limit 1) as found";
        let rows = self.readers.limited(at(sql, of).fetch_all(&mut *self.tx)).await;
        rows.map_err(while_doing(READ))?.iter().map(placed).collect()
    }

    async fn blocks_after(
        &mut self,
        of: &[(Segment, Entry)],
        last: Entry,
        limit: u32,
    ) -> Result<Vec<(usize, Block)>> {
        let sql = "select at.place, found.kind, found.value, found.task, found.entries \
             from unnest($1::int4[], $2::smallint[], $3::bigint[], $4::smallint[], $5::bigint[], \
             $6::bigint[]) with ordinality \
             as at (partition, level, number, kind, value, task, place) \
             cross join lateral (select b.kind, b.value, b.task, b.entries from index_blocks b \
             where b.partition = at.partition and b.level = at.level and b.number = at.number \
             and (b.kind, b.value, b.task) > (at.kind, at.value, at.task) \
             and (b.kind, b.value, b.task) <= ($7, $8, $9) \
             order by b.kind, b.value, b.task limit $10) as found \
             order by at.place, found.kind, found.value, found.task";
        let query = at(sql, of)
            .bind(i16::from(last.key.kind))
            .bind(last.key.value)
            .bind(last.task)
            .bind(i64::from(limit));
        let rows = self.readers.limited(query.fetch_all(&mut *self.tx)).await;
        rows.map_err(while_doing(READ))?.iter().map(placed).collect()
    }

    async fn ends(&mut self, tasks: &[i64]) -> Result<Vec<(JobId, JobEnd)>> {
        let rows = self.rows(filters::ends(tasks)).await?;
        rows.iter().map(job_end).collect()
    }

    async fn firsts(&mut self, of: &[Segment]) -> Result<Vec<(usize, i64)>> {
        let (partitions, levels, numbers) = ids(of);
        let rows = sqlx::query_as(
            "select of.place, b.task \
             from unnest($1::int4[], $2::smallint[], $3::bigint[]) with ordinality \
             as of (partition, level, number, place) \
             join index_blocks b on b.partition = of.partition and b.level = of.level \
             and b.number = of.number and b.kind = $4",
        )
        .bind(partitions)
        .bind(levels)
        .bind(numbers)
        .bind(i16::from(END))
        .fetch_all(&mut *self.tx);
        let rows: Vec<(i64, i64)> = self.readers.limited(rows).await.map_err(while_doing(READ))?;
        Ok(rows.into_iter().map(|(nth, task)| (place(nth), task)).collect())
    }

    async fn created(&mut self, tasks: &[i64]) -> Result<Vec<(i64, i64)>> {
        let rows = sqlx::query_as("select id, created_at from tasks where id = any($1)")
            .bind(tasks)
            .fetch_all(&mut *self.tx);
        self.readers.limited(rows).await.map_err(while_doing(READ))
    }

    async fn found(&mut self, tasks: &[i64], filter: &TaskFilter) -> Result<Vec<Found>> {
        let rows = self.rows(filters::tasks(tasks, filter)).await?;
        rows.iter().map(found).collect()
    }

    async fn history(
        &mut self,
        range: Range,
        filter: &TaskFilter,
        limit: usize,
    ) -> Result<Vec<Found>> {
        let rows = self.rows(filters::history(range, filter, limit)).await?;
        rows.iter().map(found).collect()
    }

    async fn jobs_of(&mut self, jobs: &[JobId], service: &ServiceName) -> Result<HashSet<JobId>> {
        let rows = self.rows(filters::jobs(jobs, service)).await?;
        rows.iter().map(|row| Ok(JobId(row.try_get(0).map_err(while_doing(READ))?))).collect()
    }

    async fn lives_of(&mut self, executor: &ExecutorName) -> Result<HashSet<LifeId>> {
        let rows = self.rows(filters::lives(executor)).await?;
        rows.iter().map(|row| Ok(LifeId(row.try_get(0).map_err(while_doing(READ))?))).collect()
    }

    async fn attempted(
        &mut self,
        tasks: &[TaskId],
        filter: &TaskFilter,
    ) -> Result<Vec<(TaskId, bool, bool)>> {
        let rows = self.rows(filters::attempted(tasks, filter)).await?;
        rows.iter().map(attempted).collect()
    }
}

impl Reader {
    async fn rows(&mut self, mut query: QueryBuilder<sqlx::Postgres>) -> Result<Vec<PgRow>> {
        let rows = query.build().fetch_all(&mut *self.tx);
        self.readers.limited(rows).await.map_err(while_doing(READ))
    }
}

/// A query of places in segments, with its first six values.
fn at(sql: &'static str, of: &[(Segment, Entry)]) -> Query<'static, sqlx::Postgres, PgArguments> {
    sqlx::query(sql)
        .bind(of.iter().map(|(segment, _)| int(segment.partition.0)).collect::<Vec<_>>())
        .bind(of.iter().map(|(segment, _)| segment.level).collect::<Vec<_>>())
        .bind(of.iter().map(|(segment, _)| segment.number).collect::<Vec<_>>())
        .bind(of.iter().map(|(_, at)| i16::from(at.key.kind)).collect::<Vec<_>>())
        .bind(of.iter().map(|(_, at)| at.key.value).collect::<Vec<_>>())
        .bind(of.iter().map(|(_, at)| at.task).collect::<Vec<_>>())
}

/// Reads a block with the place of its segment.
fn placed(row: &PgRow) -> Result<(usize, Block)> {
    Ok((place(row.try_get(0).map_err(while_doing(READ))?), block(row, 1)?))
}

/// A place in a slice. The database counts from one.
fn place(nth: i64) -> usize {
    usize::try_from(nth).unwrap_or(usize::MAX).saturating_sub(1)
}
