//! Jobs of other partitions, for the checks before a job is saved or deleted: which jobs its
//! children's names mean, how they are chained, and whose child it is.
//!
//! The caller reads the jobs that one command needs from the store, and sends them with the
//! command. For jobs of its own partition the engine uses its own, newer state.

use std::{collections::BTreeSet, sync::Arc};

use fastjob_core::{JobId, JobName, ServiceName};

use crate::{maps::Map, record::JobLink};

/// Living jobs of any partition. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Directory(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    jobs: Map<JobId, JobLink>,
    by_name: Map<ServiceName, Map<JobName, JobId>>,
    by_bare_name: Map<JobName, BTreeSet<JobId>>,
    parents: Map<JobId, BTreeSet<JobId>>,
}

impl Directory {
    /// A directory of these jobs. The same job may be among them more than once.
    pub fn new(jobs: impl IntoIterator<Item = JobLink>) -> Self {
        let mut inner = Inner::default();
        for job in jobs {
            inner.by_name.entry(job.service.clone()).or_default().insert(job.name.clone(), job.id);
            inner.by_bare_name.entry(job.name.clone()).or_default().insert(job.id);
            for child in &*job.children {
                inner.parents.entry(*child).or_default().insert(job.id);
            }
            inner.jobs.insert(job.id, job);
        }
        Self(Arc::new(inner))
    }

    pub(crate) fn job(&self, id: JobId) -> Option<&JobLink> {
        self.0.jobs.get(&id)
    }

    pub(crate) fn named(&self, service: &ServiceName, name: &JobName) -> Option<JobId> {
        self.0.by_name.get(service)?.get(name).copied()
    }

    pub(crate) fn bare(&self, name: &JobName) -> impl Iterator<Item = JobId> {
        self.0.by_bare_name.get(name).into_iter().flatten().copied()
    }

    /// The jobs that have it as a child.
    pub(crate) fn parents(&self, id: JobId) -> impl Iterator<Item = JobId> {
        self.0.parents.get(&id).into_iter().flatten().copied()
    }
}
