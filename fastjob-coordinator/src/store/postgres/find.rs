//! Reads the index and the history for lists.

use std::collections::HashSet;

use fastjob_core::{ExecutorName, JobId, ServiceName, TaskId};
use jiff::Timestamp;
use sqlx::{QueryBuilder, Row, Transaction, postgres::PgRow};

use super::{
    Postgres, filters,
    index::{READ, ids, segments},
    int, partition,
    readers::Readers,
};
use crate::store::{
    JobEnd, LifeId, Partition, Result, TaskFilter,
    index::{Block, Created, END, Entry, Found, IndexReader, Range, Segment},
    rows::index::{attempted, block, created, found, job_end},
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
        let rows = self
            .readers
            .limited(
                sqlx::query(
                    "select at.place, found.kind, found.value, found.task, found.entries \
             from unnest($1::int4[], $2::smallint[], $3::bigint[], $4::smallint[], $5::bigint[], \
             $6::bigint[]) with ordinality \
             as at (partition, level, number, kind, value, task, place) \
             cross join lateral (select b.kind, b.value, b.task, b.entries from index_blocks b \
             where b.partition = at.partition and b.level = at.level and b.number = at.number \
             and (b.kind, b.value, b.task) <= (at.kind, at.value, at.task) \
             order by b.kind desc, b.value desc, b.task desc limit 1) as found",
                )
                .bind(of.iter().map(|(segment, _)| int(segment.partition.0)).collect::<Vec<_>>())
                .bind(of.iter().map(|(segment, _)| segment.level).collect::<Vec<_>>())
                .bind(of.iter().map(|(segment, _)| segment.number).collect::<Vec<_>>())
                .bind(of.iter().map(|(_, at)| i16::from(at.key.kind)).collect::<Vec<_>>())
                .bind(of.iter().map(|(_, at)| at.key.value).collect::<Vec<_>>())
                .bind(of.iter().map(|(_, at)| at.task).collect::<Vec<_>>())
                .fetch_all(&mut *self.tx),
            )
            .await
            .map_err(while_doing(READ))?;
        let read = |row: &PgRow| {
            let place: i64 = row.try_get(0).map_err(while_doing(READ))?;
            // Places count from one.
            let place = usize::try_from(place).unwrap_or(usize::MAX).saturating_sub(1);
            Ok((place, block(row, 1)?))
        };
        rows.iter().map(read).collect()
    }

    async fn blocks_after(
        &mut self,
        segment: &Segment,
        first: Entry,
        limit: u32,
    ) -> Result<Vec<Block>> {
        let rows = self
            .readers
            .limited(
                sqlx::query(
                    "select kind, value, task, entries from index_blocks \
             where partition = $1 and level = $2 and number = $3 \
             and (kind, value, task) > ($4, $5, $6) order by kind, value, task limit $7",
                )
                .bind(int(segment.partition.0))
                .bind(segment.level)
                .bind(segment.number)
                .bind(i16::from(first.key.kind))
                .bind(first.key.value)
                .bind(first.task)
                .bind(i64::from(limit))
                .fetch_all(&mut *self.tx),
            )
            .await;
        rows.map_err(while_doing(READ))?.iter().map(|row| block(row, 0)).collect()
    }

    async fn ends(&mut self, tasks: &[i64]) -> Result<Vec<(JobId, JobEnd)>> {
        let rows = self.rows(filters::ends(tasks)).await?;
        rows.iter().map(job_end).collect()
    }

    async fn sample(&mut self, segments: &[Segment]) -> Result<Vec<Created>> {
        let (partitions, levels, numbers) = ids(segments);
        let rows = sqlx::query(
            "select t.id, t.created_at, b.partition \
             from unnest($1::int4[], $2::smallint[], $3::bigint[]) as s (partition, level, number) \
             join index_blocks b on b.partition = s.partition and b.level = s.level \
             and b.number = s.number and b.kind = $4 join tasks t on t.id = b.task",
        )
        .bind(partitions)
        .bind(levels)
        .bind(numbers)
        .bind(i16::from(END))
        .fetch_all(&mut *self.tx);
        let rows = self.readers.limited(rows).await.map_err(while_doing(READ))?;
        let read = |row: &PgRow| {
            let of: i32 = row.try_get(2).map_err(while_doing(READ))?;
            created(row, partition(of)?)
        };
        rows.iter().map(read).collect()
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
