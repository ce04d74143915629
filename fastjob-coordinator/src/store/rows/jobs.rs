//! Jobs, and the pages of a list of them.

use std::sync::Arc;
#[cfg(feature = "postgres")]
use std::sync::{Mutex, PoisonError, Weak};

use fastjob_core::{JobId, JobName, ServiceName, job::Definitions};

use super::{Columns, Reading};
use crate::store::{
    Error, JobLink, JobPage, JobRow, Result,
    codes::{ids, origin},
    unreadable::{Unreadable, of_job},
};

/// Reads jobs, which share what they have in common, also with those that its clones read.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobReader(Arc<Definitions>);

impl JobReader {
    /// Reads a job; the error names the job if this release cannot read it.
    pub(crate) fn read<R: Columns>(&self, row: &R) -> Result<JobRow> {
        let row = Reading::new(row, "read a job");
        let id = row.int(0)?;
        read(&row, &self.0).map_err(|err| of_job(err, id))
    }
}

/// Hands out readers that share what they have in common, while at least one of them is in use.
#[cfg(feature = "postgres")]
#[derive(Debug, Default)]
pub(crate) struct JobReaders(Mutex<Weak<Definitions>>);

#[cfg(feature = "postgres")]
impl JobReaders {
    pub(crate) fn reader(&self) -> JobReader {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let definitions = shared.upgrade().unwrap_or_default();
        *shared = Arc::downgrade(&definitions);
        JobReader(definitions)
    }
}

/// Reads a single job.
pub(crate) fn whole<R: Columns>(row: &R) -> Result<JobRow> {
    JobReader::default().read(row)
}

fn read(row: &Reading<'_, impl Columns>, definitions: &Definitions) -> Result<JobRow> {
    let definition = |text| match definitions.read(text) {
        Ok(job) => Ok(Arc::new(job)),
        Err(err) => Err(Error::Corrupt { what: err.to_string() }),
    };
    let (origin, overrides) = origin(row.int(2)?)?;
    Ok(JobRow {
        id: JobId(row.int(0)?),
        job: definition(row.text(1)?)?,
        declared: row.maybe_text(9)?.map(definition).transpose()?,
        children: ids(row.text(8)?)?,
        origin,
        overrides,
        revision: row.int(3)?,
        anchor: row.instant(4)?,
        created_at: row.instant(5)?,
        updated_at: row.instant(6)?,
        deleted_at: row.maybe_instant(7)?,
    })
}

pub(crate) fn link(row: &impl Columns) -> Result<JobLink> {
    let row = Reading::new(row, "read a job");
    Ok(JobLink {
        id: JobId(row.int(0)?),
        service: row.name(1)?,
        name: row.name(2)?,
        children: ids(row.text(3)?)?,
    })
}

/// A page that is read in parts, because unreadable jobs are replaced by further ones.
#[derive(Debug)]
pub(crate) struct PageInParts {
    page: JobPage,
    limit: u32,
    bytes_left: u64,
    is_complete: bool,
}

impl PageInParts {
    /// An empty page of at most `limit` jobs that is full at `bytes` bytes.
    pub(crate) fn new(after: Option<(ServiceName, JobName)>, limit: u32, bytes: u64) -> Self {
        let page = JobPage { jobs: Vec::new(), next: after };
        Self { page, limit, bytes_left: bytes, is_complete: false }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The service and name after which the next part begins; empty before the first job.
    pub(crate) fn after(&self) -> (&str, &str) {
        let after = self.page.next.as_ref();
        after.map_or(("", ""), |(service, name)| (service.as_str(), name.as_str()))
    }

    /// How many jobs are missing.
    pub(crate) fn missing(&self) -> u32 {
        self.limit.saturating_sub(u32::try_from(self.page.jobs.len()).unwrap_or(self.limit))
    }

    /// How many bytes the missing jobs may have.
    pub(crate) fn bytes_left(&self) -> i64 {
        i64::try_from(self.bytes_left).unwrap_or(i64::MAX)
    }

    /// Adds the next part. The columns after those of [`whole`] are the number of rows that there
    /// are, up to one more than were missing, and the job's service and name.
    pub(crate) fn add<R: Columns>(&mut self, rows: &[R], unreadable: &Unreadable) -> Result<()> {
        self.page.next = next_part(rows)?;
        let readable = readable(rows, unreadable)?;
        let all_readable = readable.len() == rows.len();
        self.page.jobs.extend(readable);
        self.bytes_left = self.bytes_left.saturating_sub(definition_bytes(rows)?);
        self.is_complete = self.page.next.is_none() || all_readable || self.bytes_left == 0;
        Ok(())
    }

    pub(crate) fn into_page(self) -> JobPage {
        self.page
    }
}

/// The job after which the next part begins, if there is one.
fn next_part<R: Columns>(rows: &[R]) -> Result<Option<(ServiceName, JobName)>> {
    let Some(last) = rows.last() else { return Ok(None) };
    let last = Reading::new(last, "read jobs");
    if usize::try_from(last.int(10)?).is_ok_and(|there_are| there_are <= rows.len()) {
        return Ok(None);
    }
    Ok(Some((last.name(11)?, last.name(12)?)))
}

/// Those of the jobs that this release can read.
fn readable<R: Columns>(rows: &[R], unreadable: &Unreadable) -> Result<Vec<JobRow>> {
    let (mut jobs, reader) = (Vec::with_capacity(rows.len()), JobReader::default());
    for row in rows {
        let revision = Reading::new(row, "read a job").int(3)?;
        jobs.extend(unreadable.pass_over(reader.read(row), revision)?);
    }
    Ok(jobs)
}

fn definition_bytes<R: Columns>(rows: &[R]) -> Result<u64> {
    let bytes = |row| {
        let row = Reading::new(row, "read jobs");
        Ok((row.text(1)?.len() + row.maybe_text(9)?.map_or(0, str::len)) as u64)
    };
    rows.iter().map(bytes).sum()
}
