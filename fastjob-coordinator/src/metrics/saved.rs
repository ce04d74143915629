//! How often this node has saved something that lists show. Live pages compare these numbers: a list is
//! outdated from the moment when what it shows is durable, and not when it is decided.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use fastjob_engine::record::Commit;

/// Counts of what is durable. Each only grows, and says nothing but that something has changed.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    jobs: AtomicU64,
    tasks: AtomicU64,
    alarms: AtomicU64,
}

impl Saved {
    /// Counts what a transaction has saved, after it has ended: readers see it.
    pub(crate) fn count(&self, commits: &[Commit]) {
        let (mut jobs, mut tasks, mut alarms) = (0, 0, 0);
        for commit in commits {
            jobs += commit.jobs.len();
            tasks += commit.planned.len()
                + commit.cancelled.len()
                + commit.spread.len()
                + commit.placed.len()
                + commit.ended.len()
                + commit.moved.len()
                + commit.notes.len();
            alarms += commit.alarms.len();
        }
        for (sum, more) in [(&self.jobs, jobs), (&self.tasks, tasks), (&self.alarms, alarms)] {
            if more > 0 {
                sum.fetch_add(more as u64, Relaxed);
            }
        }
    }

    /// The store has recorded what became of alarms: sent, silenced, failed or abandoned.
    pub(crate) fn alarms(&self) {
        self.alarms.fetch_add(1, Relaxed);
    }

    /// Of jobs, tasks and alarms, how often they were saved.
    pub(crate) fn read(&self) -> [u64; 3] {
        [&self.jobs, &self.tasks, &self.alarms].map(|sum| sum.load(Relaxed))
    }
}
