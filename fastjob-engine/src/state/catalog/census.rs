//! How many jobs each service has, kept up to date with the jobs.

use fastjob_core::ServiceName;

use super::JobEntry;
use crate::maps::Map;

/// The number of jobs of a service, deleted ones left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobCount {
    pub(crate) jobs: u64,
    pub(crate) enabled: u64,
}

/// The number of jobs of each service that has any.
#[derive(Debug, Default)]
pub(crate) struct Census(Map<ServiceName, JobCount>);

impl Census {
    pub(super) fn add(&mut self, entry: &JobEntry) {
        if entry.is_deleted() {
            return;
        }
        let job = entry.job();
        if !self.0.contains_key(&job.service) {
            self.0.insert(job.service.clone(), JobCount::default());
        }
        if let Some(count) = self.0.get_mut(&job.service) {
            count.jobs += 1;
            count.enabled += u64::from(job.enabled);
        }
    }

    pub(super) fn remove(&mut self, entry: &JobEntry) {
        if entry.is_deleted() {
            return;
        }
        let job = entry.job();
        let Some(count) = self.0.get_mut(&job.service) else { return };
        count.jobs = count.jobs.saturating_sub(1);
        count.enabled = count.enabled.saturating_sub(u64::from(job.enabled));
        if count.jobs == 0 {
            self.0.remove(&job.service);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ServiceName, JobCount)> {
        self.0.iter().map(|(service, count)| (service, *count))
    }
}
