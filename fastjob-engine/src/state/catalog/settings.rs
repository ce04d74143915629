//! The settings of jobs, each kept once however many jobs have them.

use std::sync::Arc;

use fastjob_core::{Job, job::Settings};

use crate::maps::{IdSet, Set};

/// The least number of settings at which unused ones are looked for.
const SWEEP_LEAST: usize = 1_024;

/// Settings that jobs share.
#[derive(Debug, Default)]
pub(super) struct SharedSettings {
    known: Set<Arc<Settings>>,
    /// The addresses of `known`: jobs that are loaded share their settings already.
    addresses: IdSet<i64>,
    /// How many there were after unused ones were last removed.
    swept: usize,
}

impl SharedSettings {
    /// The same job, with the settings that another one has, if they are equal.
    pub(super) fn share(&mut self, job: Arc<Job>) -> Arc<Job> {
        if self.addresses.contains(&address(&job.settings)) {
            return job;
        }
        if let Some(known) = self.known.get(&job.settings) {
            let settings = Arc::clone(known);
            return Arc::new(Job { settings, ..Arc::unwrap_or_clone(job) });
        }
        if self.known.len() >= 2 * self.swept.max(SWEEP_LEAST) {
            self.known.retain(|settings| Arc::strong_count(settings) > 1);
            self.addresses = self.known.iter().map(address).collect();
            self.swept = self.known.len();
        }
        self.addresses.insert(address(&job.settings));
        self.known.insert(Arc::clone(&job.settings));
        job
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

fn address(settings: &Arc<Settings>) -> i64 {
    (Arc::as_ptr(settings).addr() as u64).cast_signed()
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

    #[test]
    fn jobs_with_equal_settings_share_them() {
        let mut shared = SharedSettings::default();
        let jobs = [("a", "h"), ("b", "h"), ("c", "i")].map(|(name, handler)| job(name, handler));
        let [a, b, c] = jobs.clone().map(|job| shared.share(job));
        assert!(Arc::ptr_eq(&a.settings, &b.settings) && !Arc::ptr_eq(&a.settings, &c.settings));
        assert_eq!([a, b, c], jobs);
        assert_eq!(shared.len(), 2);
    }

    #[test]
    fn settings_that_no_job_has_any_more_are_forgotten() {
        let mut shared = SharedSettings::default();
        let kept = shared.share(job("a", "kept"));
        for edit in 0..10 * SWEEP_LEAST {
            shared.share(job("b", &format!("h{edit}")));
            assert!(shared.len() <= 2 * SWEEP_LEAST);
        }
        let again = shared.share(job("c", "kept"));
        assert!(Arc::ptr_eq(&again.settings, &kept.settings));
    }
}
