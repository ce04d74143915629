//! What a coordinator starts with.

use std::{collections::HashSet, sync::Arc};

use fastjob_core::{AttemptId, AttemptState, JobId, Shard, TaskId};
use sqlx::{Row, sqlite::SqliteRow};
use tokio_stream::StreamExt;

use super::{Sqlite, jobs, while_doing};
use crate::store::{
    Attempt, CHILD_STARTS, ChildStart, ClusterKey, EndedShard, Error, LifeId, LifeRow, Lineage,
    LoadStore, Loaded, NewAttempt, OpenAttempt, Partition, Result, StoreFacts,
    codes::{attempt_state, cause, task_state},
    key::NAME,
};

#[async_trait::async_trait]
impl LoadStore for Sqlite {
    async fn facts(&self) -> Result<StoreFacts> {
        let doing = while_doing("read the store");
        let meta = |key: &'static str| {
            sqlx::query_scalar("select value from meta where key = ?").bind(key)
        };
        let cluster: String = meta("cluster").fetch_one(&self.readers).await.map_err(&doing)?;
        let since: String = meta("since").fetch_one(&self.readers).await.map_err(&doing)?;
        let key: String = sqlx::query_scalar("select value from secrets where name = ?")
            .bind(NAME)
            .fetch_one(&self.readers)
            .await
            .map_err(&doing)?;
        let key = ClusterKey::read(&key)?;
        let since = since
            .parse()
            .map_err(|_| Error::Corrupt { what: format!("the creation time {since}") })?;
        Ok(StoreFacts { cluster, partitions: 1, since: instant(since)?, key })
    }

    async fn child_starts(&self, partitions: &[Partition], limit: u32) -> Result<Vec<ChildStart>> {
        let doing = while_doing("read children to start");
        let partitions = serde_json::Value::from_iter(partitions.iter().map(|p| p.0)).to_string();
        let rows = sqlx::query(
            "select id, partition, job, parent, param, \
             exists (select 1 from keys where keys.job = c.job \
             and keys.key = 'fastjob:child:' || c.id), depth, budget \
             from child_starts c where partition in (select value from json_each(?)) order by id \
             limit ?",
        )
        .bind(partitions)
        .bind(limit)
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
            let removed = sqlx::query(
                "delete from child_starts where id in (select value from json_each(?))",
            )
            .bind(serde_json::Value::from(started).to_string())
            .execute(&mut *self.writer.lock().await)
            .await;
            if let Err(err) = removed {
                tracing::debug!(%err, "could not remove the records of children that have started");
            }
        }
        Ok(starts)
    }

    async fn load(&self, partition: Partition) -> Result<Loaded> {
        let child_starts = self.child_starts(&[partition], CHILD_STARTS).await?;
        let doing = while_doing("read the store");
        // Uses the writer's connection, so that nothing is written meanwhile.
        let mut writer = self.writer.lock().await;
        let mut loaded = Loaded { child_starts, ..Loaded::default() };
        let meta = sqlx::query("select key, value from meta").fetch_all(&mut *writer).await;
        for row in meta.map_err(&doing)? {
            let (key, value): (String, String) =
                (row.try_get(0).map_err(&doing)?, row.try_get(1).map_err(&doing)?);
            let number = || {
                value.parse::<i64>().map_err(|_| Error::Corrupt { what: format!("{key} {value}") })
            };
            match key.as_str() {
                "ids_until" => loaded.ids_until = number()?,
                "clock" => loaded.clock = Some(instant(number()?)?),
                "watermark" => loaded.watermark = Some(instant(number()?)?),
                _ => {}
            }
        }
        {
            let mut rows = sqlx::query(jobs::SELECT_ALL).fetch(&mut *writer);
            while let Some(row) = rows.next().await {
                loaded.jobs.push(jobs::whole(&row.map_err(&doing)?)?);
            }
        }
        {
            let mut rows = sqlx::query(
                "select a.id, a.task, a.job, a.number, a.cause, a.fire_at, a.due_at, \
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
                 where a.state = 0 order by a.id",
            )
            .fetch(&mut *writer);
            while let Some(row) = rows.next().await {
                loaded.open.push(open(&row.map_err(&doing)?)?);
            }
        }
        {
            let mut rows = sqlx::query(
                "with open as (select distinct task from attempts \
                 where state = 0 and shard_total > 1) \
                 select a.task, a.shard_index, a.shard_total, a.state, a.result, a.number \
                 from open join attempts a on a.id = open.task where a.state > 2 \
                 union all \
                 select a.task, a.shard_index, a.shard_total, a.state, a.result, a.number \
                 from open join attempts a on a.task = open.task and a.task_state is null \
                 where a.state > 2 order by 1, 2, 6",
            )
            .fetch(&mut *writer);
            let open: HashSet<_> = loaded.open.iter().map(|open| shard_of(&open.planned)).collect();
            while let Some(row) = rows.next().await {
                let ended = ended_shard(&row.map_err(&doing)?)?;
                let shard = (ended.task, ended.shard.index);
                let before = loaded.ended_shards.last_mut();
                match before.filter(|before| (before.task, before.shard.index) == shard) {
                    _ if open.contains(&shard) => {}
                    Some(before) => *before = ended,
                    None => loaded.ended_shards.push(ended),
                }
            }
        }
        loaded.failing = sqlx::query_scalar(
            "select job from alarms where id in \
             (select max(id) from alarms where kind in (1, 2) group by job) and kind = 1 \
             group by job",
        )
        .fetch_all(&mut *writer)
        .await
        .map_err(&doing)?
        .into_iter()
        .map(JobId)
        .collect();
        let cursors = sqlx::query("select job, at from cursors order by job");
        for row in cursors.fetch_all(&mut *writer).await.map_err(&doing)? {
            let at: i64 = row.try_get(1).map_err(&doing)?;
            loaded.cursors.push((JobId(row.try_get(0).map_err(&doing)?), instant(at)?));
        }
        let ahead = sqlx::query("select job, at from fired_ahead order by job");
        for row in ahead.fetch_all(&mut *writer).await.map_err(&doing)? {
            let at: i64 = row.try_get(1).map_err(&doing)?;
            loaded.fired_ahead.push((JobId(row.try_get(0).map_err(&doing)?), instant(at)?));
        }
        let lives = sqlx::query(
            "select id, service, executor, incarnation, since from lives where id in \
             (select life from attempts where state = 0)",
        );
        for row in lives.fetch_all(&mut *writer).await.map_err(&doing)? {
            loaded.lives.push(life(&row)?);
        }
        loaded.next_life = sqlx::query_scalar("select coalesce(max(id), 0) + 1 from lives")
            .fetch_one(&mut *writer)
            .await
            .map_err(&doing)?;
        Ok(loaded)
    }
}

fn open(row: &SqliteRow) -> Result<OpenAttempt> {
    let get = |index: usize| row.try_get::<i64, _>(index).map_err(while_doing("read an attempt"));
    let maybe =
        |index: usize| row.try_get::<Option<i64>, _>(index).map_err(while_doing("read an attempt"));
    let text = |index: usize| {
        row.try_get::<Option<String>, _>(index).map_err(while_doing("read an attempt"))
    };
    let task_state = task_state(get(9)?)?;
    Ok(OpenAttempt {
        planned: NewAttempt {
            row: Attempt {
                attempt: AttemptId(get(0)?),
                task: TaskId(get(1)?),
                job: JobId(get(2)?),
                number: number(get(3)?)?,
                shard: Shard { index: number(get(11)?)?, total: number(get(12)?)? },
                cause: cause(get(4)?)?,
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

fn child_start(row: &SqliteRow) -> Result<ChildStart> {
    let doing = while_doing("read a child to start");
    let get = |index: usize| row.try_get::<i64, _>(index).map_err(&doing);
    let param: Option<String> = row.try_get(4).map_err(&doing)?;
    Ok(ChildStart {
        id: get(0)?,
        partition: Partition(number(get(1)?)?),
        job: JobId(get(2)?),
        parent: TaskId(get(3)?),
        param: param.map(Arc::from),
        lineage: lineage(row, 6)?,
    })
}

/// Reads two columns that only child tasks have.
fn lineage(row: &SqliteRow, at: usize) -> Result<Option<Lineage>> {
    let get = |at: usize| {
        row.try_get::<Option<i64>, _>(at).map_err(while_doing("read the lineage of a task"))
    };
    let (Some(depth), Some(budget)) = (get(at)?, get(at + 1)?) else { return Ok(None) };
    Ok(Some(Lineage { depth: number(depth)?, budget: number(budget)? }))
}

fn shard_of(attempt: &NewAttempt) -> (TaskId, u32) {
    (attempt.row.task, attempt.row.shard.index)
}

fn ended_shard(row: &SqliteRow) -> Result<EndedShard> {
    let doing = while_doing("read a shard");
    let get = |index: usize| row.try_get::<i64, _>(index).map_err(&doing);
    Ok(EndedShard {
        task: TaskId(get(0)?),
        shard: Shard { index: number(get(1)?)?, total: number(get(2)?)? },
        number: number(get(5)?)?,
        state: attempt_state(get(3)?)?,
        result: row.try_get(4).map_err(&doing)?,
    })
}

fn life(row: &SqliteRow) -> Result<LifeRow> {
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

pub(super) fn number(value: i64) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::Corrupt { what: format!("the number {value}") })
}

pub(super) fn name<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::Corrupt { what: format!("the name `{text}`") })
}
