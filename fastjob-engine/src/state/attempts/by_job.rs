//! The open attempts of each job, in the order of their ids.

use std::collections::BTreeSet;

use fastjob_core::{AttemptId, JobId};

use crate::maps::IdMap;

/// The open attempts of each job.
#[derive(Debug, Default)]
pub(super) struct ByJob(IdMap<JobId, Ids>);

/// The attempts of one job. Most jobs have one, which takes no allocation.
#[derive(Debug)]
enum Ids {
    One(AttemptId),
    Many(BTreeSet<AttemptId>),
}

impl ByJob {
    pub(super) fn insert(&mut self, job: JobId, attempt: AttemptId) {
        let ids = self.0.entry(job).or_insert(Ids::One(attempt));
        match ids {
            Ids::One(only) if *only == attempt => {}
            Ids::One(only) => *ids = Ids::Many(BTreeSet::from([*only, attempt])),
            Ids::Many(all) => _ = all.insert(attempt),
        }
    }

    pub(super) fn remove(&mut self, job: JobId, attempt: AttemptId) {
        let is_last = match self.0.get_mut(&job) {
            None => false,
            Some(Ids::One(only)) => *only == attempt,
            Some(Ids::Many(all)) => all.remove(&attempt) && all.is_empty(),
        };
        if is_last {
            self.0.remove(&job);
        }
    }

    pub(super) fn of(&self, job: JobId) -> impl Iterator<Item = AttemptId> {
        let (one, many) = match self.0.get(&job) {
            None => (None, None),
            Some(Ids::One(only)) => (Some(*only), None),
            Some(Ids::Many(all)) => (None, Some(all)),
        };
        one.into_iter().chain(many.into_iter().flatten().copied())
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn len(&self) -> usize {
        let count = |ids: &Ids| match ids {
            Ids::One(_) => 1,
            Ids::Many(all) => all.len(),
        };
        self.0.values().map(count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_its_attempts_in_the_order_of_their_ids_until_the_last_one_leaves() {
        let (job, other) = (JobId(1), JobId(2));
        let mut open = ByJob::default();
        for id in [5, 3, 5, 9] {
            open.insert(job, AttemptId(id));
        }
        open.insert(other, AttemptId(4));
        let ids = |open: &ByJob, job| open.of(job).map(|id| id.0).collect::<Vec<_>>();
        assert_eq!((ids(&open, job), ids(&open, other)), (vec![3, 5, 9], vec![4]));
        open.remove(other, AttemptId(5));
        assert_eq!((ids(&open, other), open.len()), (vec![4], 4));
        for id in [3, 9, 5] {
            open.remove(job, AttemptId(id));
        }
        open.remove(other, AttemptId(4));
        assert!(ids(&open, job).is_empty() && open.0.is_empty());
    }
}
