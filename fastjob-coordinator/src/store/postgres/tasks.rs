//! Tasks, as clients query them: heads in one query, retries and shards in another.

use std::collections::HashMap;

use fastjob_core::{AttemptId, JobId, TaskId};
use sqlx::{AssertSqlSafe, QueryBuilder, postgres::PgRow};

use super::Postgres;
use crate::store::{
    ATTEMPT_BYTES, Result, TaskFilter, TaskRow, TaskStore,
    batch::clean,
    codes::task_state_code,
    rows::tasks::{HEAD, head, with_retries},
    sums, while_doing,
};

#[async_trait::async_trait]
impl TaskStore for Postgres {
    async fn task(&self, task: TaskId) -> Result<Option<TaskRow>> {
        Ok(self.tasks_by_id(&[task]).await?.pop())
    }

    async fn tasks_by_id(&self, tasks: &[TaskId]) -> Result<Vec<TaskRow>> {
        let ids: Vec<_> = tasks.iter().map(|task| task.0).collect();
        let sql = format!(
            "select {HEAD} from attempts a join jobs on jobs.id = a.job \
             left join lives on lives.id = a.life \
             where a.id = any($1) and a.id = a.task \
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
        let mut sql =
            QueryBuilder::<sqlx::Postgres>::new("select id from attempts where id = task");
        if let Some(job) = filter.job {
            sql.push(" and job = ").push_bind(job.0);
        }
        if let Some(state) = filter.state {
            let code = task_state_code(state);
            sql.push(format!(" and task_state = {code}"));
            if code > 3 && filter.job.is_none() {
                sql.push(" and task_state > 3");
            }
        }
        if let Some(since) = filter.since {
            sql.push(" and created_at >= ").push_bind(since.as_millisecond());
        }
        if let Some(below) = filter.below {
            sql.push(" and id < ").push_bind(below.0);
        }
        sql.push(" order by id desc limit ").push_bind(i64::from(filter.limit));
        let ids: Vec<i64> = sql
            .build_query_scalar()
            .fetch_all(&self.readers)
            .await
            .map_err(while_doing("read tasks"))?;
        Ok(ids.into_iter().map(TaskId).collect())
    }

    async fn task_bytes(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, u64>> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select id, $2 + coalesce(octet_length(message), 0) + coalesce(octet_length(param), 0) \
             + coalesce(octet_length(note), 0) \
             + coalesce(octet_length(coalesce(task_result, result)), 0) \
             from attempts where id = any($1) and id = task \
             union all select task, \
             ($2 * count(*) + coalesce(sum(octet_length(message)), 0))::bigint \
             from attempts where id <> task and task = any($1) group by task",
        )
        .bind(tasks.iter().map(|task| task.0).collect::<Vec<_>>())
        .bind(ATTEMPT_BYTES)
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read tasks"))?;
        Ok(sums(rows))
    }

    async fn task_of_key(&self, job: JobId, key: &str) -> Result<Option<TaskId>> {
        sqlx::query_scalar("select task from keys where job = $1 and key = $2")
            .bind(job.0)
            .bind(clean(key))
            .fetch_optional(&self.readers)
            .await
            .map(|task: Option<i64>| task.map(TaskId))
            .map_err(while_doing("read the task of a key"))
    }

    async fn log_tail(&self, attempt: AttemptId) -> Result<Option<String>> {
        sqlx::query_scalar("select tail from logs where attempt = $1")
            .bind(attempt.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(while_doing("read a log"))
    }
}

impl Postgres {
    async fn with_retries(&self, heads: &[PgRow]) -> Result<Vec<TaskRow>> {
        let tasks = heads.iter().map(head).collect::<Result<Vec<_>>>()?;
        let ids: Vec<_> = tasks.iter().map(|task| task.task.0).collect();
        let rows = sqlx::query(
            "select a.id, a.task, a.number, a.state, a.reason, a.message, lives.executor, \
             a.due_at, a.started_at, a.ended_at, a.shard_index, a.shard_total \
             from attempts a left join lives on lives.id = a.life \
             where a.id <> a.task and a.task = any($1) \
             order by a.task, a.shard_index, a.number",
        )
        .bind(ids)
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read attempts"))?;
        with_retries(tasks, &rows)
    }
}
