//! Fills a store directly through SQL, with what a coordinator would have written: jobs, and tasks
//! that have ended, in the order of their ids and in batches.
//!
//! Rows are computed from their number, so that every run has the same content. No coordinator may
//! run meanwhile.

mod tasks;

use std::time::Duration;

use fastjob_core::{Job, JobDraft, JobName, ServiceName};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::Pool;

/// The time before now over which tasks are spread. It is shorter than the retention of a
/// coordinator with default settings.
pub const TASK_SPAN: Duration = Duration::from_secs(7 * 24 * 3600);
/// Jobs of one statement.
const JOBS_AT_ONCE: usize = 5_000;
/// The services of the jobs in turn.
const SERVICES: [&str; 5] = ["default", "billing", "mail", "reports", "search"];

/// The columns of a job that differ: id, service, name, definition.
type Row = (i64, String, String, String);

/// What a store is filled with.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    /// Enabled jobs of five services, `j0` and so on, that are not due within months.
    pub jobs: usize,
    /// Ended tasks of these jobs. The ten oldest are of `j0`, a fifth is of `j1`, and the other
    /// jobs have equally many. 97 % succeeded, 2 % failed, half of them after three retries, and the
    /// others were stopped or skipped. 2 % were started over the API, with a param and a key.
    pub tasks: usize,
}

impl Fill {
    /// Fills a store whose schema has been created.
    ///
    /// # Panics
    ///
    /// Panics if the store cannot be written.
    pub async fn run(self, pool: &Pool) {
        let now = crate::now();
        if let Pool::Sqlite(_) = pool {
            // What is lost in a crash is filled again.
            pool.run("pragma synchronous = off; pragma cache_size = -400000").await;
        }
        self.add_jobs(pool, now).await;
        if self.tasks > 0 {
            self.add_tasks(pool, now).await;
        }
        // A database in use has these statistics and no such log.
        match pool {
            Pool::Sqlite(_) => pool.run("pragma wal_checkpoint(truncate)").await,
            Pool::Postgres(_) => {
                // Not in one call, which would be a transaction.
                pool.run("vacuum analyze").await;
                pool.run("checkpoint").await;
            }
        }
    }

    async fn add_jobs(self, pool: &Pool, now: jiff::Timestamp) {
        let month = far_month(now);
        let partitions = pool.partitions();
        let at = now.as_millisecond();
        let mut from = 0;
        while from < self.jobs {
            let until = (from + JOBS_AT_ONCE).min(self.jobs);
            let rows = (from..until).map(|n| {
                let job = Job::try_from(draft(n, month)).expect("a valid job");
                let id = id_of_job(n, &job.service, &job.name, partitions);
                let definition = serde_json::to_string(&JobDraft::from(&job)).expect("JSON");
                (id, job.service.to_string(), job.name.to_string(), definition)
            });
            let rows: Vec<Row> = rows.collect();
            let sql = "insert into jobs (id, service, name, definition, origin, revision, anchor, \
                       created_at, updated_at, children)";
            match pool {
                Pool::Sqlite(pool) => {
                    let sql = format!(
                        "{sql} select value ->> 0, value ->> 1, value ->> 2, value ->> 3, 2, 1, \
                         {at}, {at}, {at}, '[]' from json_each(?) order by 1"
                    );
                    let query = sqlx::query(AssertSqlSafe(sql)).bind(json!(rows).to_string());
                    query.execute(pool).await.expect("jobs can be written");
                }
                Pool::Postgres(pool) => {
                    let sql = format!(
                        "{sql} select id, service, name, definition, 2, 1, {at}, {at}, {at}, '[]' \
                         from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) \
                         as job (id, service, name, definition)"
                    );
                    let text = |get: fn(&Row) -> &String| -> Vec<String> {
                        rows.iter().map(|row| get(row).clone()).collect()
                    };
                    let query = sqlx::query(AssertSqlSafe(sql))
                        .bind(rows.iter().map(|row| row.0).collect::<Vec<_>>())
                        .bind(text(|row| &row.1))
                        .bind(text(|row| &row.2))
                        .bind(text(|row| &row.3));
                    query.execute(pool).await.expect("jobs can be written");
                }
            }
            from = until;
        }
    }

    /// The name of a job with its service.
    pub fn path_of_job(self, n: usize) -> String {
        format!("{}.j{n}", service(n))
    }

    /// The cursor of the list of jobs after this one.
    pub fn cursor_of_job(self, n: usize) -> String {
        format!("{}/j{n}", service(n))
    }

    /// One filled job per partition, the last that a coordinator loads, as the API takes it.
    pub fn last_jobs(self, pool: &Pool) -> Vec<Value> {
        let (month, partitions) = (far_month(crate::now()), pool.partitions());
        let mut found = std::collections::BTreeMap::new();
        for n in (0..self.jobs).rev().take(64 * partitions as usize) {
            let job = Job::try_from(draft(n, month)).expect("a valid job");
            let id = id_of_job(n, &job.service, &job.name, partitions);
            found.entry(id % i64::from(partitions)).or_insert_with(|| draft(n, month));
        }
        found.into_values().map(|draft| json!(draft)).collect()
    }
}

impl Pool {
    /// The number of partitions of the store.
    fn partitions(&self) -> u32 {
        match self {
            Self::Sqlite(_) => 1,
            Self::Postgres(_) => 32,
        }
    }
}

/// A job as users have them, which is due half a year from now.
fn draft(n: usize, month: i8) -> JobDraft {
    let (minute, hour, day) = (n % 60, n / 60 % 24, 1 + n / 1440 % 28);
    let draft = json!({
        "name": format!("j{n}"),
        "service": service(n),
        "handler": format!("report-{}", n % 40),
        "param": {"customer": n, "format": "pdf"},
        "enabled": true,
        "labels": {"team": format!("team-{}", n % 20)},
        "schedule": {"cron": format!("0 {minute} {hour} {day} {month} ?"), "zone": "Europe/Berlin"},
        "timeout": "5m",
        "retry": {"count": 3, "delay": "30s"},
    });
    serde_json::from_value(draft).expect("a draft")
}

fn service(n: usize) -> &'static str {
    SERVICES[n % SERVICES.len()]
}

/// The month that is half a year away.
fn far_month(now: jiff::Timestamp) -> i8 {
    (now.to_zoned(jiff::tz::TimeZone::UTC).month() + 5) % 12 + 1
}

/// An id in the partition of the job's name.
fn id_of_job(n: usize, service: &ServiceName, name: &JobName, partitions: u32) -> i64 {
    let partition = fastjob_core::Partition::of_name(service, name, partitions).0;
    i64::try_from(n + 1).unwrap_or(i64::MAX) * i64::from(partitions) + i64::from(partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_at_rest_are_valid_and_not_due_within_four_months() {
        let now: jiff::Timestamp = "2026-08-31T23:59:59Z".parse().unwrap();
        let later = now + jiff::SignedDuration::from_hours(24 * 120);
        for n in [0, 59, 1_440, 40_319, 999_999] {
            let job = Job::try_from(draft(n, far_month(now))).unwrap();
            let fire = job.timetable.look_after(now, now).fire().unwrap();
            assert!(fire > later, "{n}: {fire}");
        }
    }

    #[test]
    fn the_id_of_a_job_is_in_the_partition_of_its_name() {
        let (service, name) = ("default".parse().unwrap(), "j7".parse().unwrap());
        let id = id_of_job(7, &service, &name, 32);
        let of_name = fastjob_core::Partition::of_name(&service, &name, 32);
        assert_eq!(fastjob_core::Partition::of_id(id, 32), of_name);
        assert_eq!(id_of_job(7, &service, &name, 1), 8);
    }
}
