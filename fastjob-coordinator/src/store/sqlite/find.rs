//! Reads the index and the history for lists.

use std::collections::HashSet;

use fastjob_core::{ExecutorName, JobId, ServiceName, TaskId};
use jiff::Timestamp;
use sqlx::Transaction;

use super::{
    Sqlite, filters,
    index::{READ, segments},
};
use crate::store::{
    JobEnd, LifeId, Partition, Result, TaskFilter,
    index::{Block, END, Entry, Found, IndexReader, Range, Segment},
    rows::index::{attempted, block, found, job_end},
    while_doing,
};

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
        of: &[(Segment, Entry)],
        last: Entry,
        limit: u32,
    ) -> Result<Vec<(usize, Block)>> {
        let mut found = Vec::with_capacity(of.len());
        for (place, (segment, first)) in of.iter().enumerate() {
            let rows = sqlx::query(
                "select kind, value, task, entries from index_blocks \
                 where level = ? and number = ? and (kind, value, task) > (?, ?, ?) \
                 and (kind, value, task) <= (?, ?, ?) order by kind, value, task limit ?",
            )
            .bind(segment.level)
            .bind(segment.number)
            .bind(first.key.kind)
            .bind(first.key.value)
            .bind(first.task)
            .bind(last.key.kind)
            .bind(last.key.value)
            .bind(last.task)
            .bind(limit)
            .fetch_all(&mut *self.tx)
            .await
            .map_err(while_doing(READ))?;
            for row in &rows {
                found.push((place, block(row, 0)?));
            }
        }
        Ok(found)
    }

    async fn ends(&mut self, tasks: &[i64]) -> Result<Vec<(JobId, JobEnd)>> {
        let rows = filters::ends(tasks).build().fetch_all(&mut *self.tx).await;
        rows.map_err(while_doing(READ))?.iter().map(job_end).collect()
    }

    async fn firsts(&mut self, of: &[Segment]) -> Result<Vec<(usize, i64)>> {
        let mut firsts = Vec::new();
        for (place, segment) in of.iter().enumerate() {
            let tasks: Vec<i64> = sqlx::query_scalar(
                "select task from index_blocks where level = ? and number = ? and kind = ?",
            )
            .bind(segment.level)
            .bind(segment.number)
            .bind(END)
            .fetch_all(&mut *self.tx)
            .await
            .map_err(while_doing(READ))?;
            firsts.extend(tasks.into_iter().map(|task| (place, task)));
        }
        Ok(firsts)
    }

    async fn created(&mut self, tasks: &[i64]) -> Result<Vec<(i64, i64)>> {
        let rows = filters::created(tasks).build_query_as().fetch_all(&mut *self.tx).await;
        rows.map_err(while_doing(READ))
    }

    async fn found(&mut self, tasks: &[i64], filter: &TaskFilter) -> Result<Vec<Found>> {
        let rows = filters::tasks(tasks, filter).build().fetch_all(&mut *self.tx).await;
        rows.map_err(while_doing(READ))?.iter().map(found).collect()
    }

    async fn history(
        &mut self,
        range: Range,
        filter: &TaskFilter,
        limit: usize,
    ) -> Result<Vec<Found>> {
        let rows = filters::history(range, filter, limit).build().fetch_all(&mut *self.tx).await;
        rows.map_err(while_doing(READ))?.iter().map(found).collect()
    }

    async fn jobs_of(&mut self, jobs: &[JobId], service: &ServiceName) -> Result<HashSet<JobId>> {
        let rows = filters::jobs(jobs, service).build_query_scalar().fetch_all(&mut *self.tx).await;
        Ok(rows.map_err(while_doing(READ))?.into_iter().map(JobId).collect())
    }

    async fn lives_of(&mut self, executor: &ExecutorName) -> Result<HashSet<LifeId>> {
        let rows = filters::lives(executor).build_query_scalar().fetch_all(&mut *self.tx).await;
        Ok(rows.map_err(while_doing(READ))?.into_iter().map(LifeId).collect())
    }

    async fn attempted(
        &mut self,
        tasks: &[TaskId],
        filter: &TaskFilter,
    ) -> Result<Vec<(TaskId, bool, bool)>> {
        let rows = filters::attempted(tasks, filter).build().fetch_all(&mut *self.tx).await;
        rows.map_err(while_doing(READ))?.iter().map(attempted).collect()
    }
}
