//! Tasks that have ended, computed by the database from their number.

use std::time::Instant;

use super::{Fill, SERVICES, TASK_SPAN};
use crate::bench::Pool;

/// Tasks of one transaction.
const AT_ONCE: usize = 100_000;
/// The first task has this number within its partition.
const FIRST: usize = 1;
/// Executors of each service.
const EXECUTORS: usize = 4;
/// Attempts of a task that failed in spite of its retries.
const ATTEMPTS: usize = 4;

impl Fill {
    pub(super) async fn add_tasks(self, pool: &Pool, now: jiff::Timestamp) {
        let number = match pool {
            Pool::Sqlite(_) => "cast(substr(name, 2) as integer)",
            Pool::Postgres(_) => "cast(substr(name, 2) as bigint)",
        };
        pool.run(&format!(
            "create table bench_jobs (k bigint not null primary key, id bigint not null unique); \
             insert into bench_jobs (k, id) select {number}, id from jobs order by 1"
        ))
        .await;
        for (nth, service) in (0..EXECUTORS).flat_map(|n| SERVICES.map(|service| (n, service))) {
            pool.run(&format!(
                "insert into lives (id, service, executor, incarnation, since) \
                 select count(*) + 1, '{service}', '{service}-{nth}', 'filled', 0 from lives"
            ))
            .await;
        }
        let started = Instant::now();
        let mut from = 0;
        while from < self.tasks {
            let until = (from + AT_ONCE).min(self.tasks);
            let statements = [
                self.tasks_sql(pool, (from, until), now.as_millisecond()),
                self.attempts_sql(pool, (from, until)),
                self.keys_sql(pool, (from, until)),
            ];
            // One transaction in both databases.
            pool.run(&format!("begin; {}; commit", statements.join("; "))).await;
            if until.is_multiple_of(1_000_000) {
                println!("  {until} tasks filled in {:.0} s", started.elapsed().as_secs_f64());
            }
            from = until;
        }
        let ids_until = (FIRST + ATTEMPTS * (self.tasks + 1)) * pool.partitions() as usize;
        pool.run("drop table bench_jobs").await;
        pool.run(&match pool {
            Pool::Sqlite(_) => format!(
                "insert into meta (key, value) values ('ids_until', '{ids_until}') \
                 on conflict (key) do update set value = excluded.value"
            ),
            Pool::Postgres(_) => format!("update partitions set ids_until = {ids_until}"),
        })
        .await;
    }

    /// The statement that inserts the tasks with these numbers.
    fn tasks_sql(self, pool: &Pool, (from, until): (usize, usize), now: i64) -> String {
        let (partitions, last) = (pool.partitions(), until - 1);
        let numbers = match pool {
            Pool::Sqlite(_) => format!(
                "with recursive numbers (n) as (select {from} union all \
                 select n + 1 from numbers where n < {last})"
            ),
            Pool::Postgres(_) => format!(
                "with numbers as (select n from generate_series({from}::bigint, {last}) as n)"
            ),
        };
        let (span, count, services) = (TASK_SPAN.as_millis(), self.tasks, SERVICES.len());
        let others = self.jobs - 2;
        // `h` is a hash of the number from 0 to 65535, `many` whether the task has several attempts.
        format!(
            "insert into tasks (id, job, cause, state, created_at, ended_at, fire_at, due_at, \
             started_at, life, attempt_state, reason, message, param) \
             {numbers}, hashed as (select n, n * 2654435761 % 4294967296 / 65536 as h from numbers), \
             parts as (select n, h, {now} - {span} + n * {span} / {count} as at, \
             case when n < 10 then 0 when h % 5 = 0 then 1 else 2 + n * 48271 % {others} end as k, \
             case when h % 1000 < 970 then 3 when h % 1000 < 990 then 4 \
             when h % 1000 < 995 then 5 else 6 end as state, \
             case when h % 1000 >= 970 and h % 1000 < 980 then 1 else 0 end as many, \
             case when h % 50 = 7 then 1 else 0 end as is_start from hashed) \
             select ({FIRST} + n) * {partitions} + j.id % {partitions}, j.id, \
             case when is_start = 1 then 4 else 1 end, state, at, at + 30 + h % 400 + many * 200000, \
             case when is_start = 1 then null else at + 1 end, \
             case when many = 0 then at + 1 end, \
             case when many = 0 and state < 6 then at + 4 + h % 5 end, \
             case when many = 0 and state < 6 \
             then 1 + p.k % {services} + {services} * (h % {EXECUTORS}) end, \
             case when many = 0 then state end, \
             case when many = 0 and state = 4 then 2 end, \
             case when many = 0 and state = 4 then 'customer ' || n || ' does not exist' end, \
             case when is_start = 1 then '{{\"order\":' || n || '}}' end \
             from parts p join bench_jobs j on j.k = p.k order by n"
        )
    }

    /// The statement that inserts the attempts of tasks that have several.
    fn attempts_sql(self, pool: &Pool, range: (usize, usize)) -> String {
        let (partitions, count, services) = (pool.partitions(), self.tasks, SERVICES.len());
        let (from, until) = ids(pool, range);
        let retries = ATTEMPTS - 1;
        let numbers: Vec<_> = (1..=ATTEMPTS).map(|r| format!("select {r} as r")).collect();
        let numbers = numbers.join(" union all ");
        format!(
            "insert into attempts (id, task, number, shard_index, shard_total, state, due_at, \
             ended_at, started_at, life, reason, message) \
             select case when r = 1 then t.id else ({FIRST} + {count} + \
             {retries} * (t.id / {partitions} - {FIRST}) + r) * {partitions} + t.id % {partitions} \
             end, t.id, r, 0, 1, 4, t.created_at + 1 + (r - 1) * 60000, \
             t.created_at + 30 + (r - 1) * 60000, t.created_at + 5 + (r - 1) * 60000, \
             1 + b.k % {services} + {services} * ((t.id + r) % {EXECUTORS}), 1, \
             'could not connect to db-' || (t.id % 7) || '.internal:5432: timed out' \
             from tasks t join bench_jobs b on b.id = t.job, ({numbers}) as numbers \
             where t.id >= {from} and t.id < {until} and t.attempt_state is null order by t.id, r"
        )
    }

    /// The statement that inserts the keys of tasks that were started over the API.
    fn keys_sql(self, pool: &Pool, range: (usize, usize)) -> String {
        let (from, until) = ids(pool, range);
        let partitions = pool.partitions();
        format!(
            "insert into keys (job, key, task) \
             select job, 'order-' || (id / {partitions} - {FIRST}), id from tasks \
             where id >= {from} and id < {until} and cause = 4 order by id"
        )
    }

    /// The ids of tasks, evenly over the history.
    ///
    /// # Panics
    ///
    /// Panics if the store cannot be read.
    pub async fn sample_of_tasks(self, pool: &Pool, count: usize) -> Vec<i64> {
        let step = (self.tasks / count.max(1)).max(1);
        let mut found = Vec::new();
        for n in (0..self.tasks).step_by(step) {
            let (least, _) = ids(pool, (n, n));
            let sql = format!("select id from tasks where id >= {least} order by id limit 1");
            found.push(pool.number(sql).await);
        }
        found
    }
}

/// The range of the ids of tasks with these numbers.
fn ids(pool: &Pool, (from, until): (usize, usize)) -> (usize, usize) {
    let partitions = pool.partitions() as usize;
    ((FIRST + from) * partitions, (FIRST + until) * partitions)
}
