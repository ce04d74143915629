//! What a coordinator starts with.

use fastjob_core::JobId;
use sqlx::{AssertSqlSafe, Row, postgres::PgRow};
use tokio_stream::StreamExt;

use super::{Postgres, history, int};
use crate::store::{
    CHILD_STARTS, ChildStart, LoadStore, Loaded, Partition, Result, StoreFacts,
    journal::Journal,
    key::NAME,
    rows::{
        self,
        children::{ChildStarts, child_starts},
        instant,
        loaded::{checkpoint, cursor, facts, life},
    },
    while_doing,
};

#[async_trait::async_trait]
impl LoadStore for Postgres {
    async fn facts(&self) -> Result<StoreFacts> {
        let doing = while_doing("read the store");
        let meta = |key: &'static str| {
            sqlx::query_scalar("select value from meta where key = $1").bind(key)
        };
        let cluster: String = meta("cluster").fetch_one(&self.readers).await.map_err(&doing)?;
        let since: String = meta("since").fetch_one(&self.readers).await.map_err(&doing)?;
        let key: String = sqlx::query_scalar("select value from secrets where name = $1")
            .bind(NAME)
            .fetch_one(&self.readers)
            .await
            .map_err(&doing)?;
        facts(cluster, self.partitions, &since, &key)
    }

    async fn child_starts(&self, partitions: &[Partition], limit: u32) -> Result<Vec<ChildStart>> {
        let doing = while_doing("read children to start");
        let rows = sqlx::query(
            "select id, partition, job, parent, param, \
             exists (select 1 from keys where keys.job = c.job \
             and keys.key = 'fastjob:child:' || c.id), depth, budget, trace \
             from child_starts c where partition = any($1) order by id limit $2",
        )
        .bind(partitions.iter().map(|partition| int(partition.0)).collect::<Vec<_>>())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(&doing)?;
        let ChildStarts { waiting, started } = child_starts(&rows)?;
        if !started.is_empty() {
            let removed = sqlx::query("delete from child_starts where id = any($1)")
                .bind(started)
                .execute(&self.readers)
                .await;
            if let Err(err) = removed {
                tracing::debug!(%err, "could not remove the records of children that have started");
            }
        }
        Ok(waiting)
    }

    async fn load(&self, partition: Partition) -> Result<Loaded> {
        let doing = while_doing("read the store");
        // This node holds the lease, so no other node writes to the partition.
        let (watermark, clock, ids_until): (Option<i64>, Option<i64>, i64) = sqlx::query_as(
            "select watermark, clock, ids_until from partitions where partition = $1",
        )
        .bind(int(partition.0))
        .fetch_one(&self.readers)
        .await
        .map_err(&doing)?;
        let jobs = "select id, definition, origin, revision, anchor, created_at, updated_at, \
                    deleted_at, children, declared from jobs where id % $all = $1";
        let readers = self.readers.patient();
        let records = history::records_of(&readers, partition).await.map_err(&doing)?;
        let journal = Journal::replay(records.into_iter().map(Ok))?;
        let points = "select task, shard, value from checkpoints where task = any($1)";
        let points = self.of_ids(points, journal.ids(), checkpoint).await?;
        let ended = "select a.task, a.shard_index, a.shard_total, a.state, a.result, a.number, \
                     lives.executor from attempts a left join lives on lives.id = a.life \
                     where a.task = any($1) order by a.task, a.shard_index, a.number";
        let ended = self.of_ids(ended, journal.with_rows(), rows::loaded::ended).await?;
        let (open, ended_shards) = journal.loaded(&points.into_iter().collect(), ended);
        let failing = "select job from (select distinct on (job) job, kind from alarms \
                       where kind in (1, 2) and job % $all = $1 order by job, id desc) latest \
                       where kind = 1";
        let cursors = "select job, at from cursors where job % $all = $1 order by job";
        let ahead = "select job, at from fired_ahead where job % $all = $1 order by job";
        let lives = "select id, service, executor, incarnation, since from lives \
                     where id = any($1)";
        let cursor = |row: &PgRow| cursor(row, "read a cursor");
        let jobs = {
            let reader = self.job_readers.reader();
            self.of_partition(jobs, partition, |row| reader.read(row)).await?
        };
        Ok(Loaded {
            ids_until,
            watermark: watermark.map(instant).transpose()?,
            clock: clock.map(instant).transpose()?,
            jobs,
            cursors: self.of_partition(cursors, partition, cursor).await?,
            fired_ahead: self.of_partition(ahead, partition, cursor).await?,
            open,
            ended_shards,
            failing: self.of_partition(failing, partition, job_id).await?,
            lives: self.of_ids(lives, journal.lives(), life).await?,
            // Above the lives of all partitions: the primary key answers this quickly.
            next_life: sqlx::query_scalar("select coalesce(max(id), 0) + 1 from lives")
                .fetch_one(&self.readers)
                .await
                .map_err(&doing)?,
            child_starts: self.child_starts(&[partition], CHILD_STARTS).await?,
        })
    }
}

impl Postgres {
    /// Reads rows of one partition, which is `$1` in the statement. `$all` is replaced by the
    /// number of partitions: it has to be a literal, as in the indexes.
    async fn of_partition<T, All: Default + Extend<T>>(
        &self,
        statement: &str,
        partition: Partition,
        mut read: impl FnMut(&PgRow) -> Result<T>,
    ) -> Result<All> {
        let statement = statement.replace("$all", &self.partitions.to_string());
        let readers = self.readers.patient();
        let mut rows =
            sqlx::query(AssertSqlSafe(statement)).bind(i64::from(partition.0)).fetch(&readers);
        let mut all = All::default();
        while let Some(row) = rows.next().await {
            all.extend([read(&row.map_err(while_doing("read the store"))?)?]);
        }
        Ok(all)
    }
}

impl Postgres {
    /// Reads the rows of these ids, which are `$1` in the statement, in the order of the ids.
    async fn of_ids<T>(
        &self,
        statement: &'static str,
        ids: Vec<i64>,
        read: impl Fn(&PgRow) -> Result<T>,
    ) -> Result<Vec<T>> {
        let readers = self.readers.patient();
        let mut all = Vec::new();
        for some in ids.chunks(IDS) {
            let rows = sqlx::query(statement).bind(some).fetch_all(&readers).await;
            for row in rows.map_err(while_doing("read the store"))? {
                all.push(read(&row)?);
            }
        }
        Ok(all)
    }
}

/// Most ids in one statement.
const IDS: usize = 10_000;

fn job_id(row: &PgRow) -> Result<JobId> {
    row.try_get(0).map(JobId).map_err(while_doing("read an alarm"))
}
