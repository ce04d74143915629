//! What a transaction writes of the journal and the history.

use std::collections::HashSet;

use fastjob_core::AttemptId;
use jiff::Timestamp;
use rusqlite::Transaction;
use serde_json::Value;
use sqlx::{Row, SqliteConnection};
use tokio_stream::StreamExt;

use super::{
    commit::{Outcome, batches, each},
    index,
    script::{Script, maybe_text},
};
use crate::store::{
    Result,
    codes::{attempt_state_code, cause_code, reason_code, task_state_code},
    journal::{Journal, Mark, Record, Staged},
    while_doing,
};

/// Replays the journal.
pub(super) async fn replay(connection: &mut SqliteConnection) -> Result<Journal> {
    let doing = while_doing("read the journal");
    let mut rows = sqlx::query("select seq, record from journal order by seq").fetch(connection);
    let mut records = Vec::new();
    while let Some(row) = rows.next().await {
        let row = row.map_err(&doing)?;
        records.push((row.try_get(0).map_err(&doing)?, row.try_get(1).map_err(&doing)?));
    }
    Journal::replay(records.into_iter().map(Ok))
}

/// How far the store is.
pub(super) async fn mark(connection: &mut SqliteConnection) -> sqlx::Result<Mark> {
    let (seq, commits) = sqlx::query_as(
        "select (select coalesce(max(seq), 0) from journal), \
         coalesce((select cast(value as integer) from meta where key = 'commits'), 0)",
    )
    .fetch_one(connection)
    .await?;
    Ok(Mark { seq, commits })
}

/// Counts a transaction. Returns how far the store was before.
pub(super) fn count(tx: &Transaction<'_>) -> rusqlite::Result<Mark> {
    let mut statement = tx.prepare_cached(
        "insert into meta (key, value) values ('commits', '1') on conflict (key) do update \
         set value = cast(cast(meta.value as integer) + 1 as text) \
         returning (select coalesce(max(seq), 0) from journal), cast(value as integer) - 1",
    )?;
    statement.query_one([], |row| Ok(Mark { seq: row.get(0)?, commits: row.get(1)? }))
}

/// Those of the attempts that are in the history.
pub(super) async fn known(
    connection: &mut SqliteConnection,
    attempts: Vec<i64>,
) -> sqlx::Result<HashSet<AttemptId>> {
    if attempts.is_empty() {
        return Ok(HashSet::new());
    }
    let found: Vec<i64> = sqlx::query_scalar(
        "select id from tasks where id in (select value from json_each(?1)) \
         union select id from attempts where id in (select value from json_each(?1))",
    )
    .bind(Value::from(attempts).to_string())
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(AttemptId).collect())
}

pub(super) fn apply(script: &mut Script, staged: Staged<'_>) -> Outcome {
    let cancelled = staged.cancelled.iter().map(|task| task.0);
    each(
        script,
        batches(cancelled)?,
        "delete from keys where task in (select value from json_each(?))",
    );
    attempts(script, &staged);
    tasks(script, &staged);
    index::write(script, staged.segments);
    script.rows(
        "insert into logs (attempt, begins, tail) values (?, ?, ?) on conflict do nothing",
        staged
            .logs
            .into_iter()
            .map(|(attempt, at, tail)| [attempt.0.into(), at.into(), tail.into_owned().into()]),
    );
    script.rows(
        "update tasks set note = case when note is null then ?2 else note || '; ' || ?2 end \
         where id = ?1 and instr(coalesce(note, ''), ?2) = 0",
        staged.notes.into_iter().map(|(task, note)| [task.0.into(), note.into_owned().into()]),
    );
    records(script, staged.records);
    Ok(())
}

pub(super) fn records(script: &mut Script, records: Vec<Record>) {
    for Record { seq, bytes, removed, .. } in records {
        script.add("insert into journal (seq, record) values (?, ?)", [seq.into(), bytes.into()]);
        if !removed.is_empty() {
            script.add(
                "delete from journal where seq >= ? and seq < ?",
                [removed.start.into(), removed.end.into()],
            );
        }
    }
}

/// How many attempts are open after the last record; `None` if there is no record.
pub(super) fn open(staged: &Staged<'_>) -> Option<i64> {
    staged.records.last().map(|record| i64::try_from(record.open).unwrap_or(i64::MAX))
}

fn tasks(script: &mut Script, staged: &Staged<'_>) {
    let rows = staged.tasks.iter().map(|end| {
        let only = end.only.as_ref();
        [
            end.task.0.into(),
            end.job.0.into(),
            cause_code(end.cause).into(),
            task_state_code(end.state).into(),
            end.created_at.as_millisecond().into(),
            end.ended_at.as_millisecond().into(),
            end.fire_at.map(Timestamp::as_millisecond).into(),
            end.parent.map(|task| task.0).into(),
            only.map(|only| only.due_at.as_millisecond()).into(),
            only.and_then(|only| only.started_at).map(Timestamp::as_millisecond).into(),
            only.and_then(|only| only.life).map(|life| life.0).into(),
            only.map(|only| attempt_state_code(only.state)).into(),
            only.and_then(|only| only.reason).map(reason_code).into(),
            maybe_text(only.and_then(|only| only.message.as_deref())),
            maybe_text(end.result.as_deref()),
            maybe_text(end.param.as_deref()),
            maybe_text(end.note.as_deref()),
            end.reruns.map(|task| task.0).into(),
            end.trace.map(|trace| trace.to_string()).into(),
        ]
    });
    script.rows(
        "insert into tasks (id, job, cause, state, created_at, ended_at, fire_at, parent, due_at, \
         started_at, life, attempt_state, reason, message, result, param, note, reruns, trace) \
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
        rows,
    );
}

fn attempts(script: &mut Script, staged: &Staged<'_>) {
    let rows = staged.attempts.iter().map(|end| {
        [
            end.attempt.0.into(),
            end.task.0.into(),
            end.number.into(),
            end.shard.index.into(),
            end.shard.total.into(),
            attempt_state_code(end.state).into(),
            end.due_at.as_millisecond().into(),
            end.ended_at.as_millisecond().into(),
            end.started_at.map(Timestamp::as_millisecond).into(),
            end.life.map(|life| life.0).into(),
            end.reason.map(reason_code).into(),
            maybe_text(end.message.as_deref()),
            maybe_text(end.result.as_deref()),
        ]
    });
    script.rows(
        "insert into attempts (id, task, number, shard_index, shard_total, state, due_at, ended_at, \
         started_at, life, reason, message, result) \
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
        rows,
    );
}
