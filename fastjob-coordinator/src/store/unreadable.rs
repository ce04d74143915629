//! Jobs that this release cannot read, because a newer one saved them.
//!
//! Lists leave such jobs out. An engine must not: without a job of its partition it could neither
//! continue the job's tasks nor keep its name reserved. So a partition is loaded as a whole or not
//! at all.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use fastjob_core::JobId;

use super::{Error, JobRow, Result};

/// Unreadable jobs that have been logged.
#[derive(Debug, Default)]
pub(super) struct Unreadable(Mutex<HashSet<(JobId, i64)>>);

impl Unreadable {
    /// The job, or `None` if it cannot be read, which is logged once per revision.
    pub(super) fn pass_over(&self, row: Result<JobRow>, revision: i64) -> Result<Option<JobRow>> {
        let Err(Error::Unreadable { job, why }) = row else { return row.map(Some) };
        if self.is_new(job, revision) {
            tracing::warn!(
                job.id = job.0,
                revision,
                why,
                "a job that a newer release saved cannot be read, it is left out of lists"
            );
        }
        Ok(None)
    }

    fn is_new(&self, job: JobId, revision: i64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((job, revision))
    }
}

/// Adds the job's id to an error about its row.
pub(super) fn of_job(err: Error, id: i64) -> Error {
    let Error::Corrupt { what: why } = err else { return err };
    Error::Unreadable { job: JobId(id), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_cannot_be_read_is_logged_once_per_revision() {
        let unreadable = Unreadable::default();
        let logged = [(1, 1), (1, 1), (2, 1), (1, 2), (1, 2)];
        let logged = logged.map(|(job, revision)| unreadable.is_new(JobId(job), revision));
        assert_eq!(logged, [true, false, true, true, false]);
    }
}
