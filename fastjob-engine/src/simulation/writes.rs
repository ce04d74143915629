//! The store of the simulated world: commits become durable, in order, or are rejected.

use super::world::World;
use crate::{Event, record::Commit};

impl World {
    pub(super) fn commit(&mut self, m: usize, twice: bool) {
        let node = &mut self.nodes[m];
        if !node.is_awake(self.uptime) || !node.reaches {
            return;
        }
        let Some((lease, id, commit)) = node.pending.pop_front() else { return };
        if !self.store.holds(lease) {
            // Fenced: another node owns the partition, so no commit of this lease is written any
            // more.
            node.pending.retain(|(other, _, _)| *other != lease);
            node.engines.retain(|_, running| running.lease != lease);
            return;
        }
        self.make_durable(&commit);
        if twice {
            let before = self.store.attempts.clone();
            self.store.apply(&commit);
            let same = before == self.store.attempts;
            assert!(same, "a commit that was sent again changed something");
        }
        let here = self.nodes[m].engines.get(&lease.partition).map(|running| running.lease);
        if here == Some(lease) {
            self.notify(m, lease.partition, Event::Committed(vec![id]));
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

    pub(super) fn make_durable(&mut self, commit: &Commit) {
        self.witness.see_commit(commit, &self.store);
        self.store.apply(commit);
    }
}
