//! Jobs of other partitions, as far as the jobs of this one refer to them: by name, and by what
//! follows them.
//!
//! It is read from the store, so it may be a moment behind; what is in this partition the engine
//! knows better.

use std::{collections::HashMap, sync::Arc};

use fastjob_core::{Job, JobId, JobName, ServiceName};

use crate::record::JobRow;

/// Living jobs of all partitions. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    jobs: HashMap<JobId, Arc<Job>>,
    by_name: HashMap<ServiceName, HashMap<JobName, JobId>>,
    by_bare_name: HashMap<JobName, Vec<JobId>>,
}

impl Directory {
    pub(crate) fn new(rows: impl IntoIterator<Item = JobRow>) -> Self {
        let mut inner = Inner::default();
        for row in rows.into_iter().filter(|row| row.deleted_at.is_none()) {
            let job = row.job;
            inner.by_name.entry(job.service.clone()).or_default().insert(job.name.clone(), row.id);
            inner.by_bare_name.entry(job.name.clone()).or_default().push(row.id);
            inner.jobs.insert(row.id, job);
        }
        Self(Arc::new(inner))
    }

    pub(super) fn job(&self, id: JobId) -> Option<&Arc<Job>> {
        self.0.jobs.get(&id)
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = (JobId, &Arc<Job>)> {
        self.0.jobs.iter().map(|(id, job)| (*id, job))
    }

    pub(super) fn named(&self, service: &ServiceName, name: &JobName) -> Option<JobId> {
        self.0.by_name.get(service)?.get(name).copied()
    }

    pub(super) fn bare(&self, name: &JobName) -> &[JobId] {
        self.0.by_bare_name.get(name).map_or(&[], Vec::as_slice)
    }
}
