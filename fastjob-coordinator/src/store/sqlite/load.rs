//! What a coordinator starts with.

use fastjob_core::JobId;
use futures_util::StreamExt as _;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;

use super::{Sqlite, commit::batches, history, packed};
use crate::store::{
    CHILD_STARTS, ChildStart, Error, JobRow, Lease, LoadStore, Loaded, LoadedJobs, Partition,
    Result, StoreFacts,
    journal::Checkpoints,
    key::NAME,
    rows::{
        children::{ChildStarts, child_starts},
        instant,
        jobs::JobReader,
        loaded::{checkpoint, cursor, ended, facts, life},
    },
    while_doing,
};

/// How many texts with jobs are read ahead, and how many are parsed at the same time.
const TEXTS_AHEAD: usize = 2;
const TEXTS_AT_ONCE: usize = 4;

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
        facts(cluster, 1, &since, &key)
    }

    async fn child_starts(&self, partitions: &[Partition], limit: u32) -> Result<Vec<ChildStart>> {
        let doing = while_doing("read children to start");
        let partitions = serde_json::Value::from_iter(partitions.iter().map(|p| p.0)).to_string();
        let rows = sqlx::query(
            "select id, partition, job, parent, param, \
             exists (select 1 from keys where keys.job = c.job \
             and keys.key = 'fastjob:child:' || c.id), depth, budget, trace \
             from child_starts c where partition in (select value from json_each(?)) order by id \
             limit ?",
        )
        .bind(partitions)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(&doing)?;
        let ChildStarts { waiting, started } = child_starts(&rows)?;
        if !started.is_empty() {
            let removed = sqlx::query(
                "delete from child_starts where id in (select value from json_each(?))",
            )
            .bind(serde_json::Value::from(started).to_string())
            .execute(&mut self.writer().await.connection)
            .await;
            if let Err(err) = removed {
                tracing::debug!(%err, "could not remove the records of children that have started");
            }
        }
        Ok(waiting)
    }

    async fn load(&self, partition: Partition) -> Result<Loaded> {
        let child_starts = self.child_starts(&[partition], CHILD_STARTS).await?;
        let doing = while_doing("read the store");
        // Uses the writer's connection, so that nothing is written meanwhile.
        let mut guard = self.writer().await;
        guard.thread.settled().await.map_err(&doing)?;
        let writer = &mut guard.connection;
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
        loaded.jobs = self.all_jobs().await?;
        let mark = history::mark(&mut *writer).await.map_err(&doing)?;
        let journal = history::replay(&mut *writer).await?;
        let mut checkpoints = Checkpoints::new();
        for ids in batches(journal.ids().into_iter()).map_err(&doing)? {
            let points = sqlx::query(
                "select task, shard, value from checkpoints \
                 where task in (select value from json_each(?))",
            );
            for row in points.bind(ids).fetch_all(&mut *writer).await.map_err(&doing)? {
                checkpoints.extend([checkpoint(&row)?]);
            }
        }
        let mut rows = Vec::new();
        for ids in batches(journal.with_rows().into_iter()).map_err(&doing)? {
            let attempts = sqlx::query(
                "select a.task, a.shard_index, a.shard_total, a.state, a.result, a.number, \
                 lives.executor from attempts a left join lives on lives.id = a.life \
                 where a.task in (select value from json_each(?)) \
                 order by a.task, a.shard_index, a.number",
            );
            for row in attempts.bind(ids).fetch_all(&mut *writer).await.map_err(&doing)? {
                rows.push(ended(&row)?);
            }
        }
        (loaded.open, loaded.ended_shards) = journal.loaded(&checkpoints, rows);
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
            loaded.cursors.push(cursor(&row, "read the store")?);
        }
        let ahead = sqlx::query("select job, at from fired_ahead order by job");
        for row in ahead.fetch_all(&mut *writer).await.map_err(&doing)? {
            loaded.fired_ahead.push(cursor(&row, "read the store")?);
        }
        for ids in batches(journal.lives().into_iter()).map_err(&doing)? {
            let lives = sqlx::query(
                "select id, service, executor, incarnation, since from lives \
                 where id in (select value from json_each(?))",
            );
            for row in lives.bind(ids).fetch_all(&mut *writer).await.map_err(&doing)? {
                loaded.lives.push(life(&row)?);
            }
        }
        loaded.next_life = sqlx::query_scalar("select coalesce(max(id), 0) + 1 from lives")
            .fetch_one(&mut *writer)
            .await
            .map_err(&doing)?;
        // There is one lease.
        guard.journals.loaded(Lease { partition, ..Lease::default() }, mark);
        Ok(loaded)
    }
}

impl Sqlite {
    /// Reads all jobs. Nothing may be written meanwhile.
    async fn all_jobs(&self) -> Result<LoadedJobs> {
        // A connection of its own, because a cache of all that is read once would be of no use.
        let options = self.options.clone().read_only(true).pragma("cache_size", "-2048");
        let (texts, read) = mpsc::channel(TEXTS_AHEAD);
        let mut reading = JoinSet::new();
        reading.spawn(texts_of_jobs(options, texts));
        // One thread reads the rows, and all others what is in them.
        let reader = JobReader::default();
        let parse = |text: String| {
            let reader = reader.clone();
            AbortOnDropHandle::new(tokio::spawn(async move { jobs_of(&text, &reader) }))
        };
        let mut parsed = ReceiverStream::new(read).map(parse).buffered(TEXTS_AT_ONCE);
        let mut jobs = LoadedJobs::default();
        while let Some(some) = parsed.next().await {
            jobs.extend(some.map_err(ended_early)??);
        }
        drop(parsed);
        while let Some(ended) = reading.join_next().await {
            ended.map_err(ended_early)??;
        }
        Ok(jobs)
    }
}

fn jobs_of(text: &str, reader: &JobReader) -> Result<Vec<JobRow>> {
    packed::rows(text).map(|row| reader.read(&row?)).collect()
}

/// A task that panicked, or the runtime ends.
fn ended_early(err: JoinError) -> Error {
    match err.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Error::TimedOut { doing: "read jobs" },
    }
}

/// Reads the jobs as packed texts, in the order of their ids.
async fn texts_of_jobs(options: SqliteConnectOptions, texts: mpsc::Sender<String>) -> Result<()> {
    let doing = while_doing("read jobs");
    let mut connection: SqliteConnection = options.connect().await.map_err(&doing)?;
    let (mut after, mut limit) = (i64::MIN, packed::FIRST);
    loop {
        let (last, text): (Option<i64>, Option<String>) = sqlx::query_as(packed::SELECT)
            .bind(after)
            .bind(limit)
            .fetch_one(&mut connection)
            .await
            .map_err(&doing)?;
        let Some((last, text)) = last.zip(text) else { break };
        (after, limit) = (last, packed::next_limit(limit, text.len()));
        if texts.send(text).await.is_err() {
            // The reader has found an error.
            break;
        }
    }
    connection.close().await.map_err(&doing)
}
