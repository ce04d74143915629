//! Tasks, as clients query them: heads in one query, retries and shards in another.

use std::collections::HashMap;

use fastjob_core::{AttemptId, ExecutorName, JobId, Shard, TaskId};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row, sqlite::SqliteRow};

use super::{
    Sqlite,
    commit::clean,
    load::{instant, name, number},
    while_doing,
};
use crate::store::{
    ATTEMPT_BYTES, AttemptRow, Result, TaskFilter, TaskRow, TaskStore,
    codes::{attempt_state, cause, reason, task_state, task_state_code},
    sums,
};

/// All columns of an attempt; the last ones belong to the task.
const COLUMNS: &str = "a.id, a.task, a.number, a.state, a.reason, a.message, lives.executor, \
                       a.due_at, a.started_at, a.ended_at, a.job, jobs.service, jobs.name, \
                       a.task_state, a.cause, a.fire_at, a.created_at, a.task_ended_at, a.param, \
                       coalesce(a.task_result, a.result), a.note, a.parent, a.shard_index, \
                       a.shard_total";

#[async_trait::async_trait]
impl TaskStore for Sqlite {
    async fn task(&self, task: TaskId) -> Result<Option<TaskRow>> {
        Ok(self.tasks_by_id(&[task]).await?.pop())
    }

    async fn tasks_by_id(&self, tasks: &[TaskId]) -> Result<Vec<TaskRow>> {
        let ids = Value::from(tasks.iter().map(|task| task.0).collect::<Vec<_>>()).to_string();
        let sql = format!(
            "select {COLUMNS} from attempts a join jobs on jobs.id = a.job \
             left join lives on lives.id = a.life \
             where a.id in (select value from json_each(?)) and a.task_state is not null \
             order by a.id desc"
        );
        let heads = sqlx::query(AssertSqlSafe(sql))
            .bind(ids)
            .fetch_all(&self.readers)
            .await
            .map_err(while_doing("read tasks"))?;
        self.with_retries(&heads).await
    }

    async fn task_ids(&self, filter: &TaskFilter) -> Result<Vec<TaskId>> {
        let mut wants = String::from("task_state is not null");
        if filter.job.is_some() {
            wants.push_str(" and job = ?1");
        }
        if let Some(state) = filter.state {
            let code = task_state_code(state);
            wants.push_str(&format!(" and task_state = {code}"));
            if code > 3 && filter.job.is_none() {
                wants.push_str(" and task_state > 3");
            }
        }
        if filter.since.is_some() {
            wants.push_str(" and created_at >= ?2");
        }
        if filter.below.is_some() {
            wants.push_str(" and id < ?3");
        }
        let sql = format!("select id from attempts where {wants} order by id desc limit ?4");
        let ids: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(filter.job.map(|job| job.0))
            .bind(filter.since.map(jiff::Timestamp::as_millisecond))
            .bind(filter.below.map(|task| task.0))
            .bind(filter.limit)
            .fetch_all(&self.readers)
            .await
            .map_err(while_doing("read tasks"))?;
        Ok(ids.into_iter().map(TaskId).collect())
    }

    async fn task_bytes(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, u64>> {
        let ids = Value::from(tasks.iter().map(|task| task.0).collect::<Vec<_>>()).to_string();
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select id, ?2 + coalesce(octet_length(message), 0) + coalesce(octet_length(param), 0) \
             + coalesce(octet_length(note), 0) \
             + coalesce(octet_length(coalesce(task_result, result)), 0) \
             from attempts where id in (select value from json_each(?1)) \
             and task_state is not null \
             union all select task, sum(?2 + coalesce(octet_length(message), 0)) \
             from attempts where task_state is null \
             and task in (select value from json_each(?1)) group by task",
        )
        .bind(ids)
        .bind(ATTEMPT_BYTES)
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read tasks"))?;
        Ok(sums(rows))
    }

    async fn task_of_key(&self, job: JobId, key: &str) -> Result<Option<TaskId>> {
        sqlx::query_scalar("select task from keys where job = ? and key = ?")
            .bind(job.0)
            .bind(clean(key).into_owned())
            .fetch_optional(&self.readers)
            .await
            .map(|task: Option<i64>| task.map(TaskId))
            .map_err(while_doing("read the task of a key"))
    }

    async fn log_tail(&self, attempt: AttemptId) -> Result<Option<String>> {
        sqlx::query_scalar("select tail from logs where attempt = ?")
            .bind(attempt.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(while_doing("read a log"))
    }
}

impl Sqlite {
    async fn with_retries(&self, heads: &[SqliteRow]) -> Result<Vec<TaskRow>> {
        let mut tasks = heads.iter().map(head).collect::<Result<Vec<_>>>()?;
        let ids = Value::from(tasks.iter().map(|task| task.task.0).collect::<Vec<_>>()).to_string();
        let rows = sqlx::query(
            "select a.id, a.task, a.number, a.state, a.reason, a.message, lives.executor, \
             a.due_at, a.started_at, a.ended_at, a.shard_index, a.shard_total \
             from attempts a left join lives on lives.id = a.life \
             where a.task_state is null and a.task in (select value from json_each(?)) \
             order by a.task, a.shard_index, a.number",
        )
        .bind(ids)
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read attempts"))?;
        let mut retries: HashMap<i64, Vec<AttemptRow>> = HashMap::new();
        for row in &rows {
            let task = row.try_get(1).map_err(while_doing("read attempts"))?;
            retries.entry(task).or_default().push(attempt(row, 10)?);
        }
        for task in &mut tasks {
            task.attempts.extend(retries.remove(&task.task.0).unwrap_or_default());
            task.attempts.sort_by_key(|attempt| (attempt.shard.index, attempt.number));
        }
        Ok(tasks)
    }
}

/// Reads an attempt; the columns of its shard begin at `shard`.
fn attempt(row: &SqliteRow, shard: usize) -> Result<AttemptRow> {
    let doing = while_doing("read an attempt");
    let get = |index: usize| row.try_get::<i64, _>(index).map_err(&doing);
    let maybe = |index: usize| row.try_get::<Option<i64>, _>(index).map_err(&doing);
    let executor: Option<String> = row.try_get(6).map_err(&doing)?;
    Ok(AttemptRow {
        attempt: AttemptId(get(0)?),
        number: number(get(2)?)?,
        shard: Shard { index: number(get(shard)?)?, total: number(get(shard + 1)?)? },
        state: attempt_state(get(3)?)?,
        reason: maybe(4)?.map(reason).transpose()?,
        message: row.try_get(5).map_err(&doing)?,
        executor: executor.as_deref().map(name::<ExecutorName>).transpose()?,
        due_at: instant(get(7)?)?,
        started_at: maybe(8)?.map(instant).transpose()?,
        ended_at: maybe(9)?.map(instant).transpose()?,
    })
}

fn head(row: &SqliteRow) -> Result<TaskRow> {
    let doing = while_doing("read a task");
    let get = |index: usize| row.try_get::<i64, _>(index).map_err(&doing);
    let maybe = |index: usize| row.try_get::<Option<i64>, _>(index).map_err(&doing);
    let text = |index: usize| row.try_get::<Option<String>, _>(index).map_err(&doing);
    let first = attempt(row, 22)?;
    Ok(TaskRow {
        task: TaskId(get(1)?),
        job: JobId(get(10)?),
        service: name(&text(11)?.unwrap_or_default())?,
        name: name(&text(12)?.unwrap_or_default())?,
        state: task_state(get(13)?)?,
        cause: cause(get(14)?)?,
        fire_at: maybe(15)?.map(instant).transpose()?,
        created_at: instant(get(16)?)?,
        ended_at: maybe(17)?.map(instant).transpose()?,
        param: text(18)?,
        result: text(19)?,
        note: text(20)?,
        parent: maybe(21)?.map(TaskId),
        attempts: vec![first],
    })
}
