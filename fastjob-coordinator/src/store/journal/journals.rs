//! The journals that a process writes, and what it knows of transactions that failed.

use std::collections::{BTreeSet, HashMap, HashSet};

use fastjob_core::AttemptId;

use super::Journal;
use crate::store::{Commit, Lease, Partition};

/// How far a partition is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Mark {
    /// The number of the last record of its journal; 0 if there is none.
    pub(in crate::store) seq: i64,
    /// The number of transactions that wrote to it, with or without a record.
    pub(in crate::store) commits: i64,
}

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
    /// How far the store is known to be; `None` before the first transaction under the lease.
    written: Option<Mark>,
    /// The number of transactions including the current one.
    counted: i64,
    /// Whether the store has lost some of them: nothing is written under this lease any more.
    is_lost: bool,
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
    pub(super) fn live(&self, partition: Partition) -> &Journal {
        self.of[&partition].journal.as_ref().unwrap()
    }

    /// Prepares for commits: returns those of their partitions whose journals have to be replayed
    /// first, with their leases. A journal to which a transaction was applied that was not written
    /// for certain is one of them.
    pub(in crate::store) fn missing(&mut self, commits: &[Commit]) -> BTreeSet<Lease> {
        let mut missing = BTreeSet::new();
        for commit in commits {
            let of = self.of(commit.lease);
            if let Some(planned) = of.under_way.take() {
                of.journal = None;
                of.doubtful.extend(planned);
            }
            if of.journal.is_none() {
                missing.insert(commit.lease);
            }
        }
        missing
    }

    /// Notes how far the store is when an engine is loaded from it, so that a loss before the first
    /// commit is noticed. Only for stores in which a lease does not end with such a loss.
    pub(in crate::store) fn loaded(&mut self, lease: Lease, stored: Mark) {
        let of = self.of(lease);
        if of.written.is_none() && !of.is_lost {
            of.written = Some(stored);
        }
    }

    /// Whether the store is as far as it is known to be. If not, it has lost transactions: it was
    /// restored, or replaced by a copy that was behind. `stored` is read in the transaction that is
    /// going to write, and does not count it.
    ///
    /// To be called after [`missing`](Self::missing).
    #[must_use]
    pub(in crate::store) fn is_at(&mut self, lease: Lease, stored: Mark) -> bool {
        let of = self.of(lease);
        let is_at = match of.written {
            _ if of.is_lost => false,
            None => true,
            Some(written) if of.journal.is_some() => stored == written,
            // Transactions that failed may have been written.
            Some(written) => stored.seq >= written.seq && stored.commits >= written.commits,
        };
        of.counted = stored.commits + 1;
        if !is_at {
            *of = Writable { term: lease.term, is_lost: true, ..Writable::default() };
        }
        is_at
    }

    /// How far the store has to be for the next commit under a lease; `None` if the journal has to be
    /// replayed first.
    pub(in crate::store) fn mark(&mut self, lease: Lease) -> Option<Mark> {
        let of = self.of(lease);
        of.written.filter(|_| of.journal.is_some())
    }

    /// Keeps a journal that was replayed. Returns whether it has all records that were written: if
    /// not, the store has lost some, and the journal is not kept.
    #[must_use]
    pub(in crate::store) fn keep(&mut self, lease: Lease, journal: Journal) -> bool {
        let of = self.of(lease);
        let is_whole = of.written.is_none_or(|written| journal.last_seq() >= written.seq);
        if is_whole && of.counted > 0 {
            // A transaction that failed may have been written: the store is known to be here now,
            // whatever happens to the current one.
            of.written = Some(Mark { seq: journal.last_seq(), commits: of.counted - 1 });
        }
        of.journal = Some(journal).filter(|_| is_whole);
        is_whole
    }

    /// What is known under a lease; nothing if it is another one than before.
    fn of(&mut self, lease: Lease) -> &mut Writable {
        let of = self.of.entry(lease.partition).or_default();
        if of.term != lease.term {
            *of = Writable { term: lease.term, ..Writable::default() };
        }
        of
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
            if let Some(journal) = &of.journal {
                of.written = Some(Mark { seq: journal.last_seq(), commits: of.counted });
            }
            if !of.doubtful.is_empty() {
                for attempt in planned(commit) {
                    of.doubtful.remove(&attempt);
                }
            }
        }
    }

    /// Forgets the journals of leases that have ended, unless this process has a later one.
    #[cfg(feature = "postgres")]
    pub(in crate::store) fn forget(&mut self, over: &[Lease]) {
        for lease in over {
            if self.of.get(&lease.partition).is_some_and(|of| of.term <= lease.term) {
                self.of.remove(&lease.partition);
            }
        }
    }
}

fn planned(commit: &Commit) -> impl Iterator<Item = AttemptId> {
    commit.planned.iter().map(|new| new.row.attempt)
}
