//! The settings and labels of jobs, each kept once however many jobs have them.

use std::{hash::Hash, sync::Arc};

use fastjob_core::{
    Job,
    job::{About, Settings},
};

use crate::maps::{IdSet, Set};

/// The least number of values at which unused ones are looked for.
const SWEEP_LEAST: usize = 1_024;

/// What jobs share.
#[derive(Debug, Default)]
pub(super) struct SharedSettings {
    settings: Shared<Settings>,
    abouts: Shared<About>,
}

impl SharedSettings {
    /// Gives the job the settings and labels that other jobs have, if they are equal.
    pub(super) fn share(&mut self, job: &mut Arc<Job>) {
        let settings = self.settings.equal(&job.settings);
        let about = job.about.as_ref().and_then(|about| self.abouts.equal(about));
        if settings.is_none() && about.is_none() {
            return;
        }
        let job = Arc::make_mut(job);
        if let Some(settings) = settings {
            job.settings = settings;
        }
        if about.is_some() {
            job.about = about;
        }
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn len(&self) -> usize {
        self.settings.known.len()
    }
}

/// Values of one kind.
#[derive(Debug)]
struct Shared<T> {
    known: Set<Arc<T>>,
    /// The addresses of `known`: jobs that are loaded share their values already.
    addresses: IdSet<i64>,
    /// How many there were after unused ones were last removed.
    swept: usize,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { known: Set::default(), addresses: IdSet::default(), swept: 0 }
    }
}

impl<T: Eq + Hash> Shared<T> {
    /// Another equal value that is known. Without one, this one is known from now on.
    fn equal(&mut self, value: &Arc<T>) -> Option<Arc<T>> {
        if self.addresses.contains(&address(value)) {
            return None;
        }
        if let Some(known) = self.known.get(value) {
            return Some(Arc::clone(known));
        }
        if self.known.len() >= 2 * self.swept.max(SWEEP_LEAST) {
            // Values that engines of several partitions have loaded together stay until these end.
            self.known.retain(|value| Arc::strong_count(value) > 1);
            self.addresses = self.known.iter().map(address).collect();
            self.swept = self.known.len();
        }
        self.addresses.insert(address(value));
        self.known.insert(Arc::clone(value));
        None
    }
}

fn address<T>(value: &Arc<T>) -> i64 {
    (Arc::as_ptr(value).addr() as u64).cast_signed()
}

#[cfg(test)]
mod tests {
    use fastjob_core::JobDraft;

    use super::*;

    fn job(name: &str, handler: &str) -> Arc<Job> {
        let (name, handler) = (name.to_owned(), Some(handler.to_owned()));
        let draft = JobDraft { name, handler, ..JobDraft::default() };
        Arc::new(Job::try_from(draft).unwrap())
    }

    fn share(shared: &mut SharedSettings, mut job: Arc<Job>) -> Arc<Job> {
        shared.share(&mut job);
        job
    }

    #[test]
    fn jobs_with_equal_settings_share_them() {
        let mut shared = SharedSettings::default();
        let jobs = [("a", "h"), ("b", "h"), ("c", "i")].map(|(name, handler)| job(name, handler));
        let [a, b, c] = jobs.clone().map(|job| share(&mut shared, job));
        assert!(Arc::ptr_eq(&a.settings, &b.settings) && !Arc::ptr_eq(&a.settings, &c.settings));
        assert_eq!([a, b, c], jobs);
        assert_eq!(shared.len(), 2);
    }

    #[test]
    fn jobs_with_equal_labels_share_them() {
        let mut shared = SharedSettings::default();
        let jobs = [("a", "x"), ("b", "x"), ("c", "y")].map(|(name, team)| {
            let labels = [("team".to_owned(), team.to_owned())].into();
            let draft = JobDraft { name: name.to_owned(), labels, ..JobDraft::default() };
            Arc::new(Job::try_from(draft).unwrap())
        });
        let [a, b, c] = jobs.clone().map(|job| share(&mut shared, job));
        let about = |job: &Arc<Job>| Arc::as_ptr(job.about.as_ref().unwrap());
        assert!(about(&a) == about(&b) && about(&a) != about(&c));
        assert_eq!([a, b, c], jobs);
    }

    #[test]
    fn settings_that_no_job_has_any_more_are_forgotten() {
        let mut shared = SharedSettings::default();
        let kept = share(&mut shared, job("a", "kept"));
        for edit in 0..10 * SWEEP_LEAST {
            share(&mut shared, job("b", &format!("h{edit}")));
            assert!(shared.len() <= 2 * SWEEP_LEAST);
        }
        let again = share(&mut shared, job("c", "kept"));
        assert!(Arc::ptr_eq(&again.settings, &kept.settings));
    }
}
