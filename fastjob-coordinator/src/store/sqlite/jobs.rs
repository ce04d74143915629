//! Jobs, as people ask for them.

use std::sync::Arc;

use fastjob_core::{Job, JobDraft, JobId, JobName, ServiceName};
use sqlx::{Row, sqlite::SqliteRow};

use super::{
    Sqlite,
    load::{instant, name},
    while_doing,
};
use crate::store::{
    Error, JobLink, JobRow, JobStore, Result,
    codes::{ids, ids_code, origin},
    unreadable::of_job,
};

pub(super) const SELECT_ALL: &str = "select id, definition, origin, revision, anchor, created_at, \
                                     updated_at, deleted_at, children from jobs";

#[async_trait::async_trait]
impl JobStore for Sqlite {
    async fn job(&self, service: &ServiceName, name: &JobName) -> Result<Option<JobRow>> {
        let row = sqlx::query(
            "select id, definition, origin, revision, anchor, created_at, updated_at, deleted_at, \
             children from jobs where service = ? and name = ? and deleted_at is null",
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
             where id in (select value from json_each(?)) and deleted_at is null order by id",
        )
        .bind(ids_code(jobs))
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read jobs"))?;
        rows.iter().map(link).collect()
    }

    async fn parents_of(&self, jobs: &[JobId], limit: u32) -> Result<Vec<JobLink>> {
        let rows = sqlx::query(
            "select id, service, name, children from jobs where id in \
             (select parent from job_children where child in (select value from json_each(?))) \
             and deleted_at is null order by id limit ?",
        )
        .bind(ids_code(jobs))
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read jobs"))?;
        rows.iter().map(link).collect()
    }

    async fn jobs_named(&self, name: &JobName) -> Result<Vec<JobRow>> {
        let rows = sqlx::query(
            "select id, definition, origin, revision, anchor, created_at, updated_at, deleted_at, \
             children from jobs where name = ? and deleted_at is null order by service",
        )
        .bind(name.as_str())
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read jobs"))?;
        rows.iter().map(whole).collect()
    }

    async fn jobs(
        &self,
        mut after: Option<(ServiceName, JobName)>,
        limit: u32,
    ) -> Result<Vec<JobRow>> {
        let mut jobs = Vec::new();
        let mut left = limit;
        loop {
            let rows = self.page(after.as_ref(), left).await?;
            jobs.extend(self.readable(&rows)?);
            let is_full = rows.len() >= left as usize;
            // In the place of those that cannot be read come more.
            left = limit.saturating_sub(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
            match rows.last().filter(|_| is_full && left > 0) {
                None => return Ok(jobs),
                Some(last) => after = Some(self.place_of(last).await?),
            }
        }
    }
}

impl Sqlite {
    /// The rows of a page, those that cannot be read among them.
    async fn page(
        &self,
        after: Option<&(ServiceName, JobName)>,
        limit: u32,
    ) -> Result<Vec<SqliteRow>> {
        let (service, name) = match after {
            Some((service, name)) => (service.as_str(), name.as_str()),
            None => ("", ""),
        };
        sqlx::query(
            "select id, definition, origin, revision, anchor, created_at, updated_at, deleted_at, \
             children from jobs where deleted_at is null and (service, name) > (?, ?) \
             order by service, name limit ?",
        )
        .bind(service)
        .bind(name)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read jobs"))
    }

    /// Where a job stands in the list, whether it can be read or not.
    async fn place_of(&self, row: &SqliteRow) -> Result<(ServiceName, JobName)> {
        let doing = while_doing("read jobs");
        let id: i64 = row.try_get(0).map_err(&doing)?;
        let (service, job): (String, String) =
            sqlx::query_as("select service, name from jobs where id = ?")
                .bind(id)
                .fetch_one(&self.readers)
                .await
                .map_err(&doing)?;
        Ok((name(&service)?, name(&job)?))
    }

    /// Those of the jobs that this release can read.
    fn readable(&self, rows: &[SqliteRow]) -> Result<Vec<JobRow>> {
        let mut jobs = Vec::with_capacity(rows.len());
        for row in rows {
            let revision = row.try_get(3).map_err(while_doing("read a job"))?;
            jobs.extend(self.unreadable.pass_over(whole(row), revision)?);
        }
        Ok(jobs)
    }
}

fn link(row: &SqliteRow) -> Result<JobLink> {
    let doing = while_doing("read a job");
    let text = |index: usize| row.try_get::<String, _>(index).map_err(&doing);
    Ok(JobLink {
        id: JobId(row.try_get(0).map_err(&doing)?),
        service: name(&text(1)?)?,
        name: name(&text(2)?)?,
        children: ids(&text(3)?)?,
    })
}

/// Reads a job, or says which one it is that this release cannot read.
pub(super) fn whole(row: &SqliteRow) -> Result<JobRow> {
    let id = row.try_get(0).map_err(while_doing("read a job"))?;
    read(row).map_err(|err| of_job(err, id))
}

fn read(row: &SqliteRow) -> Result<JobRow> {
    let doing = while_doing("read a job");
    let get = |index: usize| row.try_get::<i64, _>(index).map_err(&doing);
    let id = JobId(get(0)?);
    let definition: String = row.try_get(1).map_err(&doing)?;
    let corrupt = |what: String| Error::Corrupt { what };
    let draft: JobDraft =
        serde_json::from_str(&definition).map_err(|err| corrupt(err.to_string()))?;
    let job = Job::try_from(draft).map_err(|err| corrupt(err.to_string()))?;
    let deleted_at: Option<i64> = row.try_get(7).map_err(&doing)?;
    let children: String = row.try_get(8).map_err(&doing)?;
    Ok(JobRow {
        id,
        job: Arc::new(job),
        children: ids(&children)?,
        origin: origin(get(2)?)?,
        revision: get(3)?,
        anchor: instant(get(4)?)?,
        created_at: instant(get(5)?)?,
        updated_at: instant(get(6)?)?,
        deleted_at: deleted_at.map(instant).transpose()?,
    })
}
