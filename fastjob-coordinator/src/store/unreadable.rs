//! Jobs that this release cannot read, because a newer one saved them.
//!
//! Lists show the others. Who acts on jobs does not leave one out: an engine that did not know a job
//! of its partition would neither carry on with its tasks nor keep its name, so a partition is loaded
//! whole or not at all.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use fastjob_core::JobId;

use super::{Error, JobRow, Result};

/// Of which jobs it was said that they cannot be read.
#[derive(Debug, Default)]
pub(super) struct Unreadable(Mutex<HashSet<(JobId, i64)>>);

impl Unreadable {
    /// The job, or `None` if it cannot be read: said in the log, once for each revision.
    pub(super) fn pass_over(&self, row: Result<JobRow>, revision: i64) -> Result<Option<JobRow>> {
        let Err(Error::Unreadable { job, why }) = row else { return row.map(Some) };
        if self.is_new(job, revision) {
            tracing::warn!(
                job.id = job.0,
                revision,
                why,
                "a job that a newer release saved cannot be read, lists leave it out"
            );
        }
        Ok(None)
    }

    fn is_new(&self, job: JobId, revision: i64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((job, revision))
    }
}

/// Says of which job it is that something in its row is not known here.
pub(super) fn of_job(err: Error, id: i64) -> Error {
    let Error::Corrupt { what: why } = err else { return err };
    Error::Unreadable { job: JobId(id), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_cannot_be_read_is_told_of_once_a_revision() {
        let unreadable = Unreadable::default();
        let told = [(1, 1), (1, 1), (2, 1), (1, 2), (1, 2)];
        let told = told.map(|(job, revision)| unreadable.is_new(JobId(job), revision));
        assert_eq!(told, [true, false, true, true, false]);
    }
}
