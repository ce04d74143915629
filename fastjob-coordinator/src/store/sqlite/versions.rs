//! Versions of jobs.

use fastjob_core::{JobId, JobName, ServiceName};

use super::{
    Sqlite,
    commit::{Outcome, batches, each},
    script::Script,
};
use crate::store::{
    Commit, Result, batch,
    codes::origin_code,
    rows::versions::versions,
    versions::{JobVersion, VERSIONS_MOST, VersionStore, replaced},
    while_doing,
};

#[async_trait::async_trait]
impl VersionStore for Sqlite {
    async fn versions(&self, job: JobId, before: i64, limit: u32) -> Result<Vec<JobVersion>> {
        let rows = sqlx::query(
            "select revision, coalesce(deleted_at, updated_at) as saved_at, origin, definition, \
             deleted_at from jobs where id = ?1 and revision < ?2 \
             union all select * from (select revision, saved_at, origin, definition, null \
             from job_versions where job = ?1 and revision < ?2 order by revision desc limit ?3) \
             order by revision desc limit ?3",
        )
        .bind(job.0)
        .bind(before)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read versions of a job"))?;
        versions(&rows)
    }

    async fn deleted_job(&self, service: &ServiceName, name: &JobName) -> Result<Option<JobId>> {
        let job: Option<i64> = sqlx::query_scalar(
            "select id from jobs where service = ? and name = ? and deleted_at is not null \
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
pub(super) fn keep(script: &mut Script, commits: &[Commit]) -> Outcome {
    let replaced = replaced(commits);
    let between = replaced.between.iter().map(|row| {
        let definition = batch::definition(&row.job);
        let saved_at = row.updated_at.as_millisecond();
        (row.id.0, row.revision, saved_at, origin_code(row), definition)
    });
    each(
        script,
        batches(between)?,
        // Of a commit that is sent again, the stored revision is higher.
        "insert into job_versions (job, revision, saved_at, origin, definition) \
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 from json_each(?) \
         where value ->> 1 >= coalesce((select revision from jobs where jobs.id = value ->> 0), 0) \
         on conflict do nothing",
    );
    each(
        script,
        batches(replaced.last.iter())?,
        "insert into job_versions (job, revision, saved_at, origin, definition) \
         select j.id, j.revision, j.updated_at, j.origin, j.definition \
         from json_each(?) as new cross join jobs j on j.id = new.value ->> 0 \
         where j.revision < new.value ->> 1 on conflict do nothing",
    );
    let many = replaced.last.iter().filter(|(_, revision)| *revision > VERSIONS_MOST);
    each(
        script,
        batches(many.map(|(job, revision)| (job, revision - VERSIONS_MOST)))?,
        "delete from job_versions where (job, revision) in (select v.job, v.revision \
         from json_each(?) as old cross join job_versions v on v.job = old.value ->> 0 \
         and v.revision <= old.value ->> 1)",
    );
    Ok(())
}
