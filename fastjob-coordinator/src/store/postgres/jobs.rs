//! Jobs, as clients query them.

use fastjob_core::{JobId, JobName, ServiceName};
use sqlx::postgres::PgRow;

use super::Postgres;
use crate::store::{
    JobLink, JobPage, JobRow, JobStore, Result,
    rows::jobs::{PageInParts, link, whole},
    while_doing,
};

#[async_trait::async_trait]
impl JobStore for Postgres {
    async fn job(&self, service: &ServiceName, name: &JobName) -> Result<Option<JobRow>> {
        let row = sqlx::query(
            "select id, definition, origin, revision, anchor, created_at, updated_at, deleted_at, \
             children, declared from jobs where service = $1 and name = $2 and deleted_at is null",
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
             children, declared from jobs where name = $1 and deleted_at is null order by service",
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
        let mut page = PageInParts::new(after, limit, bytes);
        while !page.is_complete() {
            let rows = self.part_of(&page).await?;
            page.add(&rows, &self.unreadable)?;
        }
        Ok(page.into_page())
    }
}

impl Postgres {
    /// The next rows of the page, with the columns of [`PageInParts::add`].
    async fn part_of(&self, page: &PageInParts) -> Result<Vec<PgRow>> {
        let (service, name) = page.after();
        sqlx::query(
            "with page as (select id, service, name, \
             octet_length(definition) + coalesce(octet_length(declared), 0) as bytes from jobs \
             where deleted_at is null and (service, name) > ($1, $2) \
             order by service, name limit $3 + 1), \
             sums as (select id, service, name, row_number() over first_to_last as nth, \
             sum(bytes) over first_to_last - bytes as bytes_before, count(*) over () as there_are \
             from page window first_to_last as (order by service, name)) \
             select j.id, j.definition, j.origin, j.revision, j.anchor, j.created_at, \
             j.updated_at, j.deleted_at, j.children, j.declared, s.there_are, j.service, j.name \
             from sums s join jobs j on j.id = s.id where s.nth <= $3 \
             and s.bytes_before < $4 order by s.service, s.name",
        )
        .bind(service)
        .bind(name)
        .bind(i64::from(page.missing()))
        .bind(page.bytes_left())
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read jobs"))
    }
}
