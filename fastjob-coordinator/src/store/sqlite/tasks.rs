//! Tasks, as clients query them: open ones from the journal, ended ones from the history.

use std::collections::{HashMap, HashSet};

use fastjob_core::{AttemptId, JobId, TaskId};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row, sqlite::SqliteRow};
use tokio::sync::MutexGuard;
use tokio_stream::StreamExt;

use super::Sqlite;
use crate::store::{
    ATTEMPT_BYTES, JobEnd, Listed, LogTail, Partition, Result, TaskFilter, TaskRow, TaskStore,
    batch::clean,
    index::{last_ends, list},
    journal::{Candidates, OpenTask, OpenTasks, Refresh},
    rows::tasks::{ATTEMPT, ENDED, Names, attempt, ended, with_attempts},
    sums, while_doing,
};

#[async_trait::async_trait]
impl TaskStore for Sqlite {
    async fn task(&self, task: TaskId) -> Result<Option<TaskRow>> {
        Ok(self.tasks_by_id(&[task]).await?.pop())
    }

    async fn tasks_by_id(&self, tasks: &[TaskId]) -> Result<Vec<TaskRow>> {
        let doing = while_doing("read tasks");
        // First: a task that ends meanwhile is found in the history.
        let open = self.open_tasks().await?.find(tasks);
        let ids = json(tasks);
        let sql = format!(
            "select {ENDED} from tasks t join jobs on jobs.id = t.job \
             left join lives on lives.id = t.life \
             where t.id in (select value from json_each(?))"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(&ids).fetch_all(&self.readers).await;
        let mut found = rows.map_err(&doing)?.iter().map(ended).collect::<Result<Vec<_>>>()?;
        let in_history: HashSet<_> = found.iter().map(|task| task.task).collect();
        let is_found = |task: &TaskId| in_history.contains(task) || open.has(*task);
        open.check(tasks.iter().filter(|task| !is_found(task)).map(|_| Partition(0)))?;
        let open: Vec<_> =
            open.tasks.into_values().filter(|open| !in_history.contains(&open.head.task)).collect();
        if !open.is_empty() {
            let names = self.names(&open).await?;
            found.extend(open.iter().filter_map(|task| names.open(task)));
        }
        let sql = format!(
            "select {ATTEMPT} from attempts a left join lives on lives.id = a.life \
             where a.task in (select value from json_each(?))"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(ids).fetch_all(&self.readers).await;
        let attempts = rows.map_err(doing)?.iter().map(attempt).collect::<Result<_>>()?;
        Ok(with_attempts(found, attempts))
    }

    async fn task_ids(&self, filter: &TaskFilter) -> Result<Listed> {
        // First: a task that ends meanwhile is found in the history.
        let open = match filter.has_open() {
            true => self.open_tasks().await?.candidates(filter),
            false => Candidates::default(),
        };
        list(&mut self.index().await?, filter, open).await
    }

    async fn last_ends(&self, jobs: &[JobId], each: usize) -> Result<HashMap<JobId, Vec<JobEnd>>> {
        last_ends(&mut self.index().await?, jobs, each, 1).await
    }

    async fn task_bytes(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, u64>> {
        let open = self.open_tasks().await?.find(tasks);
        let mut bytes: HashMap<_, _> =
            open.tasks.iter().map(|(task, open)| (*task, open.texts())).collect();
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select id, ?2 + coalesce(octet_length(message), 0) + coalesce(octet_length(param), 0) \
             + coalesce(octet_length(note), 0) + coalesce(octet_length(result), 0) \
             from tasks where id in (select value from json_each(?1)) \
             union all select task, sum(?2 + coalesce(octet_length(message), 0)) \
             from attempts where task in (select value from json_each(?1)) group by task",
        )
        .bind(json(tasks))
        .bind(ATTEMPT_BYTES)
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read tasks"))?;
        for (task, sum) in sums(rows) {
            *bytes.entry(task).or_default() += sum;
        }
        Ok(bytes)
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

    async fn tasks_of_keys(&self, job: JobId, keys: &[String]) -> Result<HashMap<String, TaskId>> {
        let keys: Vec<_> = keys.iter().map(|key| clean(key)).collect();
        let keys = serde_json::to_string(&keys).unwrap_or_default();
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "select key, task from keys where job = ? and key in (select value from json_each(?))",
        )
        .bind(job.0)
        .bind(keys)
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read the tasks of keys"))?;
        Ok(rows.into_iter().map(|(key, task)| (key, TaskId(task))).collect())
    }

    async fn log_tail(&self, attempt: AttemptId) -> Result<Option<LogTail>> {
        let found: Option<(i64, String)> =
            sqlx::query_as("select begins, tail from logs where attempt = ?")
                .bind(attempt.0)
                .fetch_optional(&self.readers)
                .await
                .map_err(while_doing("read a log"))?;
        Ok(found.map(|(begins, text)| LogTail { at: begins.unsigned_abs(), text }))
    }
}

impl Sqlite {
    /// The open tasks, up to date.
    pub(super) async fn open_tasks(&self) -> Result<MutexGuard<'_, OpenTasks>> {
        let doing = while_doing("read the journal");
        let (mut open, is_old) = self.open.lock().await?;
        if !is_old {
            return Ok(open);
        }
        for (partition, seq) in open.bad() {
            let found = sqlx::query_scalar("select record from journal where seq = ?")
                .bind(seq)
                .fetch_optional(&self.readers)
                .await
                .map_err(&doing)?;
            open.check_bad(&found.map(|bytes| ((partition, seq), bytes)).into_iter().collect());
        }
        let known = open.known().next();
        let is_bad = !open.bad().is_empty();
        let mut refresh = open.refresh();
        if !is_bad {
            let mut is_empty = true;
            // The first row is the known record, if it is there.
            let mut rows = sqlx::query(
                "with known as materialized \
                 (select seq from journal where seq = ?1 and substr(record, -4) = ?2) \
                 select exists (select 1 from known), seq, \
                 case when seq > coalesce((select seq from known), 0) then record end \
                 from journal where seq >= coalesce((select seq from known), 0) order by seq",
            )
            .bind(known.map_or(0, |known| known.seq))
            .bind(known.map(|known| known.tail.to_vec()))
            .fetch(&self.readers);
            while let Some(row) = rows.next().await {
                is_empty = false;
                refresh.take(refreshed(&row.map_err(&doing)?).map_err(&doing)?);
            }
            if is_empty {
                refresh.take(Refresh { partition: Partition(0), continues: false, record: None });
            }
        }
        refresh.complete();
        Ok(open)
    }

    /// The names of the jobs and executors of open tasks.
    async fn names(&self, open: &[OpenTask]) -> Result<Names> {
        let doing = while_doing("read tasks");
        let mut names = Names::default();
        let jobs: HashSet<_> = open.iter().map(|task| task.head.job.0).collect();
        let rows = sqlx::query(
            "select id, service, name from jobs where id in (select value from json_each(?))",
        )
        .bind(Value::from_iter(jobs).to_string())
        .fetch_all(&self.readers)
        .await
        .map_err(&doing)?;
        for row in &rows {
            names.add_job(row)?;
        }
        let attempts = open.iter().flat_map(|task| &task.open);
        let lives: HashSet<_> = attempts.filter_map(|open| open.life).map(|life| life.0).collect();
        let rows = sqlx::query(
            "select id, executor from lives where id in (select value from json_each(?))",
        )
        .bind(Value::from_iter(lives).to_string())
        .fetch_all(&self.readers)
        .await
        .map_err(&doing)?;
        for row in &rows {
            names.add_life(row)?;
        }
        Ok(names)
    }
}

/// Reads whether the known record is there, and another record with its number.
fn refreshed(row: &SqliteRow) -> sqlx::Result<Refresh> {
    let (seq, bytes): (i64, Option<_>) = (row.try_get(1)?, row.try_get(2)?);
    let record = bytes.map(|bytes| (seq, bytes));
    Ok(Refresh { partition: Partition(0), continues: row.try_get(0)?, record })
}

fn json(tasks: &[TaskId]) -> String {
    Value::from_iter(tasks.iter().map(|task| task.0)).to_string()
}
