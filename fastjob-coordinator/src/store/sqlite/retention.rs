//! Removes data older than its retention. Queries choose the rows, then one short transaction
//! removes them.

use std::collections::{HashMap, HashSet};

use fastjob_core::{JobId, JobName, ServiceName};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::Connection;

use super::{Sqlite, index};
use crate::store::{
    LifeId, Partition, Result,
    index::{Due, Removal, due, has_tasks},
    retention::{LIVES, MANY_LIVES, Piece, RetentionStore, piece, unused},
    rows::instant,
    while_doing,
};

const REMOVE: &str = "remove old tasks";

#[async_trait::async_trait]
impl RetentionStore for Sqlite {
    async fn remove_ended(&self, _only: Partition, before: Timestamp, rows: u32) -> Result<u64> {
        self.remove_piece(before, rows).await
    }

    async fn date_deleted_jobs(
        &self,
        _only: Partition,
        declared: &[(ServiceName, JobName)],
        since: Timestamp,
        now: Timestamp,
    ) -> Result<u64> {
        let names = declared.iter().map(|(service, name)| vec![service.as_str(), name.as_str()]);
        sqlx::query(
            "update jobs set updated_at = ?3 where deleted_at is not null and updated_at < ?2 \
             and (service, name) in (select value ->> 0, value ->> 1 from json_each(?1))",
        )
        .bind(Value::from_iter(names).to_string())
        .bind(since.as_millisecond())
        .bind(now.as_millisecond())
        .execute(&mut self.writer().await.connection)
        .await
        .map(|done| done.rows_affected())
        .map_err(while_doing("date deleted jobs"))
    }

    async fn remove_deleted_jobs(
        &self,
        _only: Partition,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<JobId>> {
        let doing = while_doing("remove deleted jobs");
        let deleted: Vec<(i64, i64)> = sqlx::query_as(
            "select id, updated_at from jobs where deleted_at is not null and updated_at < ? \
             and not exists (select 1 from child_starts c where c.job = jobs.id) \
             order by updated_at",
        )
        .bind(before.as_millisecond())
        .fetch_all(&self.readers)
        .await
        .map_err(&doing)?;
        // A deleted job has no new tasks, so one that has none now will not have any.
        let open = self.open_tasks().await?.jobs(Partition(0))?;
        let mut index = self.index().await?;
        let mut unused = Vec::new();
        for (job, since) in deleted {
            if unused.len() >= limit as usize {
                break;
            }
            let id = JobId(job);
            if !open.contains(&id) && !has_tasks(&mut index, id, instant(since)?).await? {
                unused.push(job);
            }
        }
        drop(index);
        let mut writer = self.writer().await;
        let mut tx = writer.connection.begin_with("begin immediate").await.map_err(&doing)?;
        let removed: Vec<i64> = sqlx::query_scalar(
            "delete from jobs where id in (select value from json_each(?1)) \
             and deleted_at is not null and updated_at < ?2 \
             and not exists (select 1 from child_starts c where c.job = jobs.id) returning id",
        )
        .bind(Value::from(unused).to_string())
        .bind(before.as_millisecond())
        .fetch_all(&mut *tx)
        .await
        .map_err(&doing)?;
        for of_removed in [
            "delete from cursors where job in (select value from json_each(?))",
            "delete from fired_ahead where job in (select value from json_each(?))",
            "delete from job_versions where job in (select value from json_each(?))",
        ] {
            sqlx::query(of_removed)
                .bind(Value::from(removed.clone()).to_string())
                .execute(&mut *tx)
                .await
                .map_err(&doing)?;
        }
        tx.commit().await.map_err(&doing)?;
        Ok(removed.into_iter().map(JobId).collect())
    }

    async fn remove_lives(
        &self,
        _only: &[Partition],
        current: &[LifeId],
        before: Timestamp,
    ) -> Result<u64> {
        let open = self.open_tasks().await?.lives(&[Partition(0)])?;
        self.remove_unused_lives(current, open, before)
            .await
            .map_err(while_doing("remove old executors"))
    }
}

impl Sqlite {
    async fn remove_piece(&self, before: Timestamp, rows: u32) -> Result<u64> {
        let doing = while_doing(REMOVE);
        loop {
            let mut index = self.index().await?;
            let due = due(&mut index, Partition(0), before, rows as usize).await?;
            drop(index);
            let tasks = Due::tasks(&due);
            let attempts = self.attempts_of(&tasks).await.map_err(&doing)?;
            let (first, removed) = match piece(&tasks, &attempts, rows) {
                Piece::First(count, removed) => (count, removed),
                Piece::PartOf(task) => return self.remove_part(task, rows).await.map_err(doing),
            };
            let removals = Due::removed(&due, first);
            if removals.is_empty() {
                return Ok(0);
            }
            let statements = [
                "delete from logs where attempt in (select id from attempts \
                 where task in (select value from json_each(?)))",
                "delete from logs where attempt in (select value from json_each(?))",
                "delete from keys where task in (select value from json_each(?))",
                "delete from checkpoints where task in (select value from json_each(?))",
                "delete from attempts where task in (select value from json_each(?))",
                "delete from tasks where id in (select value from json_each(?))",
            ];
            let tasks = tasks.get(..first).unwrap_or_default();
            self.delete(tasks, &statements, &removals).await.map_err(&doing)?;
            // If all of them were removed before, the next piece counts.
            if removed > 0 {
                return Ok(removed);
            }
        }
    }

    /// How many attempts with a row of their own each of the tasks has that exist.
    async fn attempts_of(&self, tasks: &[i64]) -> sqlx::Result<HashMap<i64, i64>> {
        let counts: Vec<(i64, i64)> = sqlx::query_as(
            "select id, (select count(*) from attempts where task = tasks.id) from tasks \
             where id in (select value from json_each(?))",
        )
        .bind(Value::from(tasks).to_string())
        .fetch_all(&self.readers)
        .await?;
        Ok(counts.into_iter().collect())
    }

    /// Removes some attempts of a task.
    async fn remove_part(&self, task: i64, rows: u32) -> sqlx::Result<u64> {
        let part: Vec<i64> = sqlx::query_scalar("select id from attempts where task = ? limit ?")
            .bind(task)
            .bind(rows)
            .fetch_all(&self.readers)
            .await?;
        let statements = [
            "delete from logs where attempt in (select value from json_each(?))",
            "delete from attempts where id in (select value from json_each(?))",
        ];
        self.delete(&part, &statements, &[]).await?;
        Ok(part.len() as u64)
    }

    /// Runs the statements for the ids and changes the index, in one transaction.
    async fn delete(
        &self,
        ids: &[i64],
        statements: &[&'static str],
        removals: &[Removal],
    ) -> sqlx::Result<()> {
        let ids = Value::from(ids).to_string();
        let mut writer = self.writer().await;
        let mut tx = writer.connection.begin_with("begin immediate").await?;
        // First: a merge that is in progress delays nothing else then.
        index::apply(&mut tx, removals).await?;
        for statement in statements {
            sqlx::query(*statement).bind(&ids).execute(&mut *tx).await?;
        }
        tx.commit().await
    }

    async fn remove_unused_lives(
        &self,
        current: &[LifeId],
        open: HashSet<LifeId>,
        before: Timestamp,
    ) -> sqlx::Result<u64> {
        // The newest life is kept, because the next one is numbered after it.
        let old: Vec<i64> = sqlx::query_scalar(
            "select id from lives where since < ?1 \
             and id not in (select value from json_each(?2)) \
             and id < (select max(id) from lives) order by id limit ?3",
        )
        .bind(before.as_millisecond())
        .bind(Value::from_iter(current.iter().map(|life| life.0)).to_string())
        .bind(LIVES)
        .fetch_all(&self.readers)
        .await?;
        if old.len() < MANY_LIVES {
            return Ok(0);
        }
        let mut used: Vec<i64> = sqlx::query_scalar(
            "select life from tasks where life in (select value from json_each(?1)) \
             union select life from attempts where life in (select value from json_each(?1))",
        )
        .bind(Value::from(old.clone()).to_string())
        .fetch_all(&self.readers)
        .await?;
        used.extend(open.into_iter().map(|life| life.0));
        let removed = sqlx::query("delete from lives where id in (select value from json_each(?))")
            .bind(Value::from(unused(old, used)).to_string())
            .execute(&mut self.writer().await.connection)
            .await?;
        Ok(removed.rows_affected())
    }
}
