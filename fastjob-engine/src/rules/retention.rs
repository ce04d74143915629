//! Deleted jobs, which the engine remembers as long as the store keeps them.
//!
//! The engine remembers a deleted job so that code that declares it does not create it again. The
//! store removes the job when no executor has declared it and no history has referred to it for the
//! whole retention; then the engine forgets it too. If code declares it after that, it is a new
//! job.

use fastjob_core::JobId;
use jiff::{SignedDuration, Timestamp};

use crate::{engine::Engine, event::Now};

/// How often at most a declaration updates the date of a deleted job.
const DATED_EVERY: SignedDuration = SignedDuration::from_hours(24);

impl Engine {
    /// Code declares a deleted job: keep remembering it for another retention.
    pub(super) fn declared_again(&mut self, now: Now, job: JobId) {
        let Some(entry) = self.catalog.get_mut(job) else { return };
        if now.wall.duration_since(entry.updated_at()) >= DATED_EVERY {
            entry.date(now.wall);
            self.journal.commit().jobs.push(entry.row());
        }
    }

    /// Forgets deleted jobs that the store has removed, if they were dated before `before`. A job
    /// that code has declared since then will be written to the store again.
    pub(crate) fn forget_jobs(&mut self, removed: &[JobId], before: Timestamp) {
        removed.iter().for_each(|id| self.catalog.forget(*id, before));
    }
}
