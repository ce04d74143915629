//! Commits: one script for a whole batch, which the thread of the writer runs as one transaction.
//!
//! What commits do to tasks and attempts is applied to the journal first, one commit after the
//! other. The other parts of all commits are collected and applied part by part. If a job is saved
//! twice, the later revision wins.

use std::collections::BTreeSet;

use fastjob_core::Trace;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use super::{Sqlite, Writer, history, script::Script, versions};
use crate::store::{
    Commit, CommitStore, Error, Result,
    batch::{self, clean},
    codes::{alarm_kind_code, ids_code, origin_code},
    journal::{Staged, stage},
    while_doing,
};

/// Rows in one statement.
const ROWS: usize = 2_000;

const DOING: &str = "write to the store";

pub(super) type Outcome = std::result::Result<(), sqlx::Error>;

#[async_trait::async_trait]
impl CommitStore for Sqlite {
    async fn commit(&self, commits: &[Commit]) -> Result<()> {
        if commits.is_empty() {
            // It would be counted, and no journal would know.
            return Ok(());
        }
        let mut writer = self.writer().await;
        let done = match write(&mut writer, commits).await {
            // Before the commit is acknowledged.
            Ok(()) => self.written(),
            Err(_) if self.file.is_gone() => Err(Error::Behind),
            failed => failed,
        };
        match &done {
            Ok(()) => writer.journals.written(commits),
            // Whatever state the connection is in. The thread opens a new one, too.
            Err(_) => self.reconnect(&mut writer).await,
        }
        done
    }

    async fn close(&self) -> Result<()> {
        // A reader would prevent the checkpoint of the WAL into the file.
        self.readers.close().await;
        let mut writer = self.writer().await;
        writer.thread.end().await;
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

/// Writes commits in one transaction, for which the thread gets one message.
async fn write(writer: &mut Writer, commits: &[Commit]) -> Result<()> {
    let Writer { connection, thread, journals } = writer;
    let doing = while_doing(DOING);
    let missing = journals.missing(commits);
    let leases: BTreeSet<_> = commits.iter().map(|commit| commit.lease).collect();
    if !missing.is_empty() {
        // Only this process writes, so what is read here is what the transaction finds.
        thread.settled().await.map_err(&doing)?;
        let mark = history::mark(connection).await.map_err(&doing)?;
        // The engine's state and the journal must not continue on a file that was replaced.
        if leases.iter().any(|lease| !journals.is_at(*lease, mark)) {
            return Err(Error::Behind);
        }
        for lease in missing {
            if !journals.keep(lease, history::replay(connection).await?) {
                return Err(Error::Behind);
            }
        }
    }
    let known = history::known(connection, journals.doubtful(commits)).await.map_err(&doing)?;
    let mut script = Script::default();
    apply(&mut script, commits, stage(commits, journals, &known)).map_err(&doing)?;
    let expected: Vec<_> = leases.iter().map(|lease| journals.mark(*lease)).collect();
    let written = thread.write(move |tx| {
        let found = history::count(&tx)?;
        let is_at = expected.iter().all(|mark| *mark == Some(found));
        if is_at {
            script.run(&tx)?;
            tx.commit()?;
        }
        Ok((is_at, found))
    });
    let (is_written, found) = written.await.map_err(doing)?;
    let is_at = leases.iter().all(|lease| journals.is_at(*lease, found));
    if is_written && is_at { Ok(()) } else { Err(Error::Behind) }
}

fn apply(script: &mut Script, commits: &[Commit], staged: Staged<'_>) -> Outcome {
    let open = history::open(&staged);
    versions::keep(script, commits)?;
    jobs(script, commits)?;
    lives(script, commits)?;
    keys(script, commits)?;
    checkpoints(script, commits)?;
    history::apply(script, staged)?;
    anchors(script, commits)?;
    cursors(script, commits)?;
    fired_ahead(script, commits)?;
    alarms(script, commits)?;
    child_starts(script, commits)?;
    let ids_until = commits.iter().filter_map(|commit| commit.ids_until).max();
    let clock = commits.iter().filter_map(|commit| commit.clock).max();
    let watermark = commits.iter().filter_map(|commit| commit.watermark).max();
    let values = [
        ("ids_until", ids_until),
        ("clock", clock.map(Timestamp::as_millisecond)),
        ("watermark", watermark.map(Timestamp::as_millisecond)),
        (OPEN, open),
    ];
    meta(script, &values);
    Ok(())
}

fn keys(script: &mut Script, commits: &[Commit]) -> Outcome {
    let keys = batch::keys(commits).map(|(job, key, task)| (job.0, key, task.0));
    each(
        script,
        batches(keys)?,
        "insert into keys (job, key, task) select value ->> 0, value ->> 1, value ->> 2 \
         from json_each(?) where true on conflict do nothing",
    );
    Ok(())
}

fn lives(script: &mut Script, commits: &[Commit]) -> Outcome {
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
        script,
        batches(lives)?,
        "insert into lives (id, service, executor, incarnation, since) \
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 \
         from json_each(?) where true on conflict do nothing",
    );
    Ok(())
}

fn checkpoints(script: &mut Script, commits: &[Commit]) -> Outcome {
    let checkpoints = commits.iter().flat_map(|commit| &commit.checkpoints);
    each(
        script,
        batches(checkpoints.map(|point| (point.task.0, point.shard, clean(&point.value))))?,
        "insert into checkpoints (task, shard, value) \
         select value ->> 0, value ->> 1, value ->> 2 from json_each(?) where true \
         on conflict do update set value = excluded.value",
    );
    Ok(())
}

/// Moves the anchors of fixed delays, which only grow.
fn anchors(script: &mut Script, commits: &[Commit]) -> Outcome {
    let anchors = commits.iter().flat_map(|commit| &commit.anchors);
    each(
        script,
        batches(anchors.map(|(job, anchor)| (job.0, anchor.as_millisecond())))?,
        "update jobs set anchor = max(jobs.anchor, new.anchor) from \
         (select value ->> 0 as id, max(value ->> 1) as anchor from json_each(?) group by 1) \
         as new where jobs.id = new.id",
    );
    Ok(())
}

/// Records how far each job is planned, where that is beyond the watermark.
fn cursors(script: &mut Script, commits: &[Commit]) -> Outcome {
    let cursors = batch::cursors(commits).into_iter();
    each(
        script,
        batches(cursors.map(|(job, at)| (job.0, at.as_millisecond())))?,
        "insert into cursors (job, at) select value ->> 0, value ->> 1 from json_each(?) where true \
         on conflict do update set at = excluded.at",
    );
    Ok(())
}

/// Records fires that ran before their instants.
fn fired_ahead(script: &mut Script, commits: &[Commit]) -> Outcome {
    let ahead = commits.iter().flat_map(|commit| &commit.fired_ahead);
    each(
        script,
        batches(ahead.map(|(job, at)| (job.0, at.as_millisecond())))?,
        "insert into fired_ahead (job, at) \
         select value ->> 0, value ->> 1 from json_each(?) where true \
         on conflict do update set at = max(fired_ahead.at, excluded.at)",
    );
    Ok(())
}

/// Adds alarms, one row per channel.
fn alarms(script: &mut Script, commits: &[Commit]) -> Outcome {
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
        script,
        batches(alarms)?,
        "insert into alarms (id, channel, job, task, kind, at, job_name, reason, message, \
         executor, attempts) \
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
         value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10 \
         from json_each(?) where true on conflict do nothing",
    );
    Ok(())
}

/// Adds the children that are about to start, and removes those that have started.
fn child_starts(script: &mut Script, commits: &[Commit]) -> Outcome {
    let children = commits.iter().flat_map(|commit| &commit.child_starts).map(|child| {
        let param = child.param.as_deref().map(clean);
        let lineage = child.lineage;
        let (depth, budget) = (lineage.map(|l| l.depth), lineage.map(|l| l.budget));
        let trace = child.trace.as_ref().map(Trace::to_string);
        (child.id, child.partition.0, child.job.0, child.parent.0, param, depth, budget, trace)
    });
    each(
        script,
        batches(children)?,
        // A commit that is sent again must not restore the start of a child that has started.
        "insert into child_starts (id, partition, job, parent, param, depth, budget, trace) \
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
         value ->> 6, value ->> 7 \
         from json_each(?) new where not exists (select 1 from keys \
         where keys.job = new.value ->> 2 \
         and keys.key = 'fastjob:child:' || (new.value ->> 0)) on conflict do nothing",
    );
    each(
        script,
        batches(commits.iter().flat_map(|commit| &commit.children_started))?,
        "delete from child_starts where id in (select value from json_each(?))",
    );
    Ok(())
}

/// The key in `meta` of the number of open attempts.
pub(super) const OPEN: &str = "open";

/// Writes to `meta` the values that are not `None`. All but [`OPEN`] only grow.
pub(super) fn meta(script: &mut Script, values: &[(&'static str, Option<i64>)]) {
    for (key, value) in values.iter().filter_map(|(key, value)| Some((*key, (*value)?))) {
        script.add(
            "insert into meta (key, value) values (?, ?) on conflict (key) do update set \
             value = case meta.key when 'open' then excluded.value \
             else cast(max(cast(meta.value as integer), cast(excluded.value as integer)) as text) \
             end",
            [key.to_owned().into(), value.to_string().into()],
        );
    }
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

/// Adds a statement for all batches.
pub(super) fn each(script: &mut Script, batches: Vec<String>, sql: &'static str) {
    for batch in batches {
        script.add(sql, [batch.into()]);
    }
}

fn jobs(script: &mut Script, commits: &[Commit]) -> Outcome {
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
        script,
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
    );
    // From the current rows: the higher of two revisions wins.
    let ids = batches(ids.into_iter())?;
    each(
        script,
        ids.clone(),
        "delete from job_children where parent in (select value from json_each(?))",
    );
    each(
        script,
        ids,
        "insert into job_children (child, parent) select child.value, jobs.id \
         from jobs, json_each(jobs.children) as child \
         where jobs.id in (select value from json_each(?)) and jobs.deleted_at is null \
         on conflict do nothing",
    );
    Ok(())
}
