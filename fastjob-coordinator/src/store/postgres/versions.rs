//! Versions of jobs.

use fastjob_core::{JobId, JobName, ServiceName};
use sqlx::PgConnection;

use super::{Postgres, commit::Outcome, small};
use crate::store::{
    Commit, Result, batch,
    codes::origin_code,
    rows::versions::versions,
    versions::{JobVersion, VERSIONS_MOST, VersionStore, replaced},
    while_doing,
};

#[async_trait::async_trait]
impl VersionStore for Postgres {
    async fn versions(&self, job: JobId, before: i64, limit: u32) -> Result<Vec<JobVersion>> {
        let rows = sqlx::query(
            "select revision, coalesce(deleted_at, updated_at) as saved_at, origin, definition, \
             deleted_at from jobs where id = $1 and revision < $2 \
             union all (select revision, saved_at, origin, definition, null::bigint \
             from job_versions where job = $1 and revision < $2 order by revision desc limit $3) \
             order by revision desc limit $3",
        )
        .bind(job.0)
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read versions of a job"))?;
        versions(&rows)
    }

    async fn deleted_job(&self, service: &ServiceName, name: &JobName) -> Result<Option<JobId>> {
        let job: Option<i64> = sqlx::query_scalar(
            "select id from jobs where service = $1 and name = $2 and deleted_at is not null \
             order by deleted_at desc, id desc limit 1",
        )
        .bind(service.as_str())
        .bind(name.as_str())
        .fetch_optional(&self.readers)
        .await
        .map_err(while_doing("read a deleted job"))?;
        Ok(job.map(JobId))
    }
}

/// Keeps the versions that the commits replace. Before their jobs are written.
pub(super) async fn keep(tx: &mut PgConnection, commits: &[Commit]) -> Outcome {
    let replaced = replaced(commits);
    let between = &replaced.between;
    if !between.is_empty() {
        sqlx::query(
            // Of a commit that is sent again, the stored revision is higher.
            "insert into job_versions (job, revision, saved_at, origin, definition) \
             select new.* from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[], \
             $5::text[]) as new (job, revision, saved_at, origin, definition) \
             left join jobs j on j.id = new.job where new.revision >= coalesce(j.revision, 0) \
             on conflict do nothing",
        )
        .bind(between.iter().map(|row| row.id.0).collect::<Vec<_>>())
        .bind(between.iter().map(|row| row.revision).collect::<Vec<_>>())
        .bind(between.iter().map(|row| row.updated_at.as_millisecond()).collect::<Vec<_>>())
        .bind(between.iter().map(|row| small(origin_code(row))).collect::<Vec<_>>())
        .bind(between.iter().map(|row| batch::definition(&row.job)).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    }
    let (jobs, revisions): (Vec<_>, Vec<_>) = replaced.last.iter().copied().unzip();
    if jobs.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into job_versions (job, revision, saved_at, origin, definition) \
         select j.id, j.revision, j.updated_at, j.origin, j.definition \
         from unnest($1::bigint[], $2::bigint[]) as new (job, revision) \
         join jobs j on j.id = new.job where j.revision < new.revision on conflict do nothing",
    )
    .bind(jobs)
    .bind(revisions)
    .execute(&mut *tx)
    .await?;
    let many = replaced.last.into_iter().filter(|(_, revision)| *revision > VERSIONS_MOST);
    let (jobs, last): (Vec<_>, Vec<_>) =
        many.map(|(job, revision)| (job, revision - VERSIONS_MOST)).unzip();
    if jobs.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "delete from job_versions v using unnest($1::bigint[], $2::bigint[]) as old (job, last) \
         where v.job = old.job and v.revision <= old.last",
    )
    .bind(jobs)
    .bind(last)
    .execute(tx)
    .await
    .map(drop)
}
