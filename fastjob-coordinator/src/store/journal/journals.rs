//! The journals that a process writes, and what it knows of transactions that failed.

use std::collections::{BTreeMap, HashMap, HashSet};

use fastjob_core::AttemptId;

use super::Journal;
use crate::store::{Commit, Partition};

/// The journals that this process writes.
#[derive(Debug, Default)]
pub(in crate::store) struct Journals {
    of: HashMap<Partition, Writable>,
}

/// A journal under one lease.
#[derive(Debug, Default)]
struct Writable {
    term: i64,
    /// `None` if it has to be replayed.
    journal: Option<Journal>,
    /// The number of the last record that is known to be written.
    written: i64,
    /// Attempts planned by a transaction whose result is not known yet; `None` if there is none.
    under_way: Option<Vec<AttemptId>>,
    /// Attempts planned by transactions that may have been written although they failed.
    doubtful: HashSet<AttemptId>,
}

impl Journals {
    /// The journal of a commit's partition, which is going to be ahead of the store.
    pub(super) fn begin(&mut self, commit: &Commit) -> Option<&mut Journal> {
        let of = self.of.get_mut(&commit.lease.partition)?;
        of.under_way.get_or_insert_default().extend(planned(commit));
        of.journal.as_mut()
    }

    /// The journal of a partition.
    pub(super) fn journal(&mut self, partition: Partition) -> Option<&mut Journal> {
        self.of.get_mut(&partition)?.journal.as_mut()
    }

    #[cfg(test)]
    pub(super) fn of(&self, partition: Partition) -> &Journal {
        self.of[&partition].journal.as_ref().unwrap()
    }

    /// Prepares for commits: returns those of their partitions whose journals have to be replayed
    /// first, with their terms. A journal to which a transaction was applied that was not written
    /// for certain is one of them.
    pub(in crate::store) fn missing(&mut self, commits: &[Commit]) -> BTreeMap<Partition, i64> {
        let mut missing = BTreeMap::new();
        for commit in commits {
            let (partition, term) = (commit.lease.partition, commit.lease.term);
            let of = self.of.entry(partition).or_default();
            if of.term != term {
                *of = Writable { term, ..Writable::default() };
            }
            if let Some(planned) = of.under_way.take() {
                of.journal = None;
                of.doubtful.extend(planned);
            }
            if of.journal.is_none() {
                missing.insert(partition, term);
            }
        }
        missing
    }

    /// Keeps a journal that was replayed. Returns whether it has all records that were written:
    /// if not, the database has lost some.
    #[must_use]
    pub(in crate::store) fn keep(
        &mut self,
        partition: Partition,
        term: i64,
        journal: Journal,
    ) -> bool {
        let of = self.of.entry(partition).or_default();
        if of.term != term {
            *of = Writable { term, ..Writable::default() };
        }
        let is_whole = journal.last_seq() >= of.written;
        of.journal = Some(journal);
        is_whole
    }

    /// Whether a journal that was replayed ends with this record of the store.
    pub(in crate::store) fn is_current(&self, partition: Partition, seq: i64) -> bool {
        let journal = self.of.get(&partition).and_then(|of| of.journal.as_ref());
        journal.is_none_or(|journal| journal.last_seq() == seq)
    }

    /// The planned attempts of these commits that an earlier, failed transaction may have written:
    /// those that have ended since are in the history.
    pub(in crate::store) fn doubtful(&self, commits: &[Commit]) -> Vec<i64> {
        let mut found = Vec::new();
        for commit in commits {
            let Some(of) = self.of.get(&commit.lease.partition) else { continue };
            if !of.doubtful.is_empty() {
                let ids = planned(commit).filter(|attempt| of.doubtful.contains(attempt));
                found.extend(ids.map(|attempt| attempt.0));
            }
        }
        found
    }

    /// Notes that the commits were written.
    pub(in crate::store) fn written(&mut self, commits: &[Commit]) {
        for commit in commits {
            let Some(of) = self.of.get_mut(&commit.lease.partition) else { continue };
            of.under_way = None;
            of.written = of.journal.as_ref().map_or(of.written, Journal::last_seq);
            if !of.doubtful.is_empty() {
                for attempt in planned(commit) {
                    of.doubtful.remove(&attempt);
                }
            }
        }
    }

    /// Forgets the journals of partitions.
    #[cfg(feature = "postgres")]
    pub(in crate::store) fn forget(&mut self, partitions: impl IntoIterator<Item = Partition>) {
        for partition in partitions {
            self.of.remove(&partition);
        }
    }
}

fn planned(commit: &Commit) -> impl Iterator<Item = AttemptId> {
    commit.planned.iter().map(|new| new.row.attempt)
}
