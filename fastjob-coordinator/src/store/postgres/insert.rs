//! New attempts. Most are the only one of a scheduled task: their statement leaves out the columns
//! that only others use.

use fastjob_core::Shard;
use jiff::Timestamp;
use sqlx::PgConnection;

use super::{commit::Outcome, int, small};
use crate::store::{
    Commit, Lineage, NewAttempt,
    batch::{clean, head_end, head_state, keys},
    codes::{attempt_state_code, cause_code, task_state_code},
};

pub(super) async fn attempts(tx: &mut PgConnection, commits: &[Commit]) -> Outcome {
    let all = || commits.iter().flat_map(|commit| &commit.planned);
    let plain: Vec<_> = all().filter(|new| is_plain(new)).collect();
    if !plain.is_empty() {
        self::plain(tx, &plain).await?;
    }
    let others: Vec<_> = all().filter(|new| !is_plain(new)).collect();
    if !others.is_empty() {
        self::others(tx, &others).await?;
    }
    let keys: Vec<_> = keys(commits).collect();
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into keys (job, key, task) \
         select * from unnest($1::bigint[], $2::text[], $3::bigint[]) on conflict do nothing",
    )
    .bind(keys.iter().map(|(job, ..)| job.0).collect::<Vec<_>>())
    .bind(keys.iter().map(|(_, key, _)| key.as_ref()).collect::<Vec<_>>())
    .bind(keys.iter().map(|(.., task)| task.0).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}

/// The first attempt of an open task with one shard and no optional values.
fn is_plain(new: &NewAttempt) -> bool {
    new.row.shard == Shard::WHOLE
        && new.row.is_head()
        && !new.task_state.is_final()
        && new.parent.is_none()
        && new.lineage.is_none()
        && new.wanted.is_none()
        && new.param.is_none()
        && new.note.is_none()
}

async fn plain(tx: &mut PgConnection, rows: &[&NewAttempt]) -> Outcome {
    let column = |get: fn(&&NewAttempt) -> i64| rows.iter().map(get).collect::<Vec<_>>();
    let maybe = |get: fn(&&NewAttempt) -> Option<i64>| rows.iter().map(get).collect::<Vec<_>>();
    let code =
        |get: fn(&&NewAttempt) -> i64| rows.iter().map(|row| small(get(row))).collect::<Vec<_>>();
    sqlx::query(
        "insert into attempts (id, task, job, number, cause, fire_at, due_at, created_at, life, \
         state, task_state) \
         select id, id, job, 1, cause, fire_at, due_at, created_at, life, state, task_state \
         from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::bigint[], \
         $6::bigint[], $7::bigint[], $8::smallint[], $9::smallint[]) \
         as new (id, job, cause, fire_at, due_at, created_at, life, state, task_state) \
         on conflict do nothing",
    )
    .bind(column(|new| new.row.attempt.0))
    .bind(column(|new| new.row.job.0))
    .bind(code(|new| cause_code(new.row.cause)))
    .bind(maybe(|new| new.row.fire_at.map(Timestamp::as_millisecond)))
    .bind(column(|new| new.row.due_at.as_millisecond()))
    .bind(column(|new| new.row.created_at.as_millisecond()))
    .bind(maybe(|new| new.life.map(|life| life.0)))
    .bind(code(|new| attempt_state_code(new.state)))
    .bind(code(|new| task_state_code(new.task_state)))
    .execute(tx)
    .await
    .map(drop)
}

async fn others(tx: &mut PgConnection, rows: &[&NewAttempt]) -> Outcome {
    let column = |get: fn(&&NewAttempt) -> i64| rows.iter().map(get).collect::<Vec<_>>();
    let maybe = |get: fn(&&NewAttempt) -> Option<i64>| rows.iter().map(get).collect::<Vec<_>>();
    let count =
        |get: fn(&&NewAttempt) -> u32| rows.iter().map(|row| int(get(row))).collect::<Vec<_>>();
    let code =
        |get: fn(&&NewAttempt) -> i64| rows.iter().map(|row| small(get(row))).collect::<Vec<_>>();
    let task_state = |new: &&NewAttempt| head_state(new).map(|state| small(task_state_code(state)));
    let lineage = |get: fn(Lineage) -> u32| {
        rows.iter().map(|new| new.lineage.map(|of| int(get(of)))).collect::<Vec<_>>()
    };
    sqlx::query(
        "insert into attempts (id, task, job, number, shard_index, shard_total, cause, parent, \
         wanted, fire_at, due_at, created_at, life, param, note, state, task_state, \
         task_ended_at, depth, budget) \
         select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::int4[], $5::int4[], \
         $6::int4[], $7::smallint[], $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], \
         $12::bigint[], $13::bigint[], $14::text[], $15::text[], $16::smallint[], \
         $17::smallint[], $18::bigint[], $19::int4[], $20::int4[]) on conflict do nothing",
    )
    .bind(column(|new| new.row.attempt.0))
    .bind(column(|new| new.row.task.0))
    .bind(column(|new| new.row.job.0))
    .bind(count(|new| new.row.number))
    .bind(count(|new| new.row.shard.index))
    .bind(count(|new| new.row.shard.total))
    .bind(code(|new| cause_code(new.row.cause)))
    .bind(maybe(|new| new.parent.map(|task| task.0)))
    .bind(rows.iter().map(|new| new.wanted.as_ref().map(ToString::to_string)).collect::<Vec<_>>())
    .bind(maybe(|new| new.row.fire_at.map(Timestamp::as_millisecond)))
    .bind(column(|new| new.row.due_at.as_millisecond()))
    .bind(column(|new| new.row.created_at.as_millisecond()))
    .bind(maybe(|new| new.life.map(|life| life.0)))
    .bind(rows.iter().map(|new| new.param.as_deref().map(clean)).collect::<Vec<_>>())
    .bind(rows.iter().map(|new| new.note.as_deref().map(clean)).collect::<Vec<_>>())
    .bind(code(|new| attempt_state_code(new.state)))
    .bind(rows.iter().map(task_state).collect::<Vec<_>>())
    .bind(maybe(|new| head_end(new).map(Timestamp::as_millisecond)))
    .bind(lineage(|lineage| lineage.depth))
    .bind(lineage(|lineage| lineage.budget))
    .execute(tx)
    .await
    .map(drop)
}
