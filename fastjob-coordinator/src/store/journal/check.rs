//! What the simulation checks of a journal.

use std::collections::BTreeMap;

use fastjob_core::TaskId;

use super::{Cleaning, Journal, Journals, OpenTask};
use crate::store::Partition;

impl Journal {
    /// The same journal, cleaned as `cleaning` says.
    pub(in crate::store) fn cleaned_by(mut self, cleaning: Cleaning) -> Self {
        self.cleaning = cleaning;
        self
    }

    /// What is open, without what only the writer knows.
    pub(super) fn shown(&self) -> BTreeMap<TaskId, OpenTask> {
        let plain = |(id, task): (TaskId, &OpenTask)| {
            let mut task = OpenTask { ended: Vec::new(), ..task.clone() };
            task.open.sort_by_key(|open| open.row.attempt);
            if task.state.is_final() {
                // It is in the row of the task.
                task.note = None;
            }
            (id, task)
        };
        self.tasks().map(plain).collect()
    }
}

impl Journals {
    /// The size of a journal in bytes, and the size up to which it is not cleaned.
    pub(in crate::store) fn sizes(&mut self, partition: Partition) -> Option<(usize, usize)> {
        let journal = self.journal(partition)?;
        Some((journal.bytes, 2 * journal.open_bytes + journal.cleaning.small))
    }

    /// How the journal in memory differs from the one that is stored; `None` if it does not, or if
    /// it has to be replayed.
    pub(in crate::store) fn difference(
        &mut self,
        partition: Partition,
        stored: &Journal,
    ) -> Option<String> {
        let live = self.journal(partition)?;
        let (ours, theirs) = (live.shown(), stored.shown());
        if ours != theirs {
            let differs = |id: &&TaskId| ours.get(*id) != theirs.get(*id);
            let id = ours.keys().chain(theirs.keys()).find(differs)?;
            return Some(format!(
                "task {id} is {:?} in memory and {:?} in the store",
                ours.get(id),
                theirs.get(id)
            ));
        }
        if live.others != stored.others {
            return Some(format!("{:?} in memory, {:?} stored", live.others, stored.others));
        }
        let counts = |journal: &Journal| {
            let records: Vec<_> = journal.records.iter().map(|it| (it.seq, it.bytes)).collect();
            (journal.attempts, journal.bytes, journal.open_bytes, records)
        };
        let (ours, theirs) = (counts(live), counts(stored));
        (ours != theirs).then(|| {
            format!(
                "attempts, bytes, open bytes and records are {ours:?} in memory and {theirs:?} in \
                 the store"
            )
        })
    }
}
