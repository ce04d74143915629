//! Outcomes: the first outcome of an attempt wins and moves its task; later ones, in the same
//! transaction or another, change nothing.

use std::collections::HashSet;

use jiff::Timestamp;
use sqlx::PgConnection;

use super::{commit::Outcome, small};
use crate::store::{
    Commit, EndedAttempt,
    batch::{self, Head, clean, moves_its_head, own_end, own_state},
    codes::{attempt_state_code, reason_code, task_state_code},
};

/// Ends the attempts that are open. `state + 0` keeps the planner from using the index of open
/// attempts, most entries of which are already dead: that takes several times as long.
macro_rules! end_attempts {
    ($returning:literal) => {
        concat!(
            "update attempts a set state = new.state, reason = new.reason, \
             message = new.message, result = new.result, started_at = new.started_at, \
             ended_at = new.ended_at, task_state = coalesce(new.task_state, a.task_state), \
             task_ended_at = new.task_ended_at \
             from unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::text[], $5::text[], \
             $6::bigint[], $7::bigint[], $8::smallint[], $9::bigint[]) \
             as new (id, state, reason, message, result, started_at, ended_at, task_state, \
             task_ended_at) \
             where a.id = new.id and a.state + 0 = 0",
            $returning
        )
    };
}

pub(super) async fn apply(tx: &mut PgConnection, commits: &[Commit]) -> Outcome {
    let first = batch::outcomes(commits);
    if first.is_empty() {
        return Ok(());
    }
    let brings_more = |ended: &&EndedAttempt| !ended.log_tail.is_empty() || moves_its_head(ended);
    if !first.iter().any(brings_more) {
        return end(end_attempts!(""), &first).execute(tx).await.map(drop);
    }
    let taken = end(end_attempts!(" returning a.id"), &first).fetch_all(&mut *tx).await?;
    let taken: HashSet<i64> =
        taken.iter().map(|row| sqlx::Row::try_get(row, 0)).collect::<sqlx::Result<_>>()?;
    let taken: Vec<_> =
        first.into_iter().filter(|ended| taken.contains(&ended.attempt.0)).collect();
    heads(tx, &taken).await?;
    logs(tx, &taken).await
}

type Query = sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn end(statement: &'static str, rows: &[&EndedAttempt]) -> Query {
    let text = |get: fn(&EndedAttempt) -> Option<&str>| {
        rows.iter().map(|ended| get(ended).map(|text| clean(text).into_owned())).collect::<Vec<_>>()
    };
    let state = |ended: &&EndedAttempt| small(attempt_state_code(ended.state));
    let reason = |ended: &&EndedAttempt| ended.reason.map(|reason| small(reason_code(reason)));
    let task_state = |ended: &&EndedAttempt| own_state(ended).map(|s| small(task_state_code(s)));
    let task_ended = |ended: &&EndedAttempt| own_end(ended).map(Timestamp::as_millisecond);
    sqlx::query(statement)
        .bind(rows.iter().map(|ended| ended.attempt.0).collect::<Vec<_>>())
        .bind(rows.iter().map(state).collect::<Vec<_>>())
        .bind(rows.iter().map(reason).collect::<Vec<_>>())
        .bind(text(|ended| ended.message.as_deref()))
        .bind(text(|ended| ended.result.as_deref()))
        .bind(
            rows.iter()
                .map(|ended| ended.started_at.map(Timestamp::as_millisecond))
                .collect::<Vec<_>>(),
        )
        .bind(rows.iter().map(|ended| ended.ended_at.as_millisecond()).collect::<Vec<_>>())
        .bind(rows.iter().map(task_state).collect::<Vec<_>>())
        .bind(rows.iter().map(task_ended).collect::<Vec<_>>())
}

/// Updates heads for outcomes that are stored in other rows, those of retries and shards.
async fn heads(tx: &mut PgConnection, taken: &[&EndedAttempt]) -> Outcome {
    let heads = batch::heads(taken.iter().copied());
    if heads.is_empty() {
        return Ok(());
    }
    let ended_at = |head: &Head<'_>| head.ended_at.map(Timestamp::as_millisecond);
    sqlx::query(
        "update attempts a set task_state = new.state, task_ended_at = new.ended_at, \
         task_result = new.result \
         from unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::text[]) \
         as new (id, state, ended_at, result) \
         where a.id = new.id and a.task_state < 3",
    )
    .bind(heads.iter().map(|head| head.task.0).collect::<Vec<_>>())
    .bind(heads.iter().map(|head| small(task_state_code(head.state))).collect::<Vec<_>>())
    .bind(heads.iter().map(ended_at).collect::<Vec<_>>())
    .bind(heads.iter().map(|head| head.result.as_deref()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}

async fn logs(tx: &mut PgConnection, taken: &[&EndedAttempt]) -> Outcome {
    let logged: Vec<_> = taken.iter().filter(|ended| !ended.log_tail.is_empty()).collect();
    if logged.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into logs (attempt, tail) select * from unnest($1::bigint[], $2::text[]) \
         on conflict do nothing",
    )
    .bind(logged.iter().map(|ended| ended.attempt.0).collect::<Vec<_>>())
    .bind(logged.iter().map(|ended| clean(&ended.log_tail)).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}
