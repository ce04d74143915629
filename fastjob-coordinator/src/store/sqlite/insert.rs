//! New attempts. Most are the only one of a scheduled task: their statement leaves out the columns
//! that only others use.

use fastjob_core::Shard;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::commit::{Outcome, batches, each};
use crate::store::{
    Commit, NewAttempt,
    batch::{clean, head_end, head_state, keys},
    codes::{attempt_state_code, cause_code, task_state_code},
};

pub(super) async fn attempts(tx: &mut SqliteConnection, commits: &[Commit]) -> Outcome {
    let all = || commits.iter().flat_map(|commit| &commit.planned);
    each(
        tx,
        batches(all().filter(|new| is_plain(new)).map(plain))?,
        "insert into attempts (id, task, job, number, cause, fire_at, due_at, created_at, life, \
         state, task_state, task_ended_at, param, note) \
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
         value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, \
         value ->> 12, value ->> 13 \
         from json_each(?) where true on conflict do nothing",
    )
    .await?;
    let others = all().filter(|new| !is_plain(new)).map(|new| {
        let wanted = new.wanted.as_ref().map(|name| name.as_str());
        let parent = new.parent.map(|task| task.0);
        let (depth, budget) =
            (new.lineage.map(|lineage| lineage.depth), new.lineage.map(|lineage| lineage.budget));
        (plain(new), new.row.shard.index, new.row.shard.total, parent, wanted, depth, budget)
    });
    each(
        tx,
        batches(others)?,
        "insert into attempts (id, task, job, number, cause, fire_at, due_at, created_at, life, \
         state, task_state, task_ended_at, param, note, shard_index, shard_total, parent, wanted, \
         depth, budget) \
         select value ->> '$[0][0]', value ->> '$[0][1]', value ->> '$[0][2]', \
         value ->> '$[0][3]', value ->> '$[0][4]', value ->> '$[0][5]', value ->> '$[0][6]', \
         value ->> '$[0][7]', value ->> '$[0][8]', value ->> '$[0][9]', value ->> '$[0][10]', \
         value ->> '$[0][11]', value ->> '$[0][12]', value ->> '$[0][13]', \
         value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 \
         from json_each(?) where true on conflict do nothing",
    )
    .await?;
    each(
        tx,
        batches(keys(commits).map(|(job, key, task)| (job.0, key, task.0)))?,
        "insert into keys (job, key, task) select value ->> 0, value ->> 1, value ->> 2 \
         from json_each(?) where true on conflict do nothing",
    )
    .await
}

fn is_plain(new: &NewAttempt) -> bool {
    new.row.shard == Shard::WHOLE
        && new.parent.is_none()
        && new.lineage.is_none()
        && new.wanted.is_none()
}

fn plain(new: &NewAttempt) -> impl Serialize + '_ {
    (
        new.row.attempt.0,
        new.row.task.0,
        new.row.job.0,
        new.row.number,
        cause_code(new.row.cause),
        new.row.fire_at.map(Timestamp::as_millisecond),
        new.row.due_at.as_millisecond(),
        new.row.created_at.as_millisecond(),
        new.life.map(|life| life.0),
        attempt_state_code(new.state),
        head_state(new).map(task_state_code),
        head_end(new).map(Timestamp::as_millisecond),
        new.param.as_deref().map(clean),
        new.note.as_deref().map(clean),
    )
}
