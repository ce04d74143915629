//! Removes data older than its retention. Queries choose the rows, then one short transaction
//! removes them.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use fastjob_core::{JobId, JobName, ServiceName};
use jiff::Timestamp;

use super::{COMMIT, Postgres, connection::again, index, int, late};
use crate::store::{
    LifeId, Partition, Result,
    index::{Due, Removal, due, has_tasks},
    retention::{LIVES, MANY_LIVES, Piece, RetentionStore, piece, unused},
    rows::instant,
    while_doing,
};

const REMOVE: &str = "remove old tasks";
/// How long reading all attempts may take.
const SCAN: Duration = Duration::from_secs(300);

#[async_trait::async_trait]
impl RetentionStore for Postgres {
    async fn remove_ended(
        &self,
        partition: Partition,
        before: Timestamp,
        rows: u32,
    ) -> Result<u64> {
        self.remove_piece(partition, before, rows).await
    }

    async fn date_deleted_jobs(
        &self,
        partition: Partition,
        declared: &[(ServiceName, JobName)],
        since: Timestamp,
        now: Timestamp,
    ) -> Result<u64> {
        let (services, names): (Vec<_>, Vec<_>) =
            declared.iter().map(|(service, name)| (service.as_str(), name.as_str())).unzip();
        let dated = sqlx::query(
            "update jobs j set updated_at = $4 \
             from unnest($1::text[], $2::text[]) as declared (service, name) \
             where j.deleted_at is not null and j.updated_at < $3 and j.id % $6 = $5 \
             and j.service = declared.service and j.name = declared.name",
        )
        .bind(services)
        .bind(names)
        .bind(since.as_millisecond())
        .bind(now.as_millisecond())
        .bind(i64::from(partition.0))
        .bind(i64::from(self.partitions))
        .execute(&self.readers)
        .await
        .map_err(while_doing("date deleted jobs"))?;
        Ok(dated.rows_affected())
    }

    async fn remove_deleted_jobs(
        &self,
        partition: Partition,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<JobId>> {
        let doing = while_doing("remove deleted jobs");
        let deleted: Vec<(i64, i64)> = sqlx::query_as(
            "select id, updated_at from jobs j where deleted_at is not null and updated_at < $1 \
             and id % $3 = $2 and not exists (select 1 from child_starts c where c.job = j.id) \
             order by updated_at",
        )
        .bind(before.as_millisecond())
        .bind(i64::from(partition.0))
        .bind(i64::from(self.partitions))
        .fetch_all(&self.readers.patient())
        .await
        .map_err(&doing)?;
        // A deleted job has no new tasks, so one that has none now will not have any.
        let open = self.open_tasks().await?.jobs(partition)?;
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
        let removed: Vec<i64> = sqlx::query_scalar(
            "with removed as (delete from jobs j where id = any($1) \
             and deleted_at is not null and updated_at < $2 \
             and not exists (select 1 from child_starts c where c.job = j.id) returning id), \
             planned as (delete from cursors where job in (select id from removed)), \
             ahead as (delete from fired_ahead where job in (select id from removed)), \
             versions as (delete from job_versions where job in (select id from removed)) \
             select id from removed",
        )
        .bind(unused)
        .bind(before.as_millisecond())
        .fetch_all(&self.readers.patient())
        .await
        .map_err(doing)?;
        Ok(removed.into_iter().map(JobId).collect())
    }

    async fn remove_lives(
        &self,
        partitions: &[Partition],
        current: &[LifeId],
        before: Timestamp,
    ) -> Result<u64> {
        let doing = while_doing("remove old executors");
        // The newest life is kept, because the next one is numbered after it.
        let old: Vec<i64> = sqlx::query_scalar(
            "select id from lives where since < $1 and id % $2 = any($3) and id <> all($4) \
             and id < (select max(id) from lives) order by id limit $5",
        )
        .bind(before.as_millisecond())
        .bind(i64::from(self.partitions))
        .bind(partitions.iter().map(|partition| i64::from(partition.0)).collect::<Vec<_>>())
        .bind(current.iter().map(|life| life.0).collect::<Vec<_>>())
        .bind(i64::from(LIVES))
        .fetch_all(&self.readers.patient())
        .await
        .map_err(&doing)?;
        if old.len() < MANY_LIVES {
            return Ok(0);
        }
        let open = self.open_tasks().await?.lives(partitions)?;
        let removed = tokio::time::timeout(SCAN, self.remove_unused_lives(old, open)).await;
        removed.map_err(|_| doing(late()))?.map_err(&doing)
    }
}

impl Postgres {
    async fn remove_piece(
        &self,
        partition: Partition,
        before: Timestamp,
        rows: u32,
    ) -> Result<u64> {
        let doing = while_doing(REMOVE);
        loop {
            let mut index = self.index().await?;
            let due = due(&mut index, partition, before, rows as usize).await?;
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
                "delete from logs where attempt in \
                 (select id from attempts where task = any($1))",
                "delete from logs where attempt = any($1)",
                "delete from keys where task = any($1)",
                "delete from checkpoints where task = any($1)",
                "delete from attempts where task = any($1)",
                "delete from tasks where id = any($1)",
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
             where id = any($1)",
        )
        .bind(tasks)
        .fetch_all(&self.readers)
        .await?;
        Ok(counts.into_iter().collect())
    }

    /// Removes some attempts of a task.
    async fn remove_part(&self, task: i64, rows: u32) -> sqlx::Result<u64> {
        let part: Vec<i64> = sqlx::query_scalar("select id from attempts where task = $1 limit $2")
            .bind(task)
            .bind(int(rows))
            .fetch_all(&self.readers)
            .await?;
        let statements =
            ["delete from logs where attempt = any($1)", "delete from attempts where id = any($1)"];
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
        let done = tokio::time::timeout(COMMIT, async {
            again!(self.delete_once(ids, statements, removals))
        });
        done.await.map_err(|_| late())?
    }

    async fn delete_once(
        &self,
        ids: &[i64],
        statements: &[&'static str],
        removals: &[Removal],
    ) -> sqlx::Result<()> {
        let mut tx = self.readers.begin().await?;
        // First: a merge that is in progress delays nothing else then.
        index::apply(&mut tx, removals).await?;
        for statement in statements {
            sqlx::query(*statement).bind(ids).execute(&mut *tx).await?;
        }
        tx.commit().await
    }

    async fn remove_unused_lives(&self, old: Vec<i64>, open: HashSet<LifeId>) -> sqlx::Result<u64> {
        let mut tx = self.readers.begin().await?;
        sqlx::query("set local statement_timeout = '5min'").execute(&mut *tx).await?;
        let mut used: Vec<i64> = sqlx::query_scalar(
            "select t.life from tasks t join unnest($1::bigint[]) as old (id) on old.id = t.life \
             union \
             select a.life from attempts a join unnest($1::bigint[]) as old (id) on old.id = a.life",
        )
        .bind(&old)
        .fetch_all(&mut *tx)
        .await?;
        used.extend(open.into_iter().map(|life| life.0));
        let removed = sqlx::query("delete from lives where id = any($1)")
            .bind(unused(old, used))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(removed.rows_affected())
    }
}
