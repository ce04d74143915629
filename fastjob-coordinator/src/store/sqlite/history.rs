//! What a transaction writes of the journal and the history.

use std::collections::HashSet;

use fastjob_core::AttemptId;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::{Row, SqliteConnection};
use tokio_stream::StreamExt;

use super::{
    commit::{Outcome, batches, each},
    index,
    many::insert,
};
use crate::store::{
    Result,
    codes::{attempt_state_code, cause_code, reason_code, task_state_code},
    journal::{Journal, Mark, Staged},
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
pub(super) async fn count(tx: &mut SqliteConnection) -> sqlx::Result<Mark> {
    let (seq, commits) = sqlx::query_as(
        "insert into meta (key, value) values ('commits', '1') on conflict (key) do update \
         set value = cast(cast(meta.value as integer) + 1 as text) \
         returning (select coalesce(max(seq), 0) from journal), cast(value as integer) - 1",
    )
    .fetch_one(tx)
    .await?;
    Ok(Mark { seq, commits })
}

/// Those of the attempts that are in the history.
pub(super) async fn known(
    tx: &mut SqliteConnection,
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
    .fetch_all(tx)
    .await?;
    Ok(found.into_iter().map(AttemptId).collect())
}

pub(super) async fn apply(tx: &mut SqliteConnection, staged: &Staged<'_>) -> Outcome {
    let cancelled = staged.cancelled.iter().map(|task| task.0);
    each(
        tx,
        batches(cancelled)?,
        "delete from keys where task in (select value from json_each(?))",
    )
    .await?;
    attempts(tx, staged).await?;
    tasks(tx, staged).await?;
    index::write(tx, &staged.segments).await?;
    insert(
        tx,
        ("logs (attempt, begins, tail)", 3, "on conflict do nothing"),
        &staged.logs,
        |query, (attempt, at, tail)| query.bind(attempt.0).bind(at).bind(tail.as_ref()),
    )
    .await?;
    for (task, note) in &staged.notes {
        sqlx::query(
            "update tasks set note = case when note is null then ?2 else note || '; ' || ?2 end \
             where id = ?1 and instr(coalesce(note, ''), ?2) = 0",
        )
        .bind(task.0)
        .bind(note.as_ref())
        .execute(&mut *tx)
        .await?;
    }
    records(tx, staged).await
}

pub(super) async fn records(tx: &mut SqliteConnection, staged: &Staged<'_>) -> Outcome {
    for record in &staged.records {
        sqlx::query("insert into journal (seq, record) values (?, ?)")
            .bind(record.seq)
            .bind(record.bytes.as_slice())
            .execute(&mut *tx)
            .await?;
        if !record.removed.is_empty() {
            sqlx::query("delete from journal where seq >= ? and seq < ?")
                .bind(record.removed.start)
                .bind(record.removed.end)
                .execute(&mut *tx)
                .await?;
        }
    }
    Ok(())
}

/// How many attempts are open after the last record; `None` if there is no record.
pub(super) fn open(staged: &Staged<'_>) -> Option<i64> {
    staged.records.last().map(|record| i64::try_from(record.open).unwrap_or(i64::MAX))
}

async fn tasks(tx: &mut SqliteConnection, staged: &Staged<'_>) -> Outcome {
    let columns = "tasks (id, job, cause, state, created_at, ended_at, fire_at, parent, due_at, \
                   started_at, life, attempt_state, reason, message, result, param, note, reruns, \
                   trace)";
    insert(tx, (columns, 19, "on conflict do nothing"), &staged.tasks, |query, end| {
        let only = end.only.as_ref();
        query
            .bind(end.task.0)
            .bind(end.job.0)
            .bind(cause_code(end.cause))
            .bind(task_state_code(end.state))
            .bind(end.created_at.as_millisecond())
            .bind(end.ended_at.as_millisecond())
            .bind(end.fire_at.map(Timestamp::as_millisecond))
            .bind(end.parent.map(|task| task.0))
            .bind(only.map(|only| only.due_at.as_millisecond()))
            .bind(only.and_then(|only| only.started_at).map(Timestamp::as_millisecond))
            .bind(only.and_then(|only| only.life).map(|life| life.0))
            .bind(only.map(|only| attempt_state_code(only.state)))
            .bind(only.and_then(|only| only.reason).map(reason_code))
            .bind(only.and_then(|only| only.message.as_deref()))
            .bind(end.result.as_deref())
            .bind(end.param.as_deref())
            .bind(end.note.as_deref())
            .bind(end.reruns.map(|task| task.0))
            .bind(end.trace.map(|trace| trace.to_string()))
    })
    .await
}

async fn attempts(tx: &mut SqliteConnection, staged: &Staged<'_>) -> Outcome {
    let columns = "attempts (id, task, number, shard_index, shard_total, state, due_at, ended_at, \
                   started_at, life, reason, message, result)";
    insert(tx, (columns, 13, "on conflict do nothing"), &staged.attempts, |query, end| {
        query
            .bind(end.attempt.0)
            .bind(end.task.0)
            .bind(end.number)
            .bind(end.shard.index)
            .bind(end.shard.total)
            .bind(attempt_state_code(end.state))
            .bind(end.due_at.as_millisecond())
            .bind(end.ended_at.as_millisecond())
            .bind(end.started_at.map(Timestamp::as_millisecond))
            .bind(end.life.map(|life| life.0))
            .bind(end.reason.map(reason_code))
            .bind(end.message.as_deref())
            .bind(end.result.as_deref())
    })
    .await
}
