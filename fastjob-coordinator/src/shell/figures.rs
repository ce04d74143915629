//! What the engines of this node count, for pages that show it live.
//!
//! Each engine's loop adds what has changed since its last step. So a reader never asks an engine,
//! and a loop pays for a few additions per step, however many tasks that was about.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fastjob_engine::{CommitId, EngineFigures};

use crate::store::Commit;

/// The sums over the engines of this node. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures(Arc<Sums>);

#[derive(Debug, Default)]
struct Sums {
    queued: AtomicU64,
    running: AtomicU64,
    ended: AtomicU64,
    failed: AtomicU64,
    jobs: AtomicU64,
    alarms: AtomicU64,
}

/// The sums at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub(crate) struct Sum {
    /// Open tasks that wait.
    pub(crate) queued: u64,
    /// Open tasks that run, or that are stopping.
    pub(crate) running: u64,
    /// Tasks that have ended since the process started.
    pub(crate) ended: u64,
    /// Those of them that failed.
    pub(crate) failed: u64,
    /// Saves and deletions of jobs since the process started.
    pub(crate) jobs: u64,
    /// Alarms that were raised since the process started.
    pub(crate) alarms: u64,
}

impl Figures {
    pub(crate) fn read(&self) -> Sum {
        let read = |sum: &AtomicU64| sum.load(Ordering::Relaxed);
        // Two engines may change them between the reads: a moment with a task too many.
        Sum {
            queued: read(&self.0.queued),
            running: read(&self.0.running),
            ended: read(&self.0.ended),
            failed: read(&self.0.failed),
            jobs: read(&self.0.jobs),
            alarms: read(&self.0.alarms),
        }
    }
}

/// The part of one engine in the sums. Its open tasks leave them with it.
#[derive(Debug)]
pub(super) struct Share {
    sums: Figures,
    last: EngineFigures,
}

impl Share {
    pub(super) fn of(sums: Figures) -> Self {
        Self { sums, last: EngineFigures::default() }
    }

    /// Adds what has changed.
    pub(super) fn update(&mut self, now: EngineFigures) {
        let Sums { queued, running, ended, failed, .. } = &*self.sums.0;
        let last = std::mem::replace(&mut self.last, now);
        for (sum, now, last) in [
            (queued, now.queued, last.queued),
            (running, now.running, last.running),
            (ended, now.ended, last.ended),
            (failed, now.failed, last.failed),
        ] {
            if now != last {
                // A number that has become smaller is added as its complement.
                sum.fetch_add(now.wrapping_sub(last), Ordering::Relaxed);
            }
        }
    }

    /// Counts what commits save besides tasks.
    pub(super) fn count(&self, commits: &[(CommitId, Commit)]) {
        for (_, commit) in commits {
            for (sum, more) in [
                (&self.sums.0.jobs, &commit.jobs.len()),
                (&self.sums.0.alarms, &commit.alarms.len()),
            ] {
                if *more > 0 {
                    sum.fetch_add(*more as u64, Ordering::Relaxed);
                }
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.update(EngineFigures { queued: 0, running: 0, ..self.last });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_tasks_of_an_engine_leave_the_sums_with_it_and_those_that_ended_stay() {
        let sums = Figures::default();
        let (mut one, mut other) = (Share::of(sums.clone()), Share::of(sums.clone()));
        one.update(EngineFigures { queued: 5, running: 2, ended: 0, failed: 0 });
        other.update(EngineFigures { queued: 1, running: 1, ended: 7, failed: 1 });
        one.update(EngineFigures { queued: 3, running: 3, ended: 1, failed: 1 });
        let sum = |queued, running| Sum { queued, running, ended: 8, failed: 2, ..Sum::default() };
        assert_eq!(sums.read(), sum(4, 4));
        drop(other);
        assert_eq!(sums.read(), sum(3, 3));
        drop(one);
        assert_eq!(sums.read(), sum(0, 0));
    }
}
