//! What the engine keeps for as long as the store does, and what it tells the sweep of it.
//!
//! A deleted job is remembered so that the code that declares it does not bring it back. The store
//! removes it once no executor has declared it and no history has referred to it for the whole
//! retention; then the engine forgets it too. If code declares it after that, it is a new job.

use fastjob_core::JobId;
use jiff::{SignedDuration, Timestamp};

use super::{Engine, Now};
use crate::record::LifeId;

/// A deleted job that code declares is dated at most this often.
const DATED_EVERY: SignedDuration = SignedDuration::from_hours(24);

impl Engine {
    /// Code declares a job that was deleted: it is remembered for another retention.
    pub(super) fn declared_again(&mut self, now: Now, job: JobId) {
        let Some(entry) = self.catalog.get_mut(job) else { return };
        if now.wall.duration_since(entry.row().updated_at) >= DATED_EVERY {
            entry.date(now.wall);
            self.commit.jobs.push(entry.row().clone());
        }
    }

    /// The store has removed these deleted jobs, which were dated before `before`. One that code
    /// has declared since then is on its way back to the store.
    pub(super) fn forget_jobs(&mut self, removed: &[JobId], before: Timestamp) {
        removed.iter().for_each(|id| self.catalog.forget(*id, before));
    }

    /// The lives that attempts may be placed on. The sweep leaves them alone.
    pub(super) fn current_lives(&self) -> Vec<LifeId> {
        self.lives.keys().copied().collect()
    }
}
