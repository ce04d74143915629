//! Jobs on their way from the store to the catalog.

use std::fmt;

use super::{JobEntry, table::Entries};
use crate::record::JobRow;

/// The jobs of a partition, as a store has read them.
///
/// They are kept in the form in which an engine keeps them. So a million jobs are in memory once
/// while an engine starts, and rows can be dropped as they are read.
#[derive(Default)]
pub struct LoadedJobs(pub(super) Entries);

impl LoadedJobs {
    /// Adds a job, whose id no other job here may have.
    pub fn push(&mut self, row: JobRow) {
        let cursor = row.anchor;
        self.0.insert(JobEntry::new(row, cursor));
    }

    /// How many jobs there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The jobs in the order in which they were added.
    pub fn rows(&self) -> impl Iterator<Item = JobRow> {
        self.0.iter().map(JobEntry::row)
    }
}

impl Extend<JobRow> for LoadedJobs {
    fn extend<I: IntoIterator<Item = JobRow>>(&mut self, rows: I) {
        rows.into_iter().for_each(|row| self.push(row));
    }
}

impl FromIterator<JobRow> for LoadedJobs {
    fn from_iter<I: IntoIterator<Item = JobRow>>(rows: I) -> Self {
        let mut jobs = Self::default();
        jobs.extend(rows);
        jobs
    }
}

impl Clone for LoadedJobs {
    fn clone(&self) -> Self {
        self.rows().collect()
    }
}

impl PartialEq for LoadedJobs {
    fn eq(&self, other: &Self) -> bool {
        self.rows().eq(other.rows())
    }
}

impl fmt::Debug for LoadedJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rows()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use fastjob_core::{Job, JobDraft, JobId};
    use jiff::Timestamp;

    use super::*;
    use crate::{
        Config,
        state::catalog::{Catalog, together::new_row},
    };

    fn row(id: i64, name: &str, handler: &str) -> JobRow {
        let (name, handler) = (name.to_owned(), Some(handler.to_owned()));
        let draft = JobDraft { name, handler, ..JobDraft::default() };
        let at = Timestamp::from_millisecond(id).unwrap();
        let new = new_row(Arc::new(Job::try_from(draft).unwrap()));
        JobRow { id: JobId(id), anchor: at, created_at: at, updated_at: at, ..new }
    }

    #[test]
    fn loaded_jobs_are_the_same_as_jobs_that_were_admitted_one_by_one() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let mut rows: Vec<_> =
            (1..=1_000).map(|id| row(id, &format!("j{id}"), &format!("h{}", id % 3))).collect();
        rows[6].children = vec![JobId(9), JobId(10)].into();
        rows[7].deleted_at = Some(at(5_000));
        // A later job has the name of a deleted one.
        rows[8].job = Arc::clone(&rows[7].job);
        rows[9].declared = Some(Arc::clone(&rows[0].job));
        let loaded: LoadedJobs = rows.iter().cloned().collect();
        assert_eq!((loaded.len(), loaded.rows().collect::<Vec<_>>()), (1_000, rows.clone()));
        assert_eq!(loaded, loaded.clone());

        let mut one_by_one = Catalog::new(Config::alone(Duration::ZERO, 1));
        rows.iter().for_each(|row| one_by_one.admit(row.clone(), at(7_000)));
        let mut at_once = Catalog::new(Config::alone(Duration::ZERO, 1));
        at_once.load(loaded, at(7_000));
        for catalog in [&one_by_one, &at_once] {
            for row in &rows {
                let entry = catalog.get(row.id).unwrap();
                assert_eq!((&entry.row(), entry.cursor()), (row, at(7_000)));
                let path = row.job.name.as_str().parse().unwrap();
                let found = if row.id == JobId(8) { JobId(9) } else { row.id };
                assert_eq!(catalog.resolve(&path), Ok(found));
            }
            assert_eq!(catalog.next_id(), JobId(1_001));
        }
        assert_eq!(at_once.sizes(), one_by_one.sizes());
        assert_eq!(at_once.bytes, one_by_one.bytes);
        assert_eq!(
            at_once.parents.of(JobId(9)).collect::<Vec<_>>(),
            one_by_one.parents.of(JobId(9)).collect::<Vec<_>>()
        );
        let counts = |catalog: &Catalog| catalog.census().iter().map(|of| of.1).collect::<Vec<_>>();
        assert_eq!(counts(&at_once), counts(&one_by_one));
    }
}
