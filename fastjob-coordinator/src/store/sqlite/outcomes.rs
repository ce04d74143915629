//! Outcomes: the first outcome of an attempt wins and moves its task; later ones, in the same
//! transaction or another, change nothing.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::commit::{Outcome, batches, each};
use crate::store::{
    Commit, EndedAttempt,
    batch::{self, Head, clean, moves_its_head, own_end, own_state},
    codes::{attempt_state_code, reason_code, task_state_code},
};

pub(super) async fn apply(tx: &mut SqliteConnection, commits: &[Commit]) -> Outcome {
    let first = batch::outcomes(commits);
    // Statements that need the attempt to be open run before it ends.
    let logged = first.iter().filter(|ended| !ended.log_tail.is_empty());
    each(
        tx,
        batches(logged.map(|ended| (ended.attempt.0, clean(&ended.log_tail))))?,
        "insert into logs (attempt, tail) select new.value ->> 0, new.value ->> 1 \
         from json_each(?) as new where exists (select 1 from attempts \
         where attempts.id = new.value ->> 0 and attempts.state = 0) on conflict do nothing",
    )
    .await?;
    let heads = heads(tx, &first).await?;
    each(
        tx,
        batches(first.iter().map(|ended| ended_row(ended)))?,
        "update attempts set state = new.state, reason = new.reason, message = new.message, \
         result = new.result, started_at = new.started_at, ended_at = new.ended_at, \
         task_state = coalesce(new.task_state, attempts.task_state), \
         task_ended_at = new.task_ended_at \
         from (select value ->> 0 as id, value ->> 1 as state, value ->> 2 as reason, \
         value ->> 3 as message, value ->> 4 as result, value ->> 5 as started_at, \
         value ->> 6 as ended_at, value ->> 7 as task_state, value ->> 8 as task_ended_at \
         from json_each(?)) as new \
         where attempts.id = new.id and attempts.state = 0",
    )
    .await?;
    each(
        tx,
        batches(heads.into_iter().map(head_row))?,
        "update attempts set task_state = new.state, task_ended_at = new.ended_at, \
         task_result = new.result \
         from (select value ->> 0 as id, value ->> 1 as state, value ->> 2 as ended_at, \
         value ->> 3 as result from json_each(?)) as new \
         where attempts.id = new.id and attempts.task_state < 3",
    )
    .await
}

/// The changed heads, for outcomes of attempts that are open.
async fn heads<'a>(
    tx: &mut SqliteConnection,
    first: &[&'a EndedAttempt],
) -> sqlx::Result<Vec<Head<'a>>> {
    let others = || first.iter().copied().filter(|ended| moves_its_head(ended));
    let mut open: HashSet<i64> = HashSet::new();
    for batch in batches(others().map(|ended| ended.attempt.0))? {
        let ids: Vec<i64> = sqlx::query_scalar(
            "select id from attempts where state = 0 and id in (select value from json_each(?))",
        )
        .bind(batch)
        .fetch_all(&mut *tx)
        .await?;
        open.extend(ids);
    }
    Ok(batch::heads(others().filter(|ended| open.contains(&ended.attempt.0))))
}

fn head_row(head: Head<'_>) -> impl Serialize {
    let ended_at = head.ended_at.map(Timestamp::as_millisecond);
    (head.task.0, task_state_code(head.state), ended_at, head.result)
}

fn ended_row(ended: &EndedAttempt) -> impl Serialize + '_ {
    (
        ended.attempt.0,
        attempt_state_code(ended.state),
        ended.reason.map(reason_code),
        ended.message.as_deref().map(clean),
        ended.result.as_deref().map(clean),
        ended.started_at.map(Timestamp::as_millisecond),
        ended.ended_at.as_millisecond(),
        own_state(ended).map(task_state_code),
        own_end(ended).map(Timestamp::as_millisecond),
    )
}
