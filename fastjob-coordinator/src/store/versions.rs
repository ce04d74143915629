//! Earlier versions of jobs.
//!
//! The row of a job is its current version. The commit of a change first copies the row to the table
//! of earlier versions, in the database. So a job that never changes has no row there, and there is no
//! change without its earlier version.
//!
//! Revisions are consecutive, so the oldest versions to keep are found by number: with the current
//! one, a job has at most [`VERSIONS_MOST`]. A job that was deleted keeps them as long as its row.

use std::{collections::BTreeMap, sync::Arc};

use fastjob_core::{Job, JobId, JobName, ServiceName};
use jiff::Timestamp;

use super::{Commit, JobRow, Origin, Result};

/// Maximum number of versions of a job that are kept, with the current one.
pub(crate) const VERSIONS_MOST: i64 = 100;

/// A version of a job.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JobVersion {
    pub(crate) revision: i64,
    /// When it was saved; of a deletion, when the job was deleted.
    pub(crate) saved_at: Timestamp,
    /// Who owned the definition.
    pub(crate) origin: Origin,
    /// The job was deleted.
    pub(crate) is_deletion: bool,
    /// The definition in effect; `None` if this release cannot read it.
    pub(crate) job: Option<Arc<Job>>,
}

/// Versions of jobs, as clients query them.
#[async_trait::async_trait]
pub(crate) trait VersionStore: Send + Sync {
    /// The versions of a job with revisions below `before`, newest first, at most `limit`. The job may
    /// be deleted.
    async fn versions(&self, job: JobId, before: i64, limit: u32) -> Result<Vec<JobVersion>>;
    /// The job of this name that was deleted last, while its row is kept.
    async fn deleted_job(&self, service: &ServiceName, name: &JobName) -> Result<Option<JobId>>;
}

/// What the jobs of commits replace.
#[derive(Debug, Default)]
pub(super) struct Replaced<'c> {
    /// Versions that the commits both save and replace, in any order.
    pub(super) between: Vec<&'c JobRow>,
    /// The id and the last revision of each job that may have had an earlier one.
    pub(super) last: Vec<(i64, i64)>,
}

/// What the jobs of these commits replace, as if the commits were written one after the other.
pub(super) fn replaced(commits: &[Commit]) -> Replaced<'_> {
    let (mut last, mut between) = (BTreeMap::<JobId, &JobRow>::new(), Vec::new());
    for row in commits.iter().flat_map(|commit| &commit.jobs) {
        match last.get(&row.id) {
            Some(before) if before.revision > row.revision => {}
            Some(before) => {
                if before.revision < row.revision {
                    between.push(*before);
                }
                last.insert(row.id, row);
            }
            None => {
                last.insert(row.id, row);
            }
        }
    }
    let last = last.into_values().filter(|row| row.revision > 1);
    Replaced { between, last: last.map(|row| (row.id.0, row.revision)).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::suite::rows;

    #[test]
    fn what_is_saved_and_replaced_in_one_call_is_between() {
        let first = rows::job(rows::JOB, "a");
        let second = rows::saved(&first, "second");
        let third = rows::saved(&second, "third");
        let other = rows::job(rows::OTHER, "b");
        let commit = |jobs: &[&JobRow]| Commit {
            jobs: jobs.iter().copied().cloned().collect(),
            ..Commit::default()
        };
        let commits = [commit(&[&first, &other]), commit(&[&second, &third]), commit(&[&second])];
        let replaced = replaced(&commits);
        assert_eq!(replaced.between, [&first, &second], "a late save replaces nothing");
        assert_eq!(replaced.last, [(rows::JOB.0, 3)], "a first version replaces none");
    }
}
