//! The lanes of jobs whose overlap rule holds across the cluster.
//!
//! An admitted attempt counts until it has ended, even while its executor is disconnected. It has
//! ended when its executor reports that, or is lost.

use fastjob_core::{
    JobId,
    lane::{Lane, Shards},
};

use crate::maps::IdMap;

/// The lanes that are in use, by job.
#[derive(Debug, Default)]
pub(crate) struct Lanes(IdMap<JobId, Lane<()>>);

impl Lanes {
    /// The lane of a job. [`forget_if_empty`](Self::forget_if_empty) removes it.
    pub(crate) fn of(&mut self, job: JobId) -> &mut Lane<()> {
        self.0.entry(job).or_insert_with(|| Lane::new(Shards::Together))
    }

    pub(crate) fn get(&self, job: JobId) -> Option<&Lane<()>> {
        self.0.get(&job)
    }

    pub(crate) fn get_mut(&mut self, job: JobId) -> Option<&mut Lane<()>> {
        self.0.get_mut(&job)
    }

    pub(crate) fn forget_if_empty(&mut self, job: JobId) {
        if self.get(job).is_some_and(Lane::is_empty) {
            self.0.remove(&job);
        }
    }

    /// The number of lanes, and of the attempts in them.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.0.len(), self.0.values().map(Lane::len).sum())
    }
}
