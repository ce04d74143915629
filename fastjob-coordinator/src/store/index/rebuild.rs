//! Rebuilds the index from the history.

use std::collections::BTreeMap;

use super::{Ended, NewSegment, Partition};

/// Tasks of one segment.
const TASKS: usize = 20_000;
/// The number of the first segment. Those of transactions are positive.
const FIRST: i64 = -(1 << 53);
/// The level of the segments, so that they are merged by their number of tasks.
const LEVEL: i16 = 1;

/// Collects tasks into segments.
#[derive(Debug)]
pub(in crate::store) struct Rebuild {
    partitions: u32,
    open: BTreeMap<Partition, Vec<Ended>>,
    next: i64,
}

impl Rebuild {
    /// For a store with so many partitions.
    pub(in crate::store) fn new(partitions: u32) -> Self {
        Self { partitions, open: BTreeMap::new(), next: FIRST }
    }

    /// Adds tasks, and returns the segments that are complete, each computed when it is taken: all of
    /// them together would take long in a transaction that waits.
    pub(in crate::store) fn add(&mut self, ended: Vec<Ended>) -> impl Iterator<Item = NewSegment> {
        let mut complete = Vec::new();
        for end in ended {
            // A task is in the partition of its job.
            let partition = Partition::of_id(end.job.0, self.partitions);
            let open = self.open.entry(partition).or_default();
            open.push(end);
            if open.len() >= TASKS {
                complete.push((partition, std::mem::take(open)));
            }
        }
        complete.into_iter().filter_map(|(partition, ended)| self.segment(partition, &ended))
    }

    /// The segments of the remaining tasks, each computed when it is taken.
    pub(in crate::store) fn finish(mut self) -> impl Iterator<Item = NewSegment> {
        let open = std::mem::take(&mut self.open);
        open.into_iter().filter_map(move |(partition, ended)| self.segment(partition, &ended))
    }

    fn segment(&mut self, partition: Partition, ended: &[Ended]) -> Option<NewSegment> {
        let mut new = NewSegment::new(partition, self.next, ended)?;
        new.segment.level = LEVEL;
        self.next += 1;
        Some(new.with_hours())
    }
}
