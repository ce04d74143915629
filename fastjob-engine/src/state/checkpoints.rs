//! Checkpoints that are not durable yet: for each shard, at most one is being written and one
//! waits.
//!
//! So a slow or unavailable store costs only the memory for the latest checkpoint of each open
//! attempt.

use std::{collections::BTreeMap, sync::Arc};

use fastjob_core::TaskId;

use crate::{
    maps::Set,
    record::{Checkpoint, Commit},
};

/// A shard of a task.
pub(crate) type Part = (TaskId, u32);

/// The checkpoints that are not durable.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    /// The latest checkpoint of each shard, if it was not handed over yet.
    latest: BTreeMap<Part, Arc<str>>,
    /// Shards with a checkpoint that was handed over and is not durable.
    in_flight: Set<Part>,
}

impl Checkpoints {
    /// Records that a shard has reached this checkpoint.
    pub(crate) fn reach(&mut self, part: Part, value: Arc<str>) {
        self.latest.insert(part, value);
    }

    /// Removes and returns the checkpoint of a shard, if it was not handed over yet.
    pub(crate) fn take(&mut self, part: Part) -> Option<Arc<str>> {
        self.latest.remove(&part)
    }

    /// Adds the checkpoints that can be written to the commit, and returns their shards.
    pub(super) fn hand_over(&mut self, commit: &mut Commit) -> Vec<Part> {
        if self.latest.is_empty() {
            return Vec::new();
        }
        let Self { latest, in_flight } = self;
        let ready = latest.extract_if(.., |part, _| in_flight.insert(*part));
        let row = |((task, shard), value)| Checkpoint { task, shard, value };
        let first = commit.checkpoints.len();
        commit.checkpoints.extend(ready.map(row));
        commit.checkpoints[first..].iter().map(|row| (row.task, row.shard)).collect()
    }

    /// Records that the checkpoints of these shards are durable.
    pub(super) fn written(&mut self, parts: &[Part]) {
        for part in parts {
            self.in_flight.remove(part);
        }
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn len(&self) -> usize {
        self.latest.len() + self.in_flight.len()
    }
}
