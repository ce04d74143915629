//! The store of the simulated world: the commits of a node become durable in order, in
//! transactions. A transaction may fail, or its answer may be lost. Then the node writes the same
//! commits again.

use std::collections::{BTreeMap, BTreeSet};

use fastjob_core::AttemptId;
use rand::RngExt;

use super::{model::Row, shape::Feature, store::Fate, world::World};
use crate::{
    CommitId, Event,
    record::{Commit, Lease},
};

/// Most commits in one transaction.
const GROUP: usize = 8;

/// A commit that was handed over and is not acknowledged.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) lease: Lease,
    pub(super) id: CommitId,
    pub(super) commit: Commit,
    /// The failed transaction that it was in, by number; 0 if there was none.
    tried: u64,
    /// Whether it is durable, and the answer was lost.
    durable: bool,
}

impl Pending {
    pub(super) fn new(lease: Lease, id: CommitId, commit: Commit) -> Self {
        Self { lease, id, commit, tried: 0, durable: false }
    }
}

impl World {
    pub(super) fn commit(&mut self, m: usize, twice: bool) {
        let node = &self.nodes[m];
        if !node.is_awake(self.uptime) || !node.reaches || node.pending.is_empty() {
            return;
        }
        let count = self.next_transaction(m);
        if !twice {
            let fate = self.fate();
            self.write(m, count, fate);
        } else if self.write(m, count, Fate::Unanswered) {
            self.write(m, count, Fate::Written);
        }
    }

    /// How many of the node's commits its next transaction writes. A transaction that failed is
    /// repeated as a whole. If nothing of it was written, it may be halved.
    fn next_transaction(&mut self, m: usize) -> usize {
        let pending = &mut self.nodes[m].pending;
        let Some((tried, durable)) = pending.front().map(|first| (first.tried, first.durable))
        else {
            return 0;
        };
        if tried == 0 && !self.shape.has(Feature::Transactions) {
            return 1;
        }
        let count = pending.iter().take_while(|next| next.tried == tried).count();
        if tried == 0 {
            let most = if self.luck.random_bool(0.7) { 1 } else { count.min(GROUP) };
            return self.luck.random_range(1..=most);
        }
        if count > 1 && !durable && self.luck.random_bool(0.2) {
            self.transactions += 1;
            for later in pending.range_mut(count / 2..count) {
                later.tried = self.transactions;
            }
            return count / 2;
        }
        count
    }

    fn fate(&mut self) -> Fate {
        if self.resting || !self.shape.has(Feature::Transactions) {
            return Fate::Written;
        }
        match self.luck.random_range(0..100) {
            0..5 => Fate::Unanswered,
            5..8 => Fate::LostAtCommit,
            8..10 => Fate::LostAtStart,
            _ => Fate::Written,
        }
    }

    /// Writes the oldest commits of a node in one transaction. Returns whether they are durable.
    fn write(&mut self, m: usize, count: usize, fate: Fate) -> bool {
        let mut commits = Vec::with_capacity(count);
        let mut ids = Vec::with_capacity(count);
        for next in self.nodes[m].pending.drain(..count) {
            commits.push(next.commit);
            ids.push((next.lease, next.id, next.tried, next.durable));
        }
        let leases: BTreeSet<_> = ids.iter().map(|(lease, ..)| *lease).collect();
        let over: BTreeSet<_> =
            leases.into_iter().filter(|lease| !self.store.holds(*lease)).collect();
        self.see_transaction(m, &commits, fate, &over);
        let is_written = over.is_empty() && fate.is_written();
        if is_written {
            let durable: Vec<_> = ids.iter().map(|(.., durable)| *durable).collect();
            self.make_durable(&commits, &durable);
        }
        if is_written && fate == Fate::Written {
            self.acknowledge(m, ids.into_iter().map(|(lease, id, ..)| (lease, id)));
            return true;
        }
        if over.is_empty() && ids.iter().any(|(_, _, tried, _)| *tried == 0) {
            self.transactions += 1;
        }
        let node = &mut self.nodes[m];
        for ((lease, id, tried, durable), commit) in ids.into_iter().zip(commits).rev() {
            let tried = match tried {
                0 if over.is_empty() => self.transactions,
                tried => tried,
            };
            let durable = durable || is_written;
            node.pending.push_front(Pending { lease, id, commit, tried, durable });
        }
        // Fenced: another node owns the partition, so no commit of this lease is written any more.
        node.pending.retain(|next| !over.contains(&next.lease));
        node.engines.retain(|_, running| !over.contains(&running.lease));
        is_written
    }

    /// Notifies the engines whose commits were written.
    fn acknowledge(&mut self, m: usize, written: impl Iterator<Item = (Lease, CommitId)>) {
        let mut by_lease: BTreeMap<Lease, Vec<CommitId>> = BTreeMap::new();
        for (lease, id) in written {
            by_lease.entry(lease).or_default().push(id);
        }
        for (lease, ids) in by_lease {
            let here = self.nodes[m].engines.get(&lease.partition).map(|running| running.lease);
            if here == Some(lease) {
                self.notify(m, lease.partition, Event::Committed(ids));
            }
        }
        self.finish_release(m);
    }

    pub(super) fn commit_node(&mut self, m: usize) {
        while !self.nodes[m].pending.is_empty() {
            let before = self.nodes[m].pending.len();
            self.commit(m, false);
            if self.nodes[m].pending.len() >= before && !self.nodes[m].reaches {
                return;
            }
        }
    }

    pub(super) fn commit_all(&mut self) {
        for m in 0..self.nodes.len() {
            if self.nodes[m].is_awake(self.uptime) {
                self.commit_node(m);
            }
        }
    }

    /// The process of a node ends after it has handed these commits to the database, in one
    /// transaction or in one each. A transaction that failed is repeated as a whole.
    pub(super) fn write_last(&mut self, m: usize, mut last: Vec<Pending>) {
        last.retain(|next| self.store.holds(next.lease));
        let at_once = self.luck.random_bool(0.5);
        let is_one = |next: &Pending, later: &Pending| {
            at_once || (next.tried != 0 && next.tried == later.tried)
        };
        let sizes: Vec<_> = last.chunk_by(is_one).map(<[_]>::len).collect();
        let mut last = last.into_iter();
        for size in sizes {
            let (commits, durable): (Vec<_>, Vec<_>) =
                last.by_ref().take(size).map(|next| (next.commit, next.durable)).unzip();
            self.see_transaction(m, &commits, Fate::Unanswered, &BTreeSet::new());
            self.make_durable(&commits, &durable);
        }
    }

    /// Applies commits to the model. `durable` says which are written again.
    fn make_durable(&mut self, commits: &[Commit], durable: &[bool]) {
        let are_known = durable.iter().all(|durable| *durable);
        let before = are_known.then(|| self.touched(commits));
        for (commit, durable) in commits.iter().zip(durable) {
            if !durable {
                self.witness.see_commit(commit, &self.store);
            }
            self.store.apply(commit);
        }
        if let Some(before) = before {
            let same = before == self.touched(commits);
            assert!(same, "a commit that was sent again changed something");
        }
    }

    /// The number of rows, and the rows that the commits may change.
    fn touched(&self, commits: &[Commit]) -> (usize, BTreeMap<AttemptId, Option<Row>>) {
        let mut ids: BTreeSet<AttemptId> = BTreeSet::new();
        for commit in commits {
            ids.extend(commit.planned.iter().map(|new| new.row.attempt));
            ids.extend(&commit.cancelled);
            ids.extend(commit.spread.iter().map(|spread| spread.task.first_attempt()));
            ids.extend(commit.placed.iter().map(|placed| placed.attempt));
            for ended in &commit.ended {
                ids.extend([ended.attempt, ended.task.first_attempt()]);
            }
            ids.extend(commit.moved.iter().map(|moved| moved.task.first_attempt()));
            ids.extend(commit.notes.iter().map(|(task, _)| task.first_attempt()));
        }
        let row = |id: AttemptId| (id, self.store.attempts.get(&id).cloned());
        (self.store.attempts.len(), ids.into_iter().map(row).collect())
    }
}
