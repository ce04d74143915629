//! Jobs of other partitions, for what is asked before a job is saved or deleted: which jobs its
//! children's names mean, whether they lead back to it, whose child it is.
//!
//! It is read from the store just before; what is in this partition the engine knows better.

use std::{collections::HashMap, sync::Arc};

use fastjob_core::{JobId, JobName, ServiceName};

use crate::record::JobRow;

/// Living jobs of any partition. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    jobs: HashMap<JobId, JobRow>,
    by_name: HashMap<ServiceName, HashMap<JobName, JobId>>,
    by_bare_name: HashMap<JobName, Vec<JobId>>,
}

impl Directory {
    /// Of these rows; a job may be among them more than once.
    pub(crate) fn new(rows: impl IntoIterator<Item = JobRow>) -> Self {
        let mut inner = Inner::default();
        let rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
        for row in rows.into_values().filter(|row| row.deleted_at.is_none()) {
            let job = &row.job;
            inner.by_name.entry(job.service.clone()).or_default().insert(job.name.clone(), row.id);
            inner.by_bare_name.entry(job.name.clone()).or_default().push(row.id);
            inner.jobs.insert(row.id, row);
        }
        Self(Arc::new(inner))
    }

    pub(super) fn job(&self, id: JobId) -> Option<&JobRow> {
        self.0.jobs.get(&id)
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = &JobRow> {
        self.0.jobs.values()
    }

    pub(super) fn named(&self, service: &ServiceName, name: &JobName) -> Option<JobId> {
        self.0.by_name.get(service)?.get(name).copied()
    }

    pub(super) fn bare(&self, name: &JobName) -> &[JobId] {
        self.0.by_bare_name.get(name).map_or(&[], Vec::as_slice)
    }
}
