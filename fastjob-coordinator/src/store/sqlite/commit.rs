//! Commits: one set-based statement per kind of row for a whole batch.
//!
//! What commits do to tasks and attempts is applied to the journal first, one commit after the
//! other. The other parts of all commits are collected and applied part by part. If a job is saved
//! twice, the later revision wins.

use std::collections::BTreeSet;

use fastjob_core::Trace;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{Sqlite, Writer, history, many::insert, versions};
use crate::store::{
    Commit, CommitStore, Error, Result,
    batch::{self, clean},
    codes::{alarm_kind_code, ids_code, origin_code},
    journal::{Journals, Staged, stage},
    while_doing,
};

/// Rows in one statement.
const ROWS: usize = 2_000;

const DOING: &str = "write to the store";

#[async_trait::async_trait]
impl CommitStore for Sqlite {
    async fn commit(&self, commits: &[Commit]) -> Result<()> {
        let mut writer = self.writer.lock().await;
        let Writer { connection, journals } = &mut *writer;
        let done = match write(connection, journals, commits).await {
            // Before the commit is acknowledged.
            Ok(()) => self.written(),
            failed => failed,
        };
        match &done {
            Ok(()) => journals.written(commits),
            Err(_) => {
                // A full disk leaves the connection inside a transaction: a new connection is safe.
                if let Ok(fresh) = self.options.connect().await {
                    *connection = fresh;
                }
            }
        }
        done
    }

    async fn close(&self) -> Result<()> {
        // A reader would prevent the checkpoint of the WAL into the file.
        self.readers.close().await;
        let mut writer = self.writer.lock().await;
        let folded =
            sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut writer.connection).await;
        // A request that is still being answered may refer to this store for a moment. It cannot write
        // any more, so another coordinator may use the file.
        if let Ok(nothing) = SqliteConnectOptions::new().in_memory(true).connect().await {
            let last = std::mem::replace(&mut writer.connection, nothing);
            if last.close().await.is_ok()
                && let Err(err) = self.lock.unlock()
            {
                tracing::debug!(%err, "the lock of the store is released when it is dropped");
            }
        }
        folded.map(drop).map_err(while_doing("checkpoint the WAL into the store's file"))
    }
}

pub(super) type Outcome = std::result::Result<(), sqlx::Error>;

async fn write(
    connection: &mut SqliteConnection,
    journals: &mut Journals,
    commits: &[Commit],
) -> Result<()> {
    if commits.is_empty() {
        // It would be counted, and no journal would know.
        return Ok(());
    }
    let doing = while_doing(DOING);
    let mut tx = connection.begin_with("begin immediate").await.map_err(&doing)?;
    let missing = journals.missing(commits);
    // The engine's state and the journal must not continue on a file that was replaced.
    let mark = history::count(&mut tx).await.map_err(&doing)?;
    let leases: BTreeSet<_> = commits.iter().map(|commit| commit.lease).collect();
    for lease in leases {
        if !journals.is_at(lease, mark) {
            return Err(Error::Behind);
        }
    }
    for lease in missing {
        if !journals.keep(lease, history::replay(&mut tx).await?) {
            return Err(Error::Behind);
        }
    }
    let known = history::known(&mut tx, journals.doubtful(commits)).await.map_err(&doing)?;
    let staged = stage(commits, journals, &known);
    apply(&mut tx, commits, &staged).await.map_err(&doing)?;
    tx.commit().await.map_err(doing)
}

async fn apply(tx: &mut SqliteConnection, commits: &[Commit], staged: &Staged<'_>) -> Outcome {
    versions::keep(tx, commits).await?;
    jobs(tx, commits).await?;
    lives(tx, commits).await?;
    keys(tx, commits).await?;
    checkpoints(tx, commits).await?;
    history::apply(tx, staged).await?;
    anchors(tx, commits).await?;
    cursors(tx, commits).await?;
    fired_ahead(tx, commits).await?;
    alarms(tx, commits).await?;
    child_starts(tx, commits).await?;
    let ids_until = commits.iter().filter_map(|commit| commit.ids_until).max();
    let clock = commits.iter().filter_map(|commit| commit.clock).max();
    let watermark = commits.iter().filter_map(|commit| commit.watermark).max();
    let values = [
        ("ids_until", ids_until),
        ("clock", clock.map(Timestamp::as_millisecond)),
        ("watermark", watermark.map(Timestamp::as_millisecond)),
        (OPEN, history::open(staged)),
    ];
    meta(tx, &values).await
}

async fn keys(tx: &mut SqliteConnection, commits: &[Commit]) -> Outcome {
    let keys = batch::keys(commits).map(|(job, key, task)| (job.0, key, task.0));
    each(
        tx,
        batches(keys)?,
        "insert into keys (job, key, task) select value ->> 0, value ->> 1, value ->> 2 \
         from json_each(?) where true on conflict do nothing",
    )
    .await
}

async fn lives(tx: &mut SqliteConnection, commits: &[Commit]) -> Outcome {
    let lives = commits.iter().flat_map(|commit| &commit.lives).map(|life| {
        (
            life.id.0,
            life.service.as_str(),
            life.executor.as_str(),
            life.incarnation.as_str(),
            life.since.as_millisecond(),
        )
    });
    each(
        tx,
        batches(lives)?,
        "insert into lives (id, service, executor, incarnation, since) \
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 \
         from json_each(?) where true on conflict do nothing",
    )
    .await
}

async fn checkpoints(tx: &mut SqliteConnection, commits: &[Commit]) -> Outcome {
    let checkpoints = commits.iter().flat_map(|commit| &commit.checkpoints);
    each(
        tx,
        batches(checkpoints.map(|point| (point.task.0, point.shard, clean(&point.value))))?,
        "insert into checkpoints (task, shard, value) \
         select value ->> 0, value ->> 1, value ->> 2 from json_each(?) where true \
         on conflict do update set value = excluded.value",
    )
    .await
}

/// Moves the anchors of fixed delays, which only grow.
async fn anchors(tx: &mut SqliteConnection, commits: &[Commit]) -> Outcome {
    let anchors = commits.iter().flat_map(|commit| &commit.anchors);
    each(
        tx,
        batches(anchors.map(|(job, anchor)| (job.0, anchor.as_millisecond())))?,
        "update jobs set anchor = max(jobs.anchor, new.anchor) from \
         (select value ->> 0 as id, max(value ->> 1) as anchor from json_each(?) group by 1) \
         as new where jobs.id = new.id",
    )
    .await
}

/// Records how far each job is planned, where that is beyond the watermark.
async fn cursors(tx: &mut SqliteConnection, commits: &[Commit]) -> Outcome {
    let cursors = batch::cursors(commits).into_iter();
    each(
        tx,
        batches(cursors.map(|(job, at)| (job.0, at.as_millisecond())))?,
        "insert into cursors (job, at) select value ->> 0, value ->> 1 from json_each(?) where true \
         on conflict do update set at = excluded.at",
    )
    .await
}

/// Records fires that ran before their instants.
async fn fired_ahead(tx: &mut SqliteConnection, commits: &[Commit]) -> Outcome {
    let ahead = commits.iter().flat_map(|commit| &commit.fired_ahead);
    each(
        tx,
        batches(ahead.map(|(job, at)| (job.0, at.as_millisecond())))?,
        "insert into fired_ahead (job, at) \
         select value ->> 0, value ->> 1 from json_each(?) where true \
         on conflict do update set at = max(fired_ahead.at, excluded.at)",
    )
    .await
}

/// Adds alarms, one row per channel.
async fn alarms(tx: &mut SqliteConnection, commits: &[Commit]) -> Outcome {
    let alarms = batch::alarms(commits).map(|(alarm, channel)| {
        (
            alarm.id,
            channel.as_str(),
            alarm.job.0,
            alarm.task.map(|task| task.0),
            alarm_kind_code(alarm.kind),
            alarm.at.as_millisecond(),
            &alarm.job_name,
            clean(&alarm.reason),
            clean(&alarm.message),
            &alarm.executor,
            alarm.attempts,
        )
    });
    each(
        tx,
        batches(alarms)?,
        "insert into alarms (id, channel, job, task, kind, at, job_name, reason, message, \
         executor, attempts) \
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
         value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10 \
         from json_each(?) where true on conflict do nothing",
    )
    .await
}

/// Adds the children that are about to start, and removes those that have started.
async fn child_starts(tx: &mut SqliteConnection, commits: &[Commit]) -> Outcome {
    let children = commits.iter().flat_map(|commit| &commit.child_starts).map(|child| {
        let param = child.param.as_deref().map(clean);
        let lineage = child.lineage;
        let (depth, budget) = (lineage.map(|l| l.depth), lineage.map(|l| l.budget));
        let trace = child.trace.as_ref().map(Trace::to_string);
        (child.id, child.partition.0, child.job.0, child.parent.0, param, depth, budget, trace)
    });
    each(
        tx,
        batches(children)?,
        // A commit that is sent again must not restore the start of a child that has started.
        "insert into child_starts (id, partition, job, parent, param, depth, budget, trace) \
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
         value ->> 6, value ->> 7 \
         from json_each(?) new where not exists (select 1 from keys \
         where keys.job = new.value ->> 2 \
         and keys.key = 'fastjob:child:' || (new.value ->> 0)) on conflict do nothing",
    )
    .await?;
    each(
        tx,
        batches(commits.iter().flat_map(|commit| &commit.children_started))?,
        "delete from child_starts where id in (select value from json_each(?))",
    )
    .await
}

/// The key in `meta` of the number of open attempts.
pub(super) const OPEN: &str = "open";

/// Writes to `meta` the values that are not `None`. All but [`OPEN`] only grow.
pub(super) async fn meta(
    tx: &mut SqliteConnection,
    values: &[(&'static str, Option<i64>)],
) -> Outcome {
    let values: Vec<_> = values
        .iter()
        .filter_map(|(key, value)| Some((*key, value.as_ref()?.to_string())))
        .collect();
    let conflict = "on conflict (key) do update set value = case meta.key when 'open' \
                    then excluded.value else cast(max(cast(meta.value as integer), \
                    cast(excluded.value as integer)) as text) end";
    insert(tx, ("meta (key, value)", 2, conflict), &values, |query, (key, value)| {
        query.bind(*key).bind(value.as_str())
    })
    .await
}

/// Rows as JSON arrays, split by the number of rows per statement.
pub(super) fn batches<T: Serialize>(
    rows: impl Iterator<Item = T>,
) -> std::result::Result<Vec<String>, sqlx::Error> {
    let mut batches = Vec::new();
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let mut batch = Vec::from(*b"[");
        for row in rows.by_ref().take(ROWS) {
            if batch.len() > 1 {
                batch.push(b',');
            }
            serde_json::to_writer(&mut batch, &row)
                .map_err(|err| sqlx::Error::Encode(err.into()))?;
        }
        batch.push(b']');
        batches.push(String::from_utf8(batch).map_err(|err| sqlx::Error::Encode(err.into()))?);
    }
    Ok(batches)
}

/// Runs a statement for all batches.
pub(super) async fn each(
    tx: &mut SqliteConnection,
    batches: Vec<String>,
    statement: &'static str,
) -> Outcome {
    for batch in batches {
        sqlx::query(statement).bind(batch).execute(&mut *tx).await?;
    }
    Ok(())
}

async fn jobs(tx: &mut SqliteConnection, commits: &[Commit]) -> Outcome {
    let rows = batch::jobs(commits);
    let ids: Vec<_> = rows.iter().map(|row| row.id.0).collect();
    let rows = rows.into_iter().map(|row| {
        (
            row.id.0,
            row.job.service.as_str(),
            row.job.name.as_str(),
            batch::definition(&row.job),
            origin_code(row),
            row.revision,
            row.anchor.as_millisecond(),
            row.created_at.as_millisecond(),
            row.updated_at.as_millisecond(),
            row.deleted_at.map(Timestamp::as_millisecond),
            ids_code(&row.children),
            batch::declared(row),
        )
    });
    each(
        tx,
        batches(rows)?,
        "insert into jobs (id, service, name, definition, origin, revision, anchor, created_at, \
         updated_at, deleted_at, children, declared) \
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
         value ->> 6, value ->> 7, value ->> 8, value ->> 9, \
         value ->> 10, value ->> 11 from json_each(?) where true \
         on conflict (id) do update set service = excluded.service, name = excluded.name, \
         definition = excluded.definition, children = excluded.children, \
         declared = excluded.declared, origin = excluded.origin, \
         revision = excluded.revision, anchor = excluded.anchor, \
         updated_at = excluded.updated_at, deleted_at = excluded.deleted_at \
         where excluded.revision >= jobs.revision",
    )
    .await?;
    // From the current rows: the higher of two revisions wins.
    let ids = batches(ids.into_iter())?;
    each(
        tx,
        ids.clone(),
        "delete from job_children where parent in (select value from json_each(?))",
    )
    .await?;
    each(
        tx,
        ids,
        "insert into job_children (child, parent) select child.value, jobs.id \
         from jobs, json_each(jobs.children) as child \
         where jobs.id in (select value from json_each(?)) and jobs.deleted_at is null \
         on conflict do nothing",
    )
    .await
}
