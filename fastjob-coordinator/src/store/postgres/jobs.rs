//! Jobs, as clients query them.

use std::sync::Arc;

use fastjob_core::{Job, JobDraft, JobId, JobName, ServiceName};
use sqlx::{Row, postgres::PgRow};

use super::{
    Postgres,
    load::{instant, name},
    while_doing,
};
use crate::store::{
    Error, JobLink, JobPage, JobRow, JobStore, Result,
    codes::{ids, origin},
    unreadable::of_job,
};

#[async_trait::async_trait]
impl JobStore for Postgres {
    async fn job(&self, service: &ServiceName, name: &JobName) -> Result<Option<JobRow>> {
        let row = sqlx::query(
            "select id, definition, origin, revision, anchor, created_at, updated_at, deleted_at, \
             children from jobs where service = $1 and name = $2 and deleted_at is null",
        )
        .bind(service.as_str())
        .bind(name.as_str())
        .fetch_optional(&self.readers)
        .await
        .map_err(while_doing("read a job"))?;
        row.as_ref().map(whole).transpose()
    }

    async fn links(&self, jobs: &[JobId]) -> Result<Vec<JobLink>> {
        let rows = sqlx::query(
            "select id, service, name, children from jobs \
             where id = any($1) and deleted_at is null order by id",
        )
        .bind(jobs.iter().map(|job| job.0).collect::<Vec<_>>())
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read jobs"))?;
        rows.iter().map(link).collect()
    }

    async fn parents_of(&self, jobs: &[JobId], limit: u32) -> Result<Vec<JobLink>> {
        let rows = sqlx::query(
            "select id, service, name, children from jobs where id in \
             (select parent from job_children where child = any($1)) \
             and deleted_at is null order by id limit $2",
        )
        .bind(jobs.iter().map(|job| job.0).collect::<Vec<_>>())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read jobs"))?;
        rows.iter().map(link).collect()
    }

    async fn jobs_named(&self, name: &JobName) -> Result<Vec<JobRow>> {
        let rows = sqlx::query(
            "select id, definition, origin, revision, anchor, created_at, updated_at, deleted_at, \
             children from jobs where name = $1 and deleted_at is null order by service",
        )
        .bind(name.as_str())
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read jobs"))?;
        rows.iter().map(whole).collect()
    }

    async fn jobs(
        &self,
        after: Option<(ServiceName, JobName)>,
        limit: u32,
        bytes: u64,
    ) -> Result<JobPage> {
        let mut page = JobPage { jobs: Vec::new(), next: after };
        let mut left = bytes;
        loop {
            let missing = limit.saturating_sub(u32::try_from(page.jobs.len()).unwrap_or(limit));
            let rows = self.job_rows(page.next.as_ref(), missing, left).await?;
            page.next = next_page(&rows)?;
            let readable = self.readable(&rows)?;
            let all_readable = readable.len() == rows.len();
            page.jobs.extend(readable);
            left = left.saturating_sub(definition_bytes(&rows)?);
            // Unreadable jobs are replaced by further ones.
            if page.next.is_none() || all_readable || left == 0 {
                return Ok(page);
            }
        }
    }
}

impl Postgres {
    /// The rows of a page. The columns after those of [`whole`] are the number of rows, up to one
    /// more than `limit`, and the job's service and name.
    async fn job_rows(
        &self,
        after: Option<&(ServiceName, JobName)>,
        limit: u32,
        bytes: u64,
    ) -> Result<Vec<PgRow>> {
        let (service, name) = match after {
            Some((service, name)) => (service.as_str(), name.as_str()),
            None => ("", ""),
        };
        sqlx::query(
            "with page as (select id, service, name, octet_length(definition) as bytes from jobs \
             where deleted_at is null and (service, name) > ($1, $2) \
             order by service, name limit $3 + 1), \
             sums as (select id, service, name, row_number() over first_to_last as nth, \
             sum(bytes) over first_to_last - bytes as bytes_before, count(*) over () as there_are \
             from page window first_to_last as (order by service, name)) \
             select j.id, j.definition, j.origin, j.revision, j.anchor, j.created_at, \
             j.updated_at, j.deleted_at, j.children, s.there_are, j.service, j.name \
             from sums s join jobs j on j.id = s.id where s.nth <= $3 \
             and s.bytes_before < $4 order by s.service, s.name",
        )
        .bind(service)
        .bind(name)
        .bind(i64::from(limit))
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read jobs"))
    }

    /// Those of the jobs that this release can read.
    fn readable(&self, rows: &[PgRow]) -> Result<Vec<JobRow>> {
        let mut jobs = Vec::with_capacity(rows.len());
        for row in rows {
            let revision = row.try_get(3).map_err(while_doing("read a job"))?;
            jobs.extend(self.unreadable.pass_over(whole(row), revision)?);
        }
        Ok(jobs)
    }
}

fn link(row: &PgRow) -> Result<JobLink> {
    let doing = while_doing("read a job");
    let text = |index: usize| row.try_get::<String, _>(index).map_err(&doing);
    Ok(JobLink {
        id: JobId(row.try_get(0).map_err(&doing)?),
        service: name(&text(1)?)?,
        name: name(&text(2)?)?,
        children: ids(&text(3)?)?,
    })
}

/// The job after which the next page begins, if there is one.
fn next_page(rows: &[PgRow]) -> Result<Option<(ServiceName, JobName)>> {
    let doing = while_doing("read jobs");
    let Some(last) = rows.last() else { return Ok(None) };
    let there_are: i64 = last.try_get(9).map_err(&doing)?;
    if usize::try_from(there_are).is_ok_and(|there_are| there_are <= rows.len()) {
        return Ok(None);
    }
    let (service, job): (String, String) =
        (last.try_get(10).map_err(&doing)?, last.try_get(11).map_err(&doing)?);
    Ok(Some((name(&service)?, name(&job)?)))
}

fn definition_bytes(rows: &[PgRow]) -> Result<u64> {
    let bytes = |row: &PgRow| row.try_get::<&str, _>(1).map(|text| text.len() as u64);
    rows.iter().map(bytes).sum::<sqlx::Result<u64>>().map_err(while_doing("read jobs"))
}

/// Reads a job; the error names the job if this release cannot read it.
pub(super) fn whole(row: &PgRow) -> Result<JobRow> {
    let id = row.try_get(0).map_err(while_doing("read a job"))?;
    read(row).map_err(|err| of_job(err, id))
}

fn read(row: &PgRow) -> Result<JobRow> {
    let doing = while_doing("read a job");
    let get = |index: usize| row.try_get::<i64, _>(index).map_err(&doing);
    let id = JobId(get(0)?);
    let definition: String = row.try_get(1).map_err(&doing)?;
    let corrupt = |what: String| Error::Corrupt { what };
    let draft: JobDraft =
        serde_json::from_str(&definition).map_err(|err| corrupt(err.to_string()))?;
    let job = Job::try_from(draft).map_err(|err| corrupt(err.to_string()))?;
    let code: i16 = row.try_get(2).map_err(&doing)?;
    let deleted_at: Option<i64> = row.try_get(7).map_err(&doing)?;
    let children: String = row.try_get(8).map_err(&doing)?;
    Ok(JobRow {
        id,
        job: Arc::new(job),
        children: ids(&children)?,
        origin: origin(code.into())?,
        revision: get(3)?,
        anchor: instant(get(4)?)?,
        created_at: instant(get(5)?)?,
        updated_at: instant(get(6)?)?,
        deleted_at: deleted_at.map(instant).transpose()?,
    })
}
