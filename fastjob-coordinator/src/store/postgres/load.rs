//! What a coordinator starts with.

use std::{collections::HashSet, sync::Arc};

use fastjob_core::{AttemptId, AttemptState, JobId, Shard, TaskId};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row, postgres::PgRow};
use tokio_stream::StreamExt;

use super::{Postgres, int, jobs, while_doing};
use crate::store::{
    Attempt, CHILD_STARTS, ChildStart, ClusterKey, EndedShard, Error, LifeId, LifeRow, Lineage,
    LoadStore, Loaded, NewAttempt, OpenAttempt, Partition, Result, StoreFacts,
    codes::{attempt_state, cause, task_state},
    key::NAME,
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
        let key = ClusterKey::read(&key)?;
        let since = since
            .parse()
            .map_err(|_| Error::Corrupt { what: format!("the creation time {since}") })?;
        Ok(StoreFacts { cluster, partitions: self.partitions, since: instant(since)?, key })
    }

    async fn child_starts(&self, partitions: &[Partition], limit: u32) -> Result<Vec<ChildStart>> {
        let doing = while_doing("read children to start");
        let rows = sqlx::query(
            "select id, partition, job, parent, param, \
             exists (select 1 from keys where keys.job = c.job \
             and keys.key = 'fastjob:child:' || c.id), depth, budget \
             from child_starts c where partition = any($1) order by id limit $2",
        )
        .bind(partitions.iter().map(|partition| int(partition.0)).collect::<Vec<_>>())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(&doing)?;
        let (mut starts, mut started) = (Vec::new(), Vec::new());
        for row in &rows {
            let start = child_start(row)?;
            if row.try_get(5).map_err(&doing)? {
                started.push(start.id);
            } else {
                starts.push(start);
            }
        }
        if !started.is_empty() {
            // A commit was sent again just after its child had started. The child would be started
            // a second time once it is removed as history.
            let removed = sqlx::query("delete from child_starts where id = any($1)")
                .bind(started)
                .execute(&self.readers)
                .await;
            if let Err(err) = removed {
                tracing::debug!(%err, "could not remove the records of children that have started");
            }
        }
        Ok(starts)
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
                    deleted_at, children from jobs where id % $all = $1";
        let attempts = "select a.id, a.task, a.job, a.number, a.cause, a.fire_at, a.due_at, \
                        a.created_at, a.life, head.task_state, head.param, a.shard_index, \
                        a.shard_total, head.wanted, c.value, \
                        case when a.number > 1 then (select executor from lives where id in \
                        (select b.life from attempts b where a.number = 2 and b.id = a.task \
                        and b.shard_index = a.shard_index \
                        union all select b.life from attempts b where b.task = a.task and b.id <> b.task \
                        and b.number = a.number - 1 and b.shard_index = a.shard_index)) end, \
                        head.depth, head.budget \
                        from attempts a join attempts head on head.id = a.task \
                        left join checkpoints c on c.task = a.task and c.shard = a.shard_index \
                        where a.state = 0 and a.id % $all = $1 order by a.id";
        let shards = "with open as (select distinct task from attempts \
                      where state = 0 and id % $all = $1 and shard_total > 1) \
                      select a.task, a.shard_index, a.shard_total, a.state, a.result, a.number \
                      from open join attempts a on a.id = open.task where a.state > 2 \
                      union all \
                      select a.task, a.shard_index, a.shard_total, a.state, a.result, a.number \
                      from open join attempts a on a.task = open.task and a.id <> a.task \
                      where a.state > 2 order by 1, 2, 6";
        let open = self.of_partition(attempts, partition, open).await?;
        let is_open: HashSet<_> =
            open.iter().map(|open| (open.planned.row.task, open.planned.row.shard.index)).collect();
        let mut ended_shards: Vec<EndedShard> = Vec::new();
        for ended in self.of_partition(shards, partition, ended_shard).await? {
            // For a retried shard the latest attempt counts, and none counts while one is open.
            let shard = (ended.task, ended.shard.index);
            ended_shards.pop_if(|last| (last.task, last.shard.index) == shard);
            if !is_open.contains(&shard) {
                ended_shards.push(ended);
            }
        }
        let failing = "select job from (select distinct on (job) job, kind from alarms \
                       where kind in (1, 2) and job % $all = $1 order by job, id desc) latest \
                       where kind = 1";
        let cursors = "select job, at from cursors where job % $all = $1 order by job";
        let ahead = "select job, at from fired_ahead where job % $all = $1 order by job";
        let lives = "select id, service, executor, incarnation, since from lives where id in \
                     (select life from attempts where state = 0 and id % $all = $1)";
        Ok(Loaded {
            ids_until,
            watermark: watermark.map(instant).transpose()?,
            clock: clock.map(instant).transpose()?,
            jobs: self.of_partition(jobs, partition, jobs::whole).await?,
            cursors: self.of_partition(cursors, partition, cursor).await?,
            fired_ahead: self.of_partition(ahead, partition, cursor).await?,
            open,
            ended_shards,
            failing: self.of_partition(failing, partition, job_id).await?,
            lives: self.of_partition(lives, partition, life).await?,
            // Above the lives of all partitions: the primary key answers this quickly.
            next_life: sqlx::query_scalar("select coalesce(max(id), 0) + 1 from lives")
                .fetch_one(&self.readers)
                .await
                .map_err(&doing)?,
            child_starts: self.child_starts(&[partition], CHILD_STARTS).await?,
        })
    }
}

fn cursor(row: &PgRow) -> Result<(JobId, Timestamp)> {
    let doing = while_doing("read a cursor");
    Ok((JobId(row.try_get(0).map_err(&doing)?), instant(row.try_get(1).map_err(&doing)?)?))
}

impl Postgres {
    /// Reads rows of one partition, which is `$1` in the statement. `$all` is replaced by the
    /// number of partitions: it has to be a literal, as in the indexes.
    async fn of_partition<T>(
        &self,
        statement: &str,
        partition: Partition,
        read: impl Fn(&PgRow) -> Result<T>,
    ) -> Result<Vec<T>> {
        let statement = statement.replace("$all", &self.partitions.to_string());
        let readers = self.readers.patient();
        let mut rows =
            sqlx::query(AssertSqlSafe(statement)).bind(i64::from(partition.0)).fetch(&readers);
        let mut all = Vec::new();
        while let Some(row) = rows.next().await {
            all.push(read(&row.map_err(while_doing("read the store"))?)?);
        }
        Ok(all)
    }
}

fn job_id(row: &PgRow) -> Result<JobId> {
    row.try_get(0).map(JobId).map_err(while_doing("read an alarm"))
}

fn open(row: &PgRow) -> Result<OpenAttempt> {
    let doing = while_doing("read an attempt");
    let get = |index: usize| row.try_get::<i64, _>(index).map_err(&doing);
    let count = |index: usize| row.try_get::<i32, _>(index).map_err(&doing);
    let code = |index: usize| row.try_get::<i16, _>(index).map_err(&doing);
    let maybe =
        |index: usize| row.try_get::<Option<i64>, _>(index).map_err(while_doing("read an attempt"));
    let text = |index: usize| {
        row.try_get::<Option<String>, _>(index).map_err(while_doing("read an attempt"))
    };
    let task_state = task_state(code(9)?.into())?;
    Ok(OpenAttempt {
        planned: NewAttempt {
            row: Attempt {
                attempt: AttemptId(get(0)?),
                task: TaskId(get(1)?),
                job: JobId(get(2)?),
                number: number(count(3)?)?,
                shard: Shard { index: number(count(11)?)?, total: number(count(12)?)? },
                cause: cause(code(4)?.into())?,
                fire_at: maybe(5)?.map(instant).transpose()?,
                due_at: instant(get(6)?)?,
                created_at: instant(get(7)?)?,
            },
            parent: None,
            lineage: lineage(row, 16)?,
            wanted: text(13)?.as_deref().map(name).transpose()?,
            key: None,
            life: maybe(8)?.map(LifeId),
            param: None,
            note: None,
            state: AttemptState::Planned,
            task_state,
        },
        task_state,
        task_param: text(10)?.map(Arc::from),
        checkpoint: text(14)?.map(Arc::from),
        failed_on: text(15)?.as_deref().map(name).transpose()?,
    })
}

fn child_start(row: &PgRow) -> Result<ChildStart> {
    let doing = while_doing("read a child to start");
    let get = |index: usize| row.try_get::<i64, _>(index).map_err(&doing);
    let param: Option<String> = row.try_get(4).map_err(&doing)?;
    Ok(ChildStart {
        id: get(0)?,
        partition: Partition(number(row.try_get(1).map_err(&doing)?)?),
        job: JobId(get(2)?),
        parent: TaskId(get(3)?),
        param: param.map(Arc::from),
        lineage: lineage(row, 6)?,
    })
}

/// Reads two columns that only child tasks have.
fn lineage(row: &PgRow, at: usize) -> Result<Option<Lineage>> {
    let get = |at: usize| {
        row.try_get::<Option<i32>, _>(at).map_err(while_doing("read the lineage of a task"))
    };
    let (Some(depth), Some(budget)) = (get(at)?, get(at + 1)?) else { return Ok(None) };
    Ok(Some(Lineage { depth: number(depth)?, budget: number(budget)? }))
}

fn ended_shard(row: &PgRow) -> Result<EndedShard> {
    let doing = while_doing("read a shard");
    let get = |index: usize| row.try_get::<i64, _>(index).map_err(&doing);
    let count = |index: usize| row.try_get::<i32, _>(index).map_err(&doing);
    let state: i16 = row.try_get(3).map_err(&doing)?;
    Ok(EndedShard {
        task: TaskId(get(0)?),
        shard: Shard { index: number(count(1)?)?, total: number(count(2)?)? },
        number: number(count(5)?)?,
        state: attempt_state(state.into())?,
        result: row.try_get(4).map_err(&doing)?,
    })
}

fn life(row: &PgRow) -> Result<LifeRow> {
    let doing = while_doing("read an executor");
    let text = |index: usize| row.try_get::<String, _>(index).map_err(&doing);
    Ok(LifeRow {
        id: LifeId(row.try_get(0).map_err(&doing)?),
        service: name(&text(1)?)?,
        executor: name(&text(2)?)?,
        incarnation: name(&text(3)?)?,
        since: instant(row.try_get(4).map_err(&doing)?)?,
    })
}

pub(super) fn instant(millis: i64) -> Result<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(millis)
        .map_err(|_| Error::Corrupt { what: format!("the instant {millis}") })
}

pub(super) fn number(value: i32) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::Corrupt { what: format!("the number {value}") })
}

pub(super) fn name<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::Corrupt { what: format!("the name `{text}`") })
}
