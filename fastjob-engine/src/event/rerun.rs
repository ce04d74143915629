//! What a caller asks for to run a task again.

use std::sync::Arc;

use fastjob_core::{Cause, ExecutorName, JobId, TaskId, Trace, shard::ShardStrategy};
use jiff::Timestamp;

use crate::state::keys::StartKey;

/// A rerun of a task that has ended: a new task of the same job, by the definition that the job has
/// now. The caller has read the old task in the store, which is final.
#[derive(Clone, Debug)]
pub struct Rerun {
    /// The task that has ended.
    pub task: TaskId,
    /// Its job.
    pub job: JobId,
    /// Who starts the new task: `Manual` or `Api`.
    pub cause: Cause,
    /// The fire that the old task stood for. The new one stands for the same.
    pub fire_at: Option<Timestamp>,
    /// The new task's own param; `None` if the job's param applies.
    pub param: Option<Arc<str>>,
    /// The only executor that may run it; `None` leaves the choice to the job's route. Not together
    /// with `part`.
    pub executor: Option<ExecutorName>,
    /// Which shards run again; `None` if the task runs as a whole.
    pub part: Option<Part>,
    /// The idempotency key, as in [`Start::key`](super::Start::key).
    pub key: Option<StartKey>,
    /// The trace that the start is part of; `None` if it is part of none.
    pub trace: Option<Trace>,
}

/// Some shards of a task, with their places in the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    total: u32,
    shards: Vec<(u32, Option<ExecutorName>)>,
}

impl Part {
    /// These shards of a task with `total`, each with the executor that had it. `None` if there are
    /// none, if they are not ascending, or if `total` is not that of several shards.
    pub fn new(total: u32, shards: Vec<(u32, Option<ExecutorName>)>) -> Option<Self> {
        let is_total = (2..=ShardStrategy::MOST).contains(&total);
        let are_ascending = shards.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let last = shards.last().map(|(index, _)| *index)?;
        (is_total && are_ascending && last < total).then_some(Self { total, shards })
    }

    /// The number of shards of the whole task.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// The shards by index, each with the executor that had it.
    pub fn shards(&self) -> &[(u32, Option<ExecutorName>)] {
        &self.shards
    }

    /// The indexes of the shards, ascending.
    pub fn indexes(&self) -> Box<[u32]> {
        self.shards.iter().map(|(index, _)| *index).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Part;

    #[test]
    fn a_part_has_ascending_shards_of_a_task_with_several() {
        let of = |total, shards: &[u32]| {
            Part::new(total, shards.iter().map(|index| (*index, None)).collect())
        };
        assert_eq!(*of(4, &[1, 3]).unwrap().indexes(), [1, 3]);
        assert!(of(2, &[0, 1]).is_some(), "all of them");
        for (total, shards) in [
            (4, &[][..]),
            (4, &[1, 1]),
            (4, &[3, 1]),
            (4, &[4]),
            (1, &[0]),
            (0, &[]),
            (1_001, &[0]),
        ] {
            assert_eq!(of(total, shards), None, "{shards:?} of {total}");
        }
    }
}
