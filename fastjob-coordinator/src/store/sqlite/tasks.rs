//! Tasks, as clients query them: heads in one query, retries and shards in another.

use std::collections::HashMap;

use fastjob_core::{AttemptId, JobId, TaskId};
use serde_json::Value;
use sqlx::{AssertSqlSafe, sqlite::SqliteRow};

use super::Sqlite;
use crate::store::{
    ATTEMPT_BYTES, Result, TaskFilter, TaskRow, TaskStore,
    batch::clean,
    codes::task_state_code,
    rows::tasks::{HEAD, head, with_retries},
    sums, while_doing,
};

#[async_trait::async_trait]
impl TaskStore for Sqlite {
    async fn task(&self, task: TaskId) -> Result<Option<TaskRow>> {
        Ok(self.tasks_by_id(&[task]).await?.pop())
    }

    async fn tasks_by_id(&self, tasks: &[TaskId]) -> Result<Vec<TaskRow>> {
        let ids = Value::from(tasks.iter().map(|task| task.0).collect::<Vec<_>>()).to_string();
        let sql = format!(
            "select {HEAD} from attempts a join jobs on jobs.id = a.job \
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
        let tasks = heads.iter().map(head).collect::<Result<Vec<_>>>()?;
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
        with_retries(tasks, &rows)
    }
}
