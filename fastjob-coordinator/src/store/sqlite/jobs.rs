//! Jobs, as people ask for them.

use std::sync::Arc;

use fastjob_core::{Job, JobDraft, JobId, JobName, ServiceName};
use sqlx::{Row, sqlite::SqliteRow};

use super::{Sqlite, load::instant, while_doing};
use crate::store::{
    Error, JobRow, JobStore, Result,
    codes::{ids, origin},
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
        row.as_ref().map(read).transpose()
    }

    async fn parents(&self) -> Result<Vec<JobRow>> {
        let rows = sqlx::query(
            "select id, definition, origin, revision, anchor, created_at, updated_at, deleted_at, \
             children from jobs where children <> '[]' and deleted_at is null",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read jobs"))?;
        rows.iter().map(read).collect()
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
        rows.iter().map(read).collect()
    }

    async fn jobs(&self, after: Option<(ServiceName, JobName)>, limit: u32) -> Result<Vec<JobRow>> {
        let (service, name) = match &after {
            Some((service, name)) => (service.as_str(), name.as_str()),
            None => ("", ""),
        };
        let rows = sqlx::query(
            "select id, definition, origin, revision, anchor, created_at, updated_at, deleted_at, \
             children from jobs where deleted_at is null and (service, name) > (?, ?) \
             order by service, name limit ?",
        )
        .bind(service)
        .bind(name)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read jobs"))?;
        rows.iter().map(read).collect()
    }
}

pub(super) fn read(row: &SqliteRow) -> Result<JobRow> {
    let doing = while_doing("read a job");
    let get = |index: usize| row.try_get::<i64, _>(index).map_err(&doing);
    let id = JobId(get(0)?);
    let definition: String = row.try_get(1).map_err(&doing)?;
    let corrupt = |why: String| Error::Corrupt { what: format!("job {id}: {why}") };
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
