//! What a transaction writes of the journal and the history.

use std::collections::{BTreeMap, HashSet};

use fastjob_core::AttemptId;
use jiff::Timestamp;
use sqlx::{PgConnection, PgExecutor, Row, postgres::PgRow};

use super::{commit::Outcome, index, int, partition, small};
use crate::store::{
    Partition, Result,
    codes::{attempt_state_code, cause_code, reason_code, task_state_code},
    journal::{AttemptEnd, Record, Refresh, Staged, TaskEnd},
    while_doing,
};

/// The records of a partition's journal, oldest first.
pub(super) async fn records_of(
    connection: impl PgExecutor<'_>,
    partition: Partition,
) -> sqlx::Result<Vec<(i64, Vec<u8>)>> {
    sqlx::query_as("select seq, record from journal where partition = $1 order by seq")
        .bind(int(partition.0))
        .fetch_all(connection)
        .await
}

/// Reads a record with its partition and its number.
pub(super) fn record(row: &PgRow) -> Result<(Partition, i64, Vec<u8>)> {
    let doing = while_doing("read the journal");
    let of = partition(row.try_get(0).map_err(&doing)?)?;
    Ok((of, row.try_get(1).map_err(&doing)?, row.try_get(2).map_err(&doing)?))
}

/// Reads a partition, whether its known record is there, and another record with its number, if
/// there is one.
pub(super) fn refreshed(row: &PgRow) -> Result<Refresh> {
    let doing = while_doing("read the journal");
    let record = match row.try_get(2).map_err(&doing)? {
        Some(seq) => Some((seq, row.try_get(3).map_err(&doing)?)),
        None => None,
    };
    Ok(Refresh {
        partition: partition(row.try_get(0).map_err(&doing)?)?,
        continues: row.try_get(1).map_err(&doing)?,
        record,
    })
}

/// Those of the attempts that are in the history.
pub(super) async fn known(
    tx: &mut PgConnection,
    attempts: Vec<i64>,
) -> sqlx::Result<HashSet<AttemptId>> {
    if attempts.is_empty() {
        return Ok(HashSet::new());
    }
    let found: Vec<i64> = sqlx::query_scalar(
        "select id from tasks where id = any($1) union select id from attempts where id = any($1)",
    )
    .bind(attempts)
    .fetch_all(tx)
    .await?;
    Ok(found.into_iter().map(AttemptId).collect())
}

pub(super) async fn apply(tx: &mut PgConnection, staged: &Staged<'_>) -> Outcome {
    if !staged.cancelled.is_empty() {
        sqlx::query("delete from keys where task = any($1)")
            .bind(staged.cancelled.iter().map(|task| task.0).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await?;
    }
    if !staged.attempts.is_empty() {
        attempts(tx, &staged.attempts).await?;
    }
    if !staged.tasks.is_empty() {
        tasks(tx, &staged.tasks).await?;
    }
    index::write(tx, &staged.segments).await?;
    if !staged.logs.is_empty() {
        sqlx::query(
            "insert into logs (attempt, begins, tail) \
             select * from unnest($1::bigint[], $2::bigint[], $3::text[]) on conflict do nothing",
        )
        .bind(staged.logs.iter().map(|(attempt, ..)| attempt.0).collect::<Vec<_>>())
        .bind(staged.logs.iter().map(|(_, at, _)| *at).collect::<Vec<_>>())
        .bind(staged.logs.iter().map(|(.., tail)| tail.as_ref()).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    }
    for (task, note) in &staged.notes {
        sqlx::query(
            "update tasks set note = case when note is null then $2 else note || '; ' || $2 end \
             where id = $1 and position($2 in coalesce(note, '')) = 0",
        )
        .bind(task.0)
        .bind(note.as_ref())
        .execute(&mut *tx)
        .await?;
    }
    if staged.records.is_empty() { Ok(()) } else { records(tx, &staged.records).await }
}

/// Appends records, removes older ones, and counts what is open.
pub(super) async fn records(tx: &mut PgConnection, records: &[Record]) -> Outcome {
    let cleaned = || records.iter().filter(|record| !record.removed.is_empty());
    let last: BTreeMap<_, _> = records.iter().map(|record| (record.partition, record)).collect();
    let open = |record: &&Record| i64::try_from(record.open).unwrap_or(i64::MAX);
    sqlx::query(
        "with removed as (delete from journal j \
         using unnest($7::int4[], $8::bigint[], $9::bigint[]) as old (partition, first, until) \
         where j.partition = old.partition and j.seq >= old.first and j.seq < old.until), \
         counted as (update partitions p set open = new.open, seq = new.seq \
         from unnest($4::int4[], $5::bigint[], $6::bigint[]) as new (partition, open, seq) \
         where p.partition = new.partition) \
         insert into journal (partition, seq, record) \
         select * from unnest($1::int4[], $2::bigint[], $3::bytea[])",
    )
    .bind(records.iter().map(|record| int(record.partition.0)).collect::<Vec<_>>())
    .bind(records.iter().map(|record| record.seq).collect::<Vec<_>>())
    .bind(records.iter().map(|record| record.bytes.as_slice()).collect::<Vec<_>>())
    .bind(last.keys().map(|partition| int(partition.0)).collect::<Vec<_>>())
    .bind(last.values().map(open).collect::<Vec<_>>())
    .bind(last.values().map(|record| record.seq).collect::<Vec<_>>())
    .bind(cleaned().map(|record| int(record.partition.0)).collect::<Vec<_>>())
    .bind(cleaned().map(|record| record.removed.start).collect::<Vec<_>>())
    .bind(cleaned().map(|record| record.removed.end).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}

async fn tasks(tx: &mut PgConnection, rows: &[TaskEnd<'_>]) -> Outcome {
    let column = |get: fn(&TaskEnd<'_>) -> i64| rows.iter().map(get).collect::<Vec<_>>();
    let maybe = |get: fn(&TaskEnd<'_>) -> Option<i64>| rows.iter().map(get).collect::<Vec<_>>();
    let code =
        |get: fn(&TaskEnd<'_>) -> i64| rows.iter().map(|end| small(get(end))).collect::<Vec<_>>();
    let maybe_code = |get: fn(&AttemptEnd<'_>) -> Option<i64>| {
        rows.iter().map(|end| end.only.as_ref().and_then(get).map(small)).collect::<Vec<_>>()
    };
    sqlx::query(
        "insert into tasks (id, job, cause, state, created_at, ended_at, fire_at, parent, due_at, \
         started_at, life, attempt_state, reason, message, result, param, note, reruns, trace) \
         select * from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::smallint[], \
         $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], \
         $11::bigint[], $12::smallint[], $13::smallint[], $14::text[], $15::text[], $16::text[], \
         $17::text[], $18::bigint[], $19::text[]) on conflict do nothing",
    )
    .bind(column(|end| end.task.0))
    .bind(column(|end| end.job.0))
    .bind(code(|end| cause_code(end.cause)))
    .bind(code(|end| task_state_code(end.state)))
    .bind(column(|end| end.created_at.as_millisecond()))
    .bind(column(|end| end.ended_at.as_millisecond()))
    .bind(maybe(|end| end.fire_at.map(Timestamp::as_millisecond)))
    .bind(maybe(|end| end.parent.map(|task| task.0)))
    .bind(maybe(|end| Some(end.only.as_ref()?.due_at.as_millisecond())))
    .bind(maybe(|end| Some(end.only.as_ref()?.started_at?.as_millisecond())))
    .bind(maybe(|end| Some(end.only.as_ref()?.life?.0)))
    .bind(maybe_code(|only| Some(attempt_state_code(only.state))))
    .bind(maybe_code(|only| only.reason.map(reason_code)))
    .bind(
        rows.iter()
            .map(|end| end.only.as_ref().and_then(|only| only.message.as_deref()))
            .collect::<Vec<_>>(),
    )
    .bind(rows.iter().map(|end| end.result.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|end| end.param.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|end| end.note.as_deref()).collect::<Vec<_>>())
    .bind(maybe(|end| end.reruns.map(|task| task.0)))
    .bind(rows.iter().map(|end| end.trace.map(|id| id.to_string())).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}

async fn attempts(tx: &mut PgConnection, rows: &[AttemptEnd<'_>]) -> Outcome {
    let column = |get: fn(&AttemptEnd<'_>) -> i64| rows.iter().map(get).collect::<Vec<_>>();
    let maybe = |get: fn(&AttemptEnd<'_>) -> Option<i64>| rows.iter().map(get).collect::<Vec<_>>();
    let count =
        |get: fn(&AttemptEnd<'_>) -> u32| rows.iter().map(|row| int(get(row))).collect::<Vec<_>>();
    sqlx::query(
        "insert into attempts (id, task, number, shard_index, shard_total, state, due_at, \
         ended_at, started_at, life, reason, message, result) \
         select * from unnest($1::bigint[], $2::bigint[], $3::int4[], $4::int4[], $5::int4[], \
         $6::smallint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], \
         $11::smallint[], $12::text[], $13::text[]) on conflict do nothing",
    )
    .bind(column(|end| end.attempt.0))
    .bind(column(|end| end.task.0))
    .bind(count(|end| end.number))
    .bind(count(|end| end.shard.index))
    .bind(count(|end| end.shard.total))
    .bind(rows.iter().map(|end| small(attempt_state_code(end.state))).collect::<Vec<_>>())
    .bind(column(|end| end.due_at.as_millisecond()))
    .bind(column(|end| end.ended_at.as_millisecond()))
    .bind(maybe(|end| end.started_at.map(Timestamp::as_millisecond)))
    .bind(maybe(|end| end.life.map(|life| life.0)))
    .bind(rows.iter().map(|end| end.reason.map(|r| small(reason_code(r)))).collect::<Vec<_>>())
    .bind(rows.iter().map(|end| end.message.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|end| end.result.as_deref()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}
