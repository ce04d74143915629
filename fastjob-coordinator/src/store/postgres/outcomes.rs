//! Outcomes: the first outcome of an attempt wins and moves its task; later ones, in the same
//! transaction or another, change nothing.

use std::collections::{BTreeMap, HashSet};

use fastjob_core::{TaskId, TaskState};
use jiff::Timestamp;
use sqlx::PgConnection;

use super::{commit::Outcome, small};
use crate::store::{
    Commit, EndedAttempt,
    batch::clean,
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
    let all = commits.iter().flat_map(|commit| &commit.ended);
    let mut seen = HashSet::new();
    let first: Vec<_> = all.filter(|ended| seen.insert(ended.attempt)).collect();
    if first.is_empty() {
        return Ok(());
    }
    let brings_more = |ended: &&EndedAttempt| {
        !ended.log_tail.is_empty() || (ended.task_state.is_some() && !moves_itself(ended))
    };
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
    let own_state = |ended: &EndedAttempt| ended.task_state.filter(|_| moves_itself(ended));
    let text = |get: fn(&EndedAttempt) -> Option<&str>| {
        rows.iter().map(|ended| get(ended).map(|text| clean(text).into_owned())).collect::<Vec<_>>()
    };
    let state = |ended: &&EndedAttempt| small(attempt_state_code(ended.state));
    let reason = |ended: &&EndedAttempt| ended.reason.map(|reason| small(reason_code(reason)));
    let task_state = |ended: &&EndedAttempt| own_state(ended).map(|s| small(task_state_code(s)));
    let task_ended = |ended: &&EndedAttempt| {
        let ends = own_state(ended).is_some_and(TaskState::is_final);
        ends.then(|| ended.ended_at.as_millisecond())
    };
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

/// Whether the attempt's row is also its task's head, and stores the task's result.
fn moves_itself(ended: &EndedAttempt) -> bool {
    ended.attempt == ended.task.first_attempt() && ended.task_result.is_none()
}

/// Updates heads for outcomes that are stored in other rows, those of retries and shards: one head
/// per task. Of several outcomes the last one counts, or the one that ends the task.
async fn heads(tx: &mut PgConnection, taken: &[&EndedAttempt]) -> Outcome {
    let is_final = |ended: &EndedAttempt| ended.task_state.is_some_and(TaskState::is_final);
    let mut heads: BTreeMap<TaskId, (TaskState, &EndedAttempt)> = BTreeMap::new();
    for ended in taken.iter().filter(|ended| !moves_itself(ended)) {
        let Some(state) = ended.task_state else { continue };
        let head = heads.entry(ended.task).or_insert((state, ended));
        if !is_final(head.1) {
            *head = (state, ended);
        }
    }
    if heads.is_empty() {
        return Ok(());
    }
    let column = |get: fn(TaskState, &EndedAttempt) -> Option<i64>| {
        heads.values().map(|(state, ended)| get(*state, ended)).collect::<Vec<_>>()
    };
    let result = |(_, ended): &(TaskState, &EndedAttempt)| {
        let result = ended.task_result.as_deref().or(ended.result.as_deref());
        result.map(|text| clean(text).into_owned())
    };
    sqlx::query(
        "update attempts a set task_state = new.state, task_ended_at = new.ended_at, \
         task_result = new.result \
         from unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::text[]) \
         as new (id, state, ended_at, result) \
         where a.id = new.id and a.task_state < 3",
    )
    .bind(heads.keys().map(|task| task.0).collect::<Vec<_>>())
    .bind(heads.values().map(|head| small(task_state_code(head.0))).collect::<Vec<_>>())
    .bind(column(|state, ended| state.is_final().then(|| ended.ended_at.as_millisecond())))
    .bind(heads.values().map(result).collect::<Vec<_>>())
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
