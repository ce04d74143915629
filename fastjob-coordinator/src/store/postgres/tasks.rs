//! Tasks, as clients query them: open ones from the journal, ended ones from the history.

use std::collections::{HashMap, HashSet};

use fastjob_core::{AttemptId, JobId, TaskId};
use sqlx::AssertSqlSafe;
use tokio::sync::MutexGuard;
use tokio_stream::StreamExt;

use super::{Postgres, history, int};
use crate::store::{
    ATTEMPT_BYTES, JobEnd, Listed, LogTail, Partition, Result, TaskFilter, TaskRow, TaskStore,
    batch::clean,
    index::{last_ends, list},
    journal::{Candidates, OpenTask, OpenTasks},
    rows::tasks::{ATTEMPT, ENDED, Names, attempt, ended, with_attempts},
    sums, while_doing,
};

#[async_trait::async_trait]
impl TaskStore for Postgres {
    async fn task(&self, task: TaskId) -> Result<Option<TaskRow>> {
        Ok(self.tasks_by_id(&[task]).await?.pop())
    }

    async fn tasks_by_id(&self, tasks: &[TaskId]) -> Result<Vec<TaskRow>> {
        let doing = while_doing("read tasks");
        // First: a task that ends meanwhile is found in the history.
        let open = self.open_tasks().await?.find(tasks);
        let ids: Vec<_> = tasks.iter().map(|task| task.0).collect();
        let sql = format!(
            "select {ENDED} from tasks t join jobs on jobs.id = t.job \
             left join lives on lives.id = t.life \
             where t.id = any($1)"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(&ids).fetch_all(&self.readers).await;
        let mut found = rows.map_err(&doing)?.iter().map(ended).collect::<Result<Vec<_>>>()?;
        let in_history: HashSet<_> = found.iter().map(|task| task.task).collect();
        let is_found = |task: &TaskId| in_history.contains(task) || open.has(*task);
        let missing = tasks.iter().filter(|task| !is_found(task));
        open.check(missing.map(|task| Partition::of_id(task.0, self.partitions)))?;
        let open: Vec<_> =
            open.tasks.into_values().filter(|open| !in_history.contains(&open.head.task)).collect();
        if !open.is_empty() {
            let names = self.names(&open).await?;
            found.extend(open.iter().filter_map(|task| names.open(task)));
        }
        let sql = format!(
            "select {ATTEMPT} from attempts a left join lives on lives.id = a.life \
             where a.task = any($1)"
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
        last_ends(&mut self.index().await?, jobs, each, self.partitions).await
    }

    async fn task_bytes(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, u64>> {
        let open = self.open_tasks().await?.find(tasks);
        let mut bytes: HashMap<_, _> =
            open.tasks.iter().map(|(task, open)| (*task, open.texts())).collect();
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select id, $2 + coalesce(octet_length(message), 0) + coalesce(octet_length(param), 0) \
             + coalesce(octet_length(note), 0) + coalesce(octet_length(result), 0) \
             from tasks where id = any($1) \
             union all select task, \
             ($2 * count(*) + coalesce(sum(octet_length(message)), 0))::bigint \
             from attempts where task = any($1) group by task",
        )
        .bind(tasks.iter().map(|task| task.0).collect::<Vec<_>>())
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
        sqlx::query_scalar("select task from keys where job = $1 and key = $2")
            .bind(job.0)
            .bind(clean(key))
            .fetch_optional(&self.readers)
            .await
            .map(|task: Option<i64>| task.map(TaskId))
            .map_err(while_doing("read the task of a key"))
    }

    async fn tasks_of_keys(&self, job: JobId, keys: &[String]) -> Result<HashMap<String, TaskId>> {
        let keys: Vec<_> = keys.iter().map(|key| clean(key).into_owned()).collect();
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select key, task from keys where job = $1 and key = any($2)")
                .bind(job.0)
                .bind(keys)
                .fetch_all(&self.readers)
                .await
                .map_err(while_doing("read the tasks of keys"))?;
        Ok(rows.into_iter().map(|(key, task)| (key, TaskId(task))).collect())
    }

    async fn log_tail(&self, attempt: AttemptId) -> Result<Option<LogTail>> {
        let found: Option<(i64, String)> =
            sqlx::query_as("select begins, tail from logs where attempt = $1")
                .bind(attempt.0)
                .fetch_optional(&self.readers)
                .await
                .map_err(while_doing("read a log"))?;
        Ok(found.map(|(begins, text)| LogTail { at: begins.unsigned_abs(), text }))
    }
}

impl Postgres {
    /// The open tasks, up to date.
    pub(super) async fn open_tasks(&self) -> Result<MutexGuard<'_, OpenTasks>> {
        let doing = while_doing("read the journal");
        let (mut open, is_old) = self.open.lock().await?;
        if !is_old {
            return Ok(open);
        }
        let readers = self.readers.patient();
        let bad = open.bad();
        if !bad.is_empty() {
            let (partitions, seqs): (Vec<_>, Vec<_>) =
                bad.into_iter().map(|(partition, seq)| (int(partition.0), seq)).unzip();
            let rows = sqlx::query(
                "select partition, seq, record from journal where (partition, seq) in \
                 (select * from unnest($1::int4[], $2::bigint[]))",
            )
            .bind(partitions)
            .bind(seqs)
            .fetch_all(&readers)
            .await
            .map_err(&doing)?;
            let found = rows.iter().map(|row| {
                history::record(row).map(|(partition, seq, bytes)| ((partition, seq), bytes))
            });
            open.check_bad(&found.collect::<Result<_>>()?);
        }
        let known: Vec<_> = open.known().collect();
        let bad: Vec<_> = open.bad().iter().map(|(partition, _)| int(partition.0)).collect();
        let mut refresh = open.refresh();
        // One query for all partitions, each by a range of its primary key. A row without a record says
        // that the known one is gone. `offset 0` keeps the comparison of tails to the known records.
        let mut rows = sqlx::query(
            "select p.partition, k.seq is not null, j.seq, j.record from partitions p \
             left join unnest($1::int4[], $2::bigint[], $3::bytea[]) as known (partition, seq, tail) \
             on known.partition = p.partition \
             left join lateral (select seq from journal \
             where journal.partition = known.partition and journal.seq = known.seq \
             and substring(record from octet_length(record) - 3) = known.tail \
             offset 0) as k on true \
             left join lateral (select seq, record from journal \
             where journal.partition = p.partition and journal.seq > coalesce(k.seq, 0) \
             order by journal.seq) as j on true \
             where p.partition <> all($4) and (j.seq is not null \
             or known.seq is not null and k.seq is null) \
             order by p.partition, j.seq",
        )
        .bind(known.iter().map(|known| int(known.partition.0)).collect::<Vec<_>>())
        .bind(known.iter().map(|known| known.seq).collect::<Vec<_>>())
        .bind(known.iter().map(|known| known.tail.to_vec()).collect::<Vec<_>>())
        .bind(bad)
        .fetch(&readers);
        while let Some(row) = rows.next().await {
            refresh.take(history::refreshed(&row.map_err(&doing)?)?);
        }
        refresh.complete();
        Ok(open)
    }

    /// The names of the jobs and executors of open tasks.
    async fn names(&self, open: &[OpenTask]) -> Result<Names> {
        let doing = while_doing("read tasks");
        let mut names = Names::default();
        let jobs: HashSet<_> = open.iter().map(|task| task.head.job.0).collect();
        let rows = sqlx::query("select id, service, name from jobs where id = any($1)")
            .bind(jobs.into_iter().collect::<Vec<_>>())
            .fetch_all(&self.readers)
            .await
            .map_err(&doing)?;
        for row in &rows {
            names.add_job(row)?;
        }
        let attempts = open.iter().flat_map(|task| &task.open);
        let lives: HashSet<_> = attempts.filter_map(|open| open.life).map(|life| life.0).collect();
        let rows = sqlx::query("select id, executor from lives where id = any($1)")
            .bind(lives.into_iter().collect::<Vec<_>>())
            .fetch_all(&self.readers)
            .await
            .map_err(&doing)?;
        for row in &rows {
            names.add_life(row)?;
        }
        Ok(names)
    }
}
