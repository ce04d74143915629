//! Nodes in the simulated world: they renew their leases, acquire and release partitions, crash,
//! shut down gracefully, and restart.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{node::Node, shape::Feature, world::World, writes::Pending};
use crate::{
    Effects, Event,
    record::{Lease, Partition},
};

/// How long the database considers a node alive after its last heartbeat.
pub(super) const LEASE: Duration = Duration::from_secs(3);
/// How long the node considers itself alive. This is shorter, because its clock may be slow.
pub(super) const OWN_LEASE: Duration = Duration::from_millis(2_700);

/// The maximum number of reads of children that a node has not delivered.
const READS_MOST: usize = 6;

impl World {
    /// A node renews its lease, acquires its share of the free partitions, releases those above its
    /// share, and reads children to start.
    pub(super) fn beat(&mut self, m: usize) {
        let node = &mut self.nodes[m];
        if self.shape.nodes == 1 || !node.is_awake(self.uptime) || !node.reaches {
            return;
        }
        if !node.may_act(self.uptime) {
            // Its deadline has passed: all its engines end before it is renewed.
            node.engines.clear();
        }
        node.deadline = Some(node.uptime(self.uptime) + OWN_LEASE);
        let now = self.database_now();
        let lease = SignedDuration::try_from(LEASE).unwrap_or_default();
        self.store.alive_until.insert(m, now + lease);
        self.read_drained(m);
        if self.nodes[m].stopping {
            return self.finish_release(m);
        }
        let uptime = self.nodes[m].uptime(self.uptime);
        let looked_at = std::mem::replace(&mut self.nodes[m].looked_at, self.uptime);
        let alive = self.nodes[m].observer.look(&self.store.alive_until, now, uptime);
        let seen = self.look(m, now);
        let count = alive.len().max(1);
        let share = (self.shape.partitions as usize).div_ceil(count);
        let free: Vec<_> = self
            .store
            .holders
            .iter()
            .filter(|(partition, (_, holder))| {
                let held = self.nodes[m].engines.contains_key(partition);
                !held && holder.is_none_or(|holder| holder == m || !alive.contains(&holder))
            })
            .map(|(partition, _)| *partition)
            .collect();
        for partition in free {
            if self.nodes[m].kept() < share {
                self.acquire(m, partition, &seen, looked_at);
            }
        }
        for (partition, (_, holder)) in &mut self.store.holders {
            if *holder == Some(m) && !self.nodes[m].engines.contains_key(partition) {
                *holder = None; // its engine has ended, and it is no longer assigned to this node
            }
        }
        while self.nodes[m].kept() > share {
            let kept = self.nodes[m].engines.iter().filter(|(_, running)| !running.retiring);
            let Some(partition) = kept.map(|(partition, _)| *partition).next_back() else { break };
            self.release(m, partition);
        }
        self.finish_release(m);
        let held: Vec<_> = self.nodes[m].engines.values().map(|running| running.lease).collect();
        for lease in held {
            let children = self.store.children_of(lease.partition);
            if children.is_empty() {
                continue;
            }
            let read_at = self.nodes[m].uptime(self.uptime);
            if self.shape.has(Feature::StaleReads) && !self.resting {
                // A second read with the same result arrives later.
                let reads = &mut self.nodes[m].reads;
                if reads.len() < READS_MOST {
                    reads.push_back((lease.partition, children.clone(), read_at));
                }
            }
            self.notify(m, lease.partition, Event::ChildStarts(children, read_at));
        }
    }

    /// Returns which nodes were alive at the node's earlier checks of the database, and since when.
    fn look(&mut self, m: usize, now: SignedDuration) -> BTreeMap<usize, Duration> {
        let before = std::mem::take(&mut self.nodes[m].seen);
        let alive = self.store.alive_until.iter().filter(|(_, until)| **until > now);
        let since = |node: &usize| before.get(node).copied().unwrap_or(self.uptime);
        self.nodes[m].seen = alive.map(|(node, _)| (*node, since(node))).collect();
        before
    }

    /// Acquires a partition; `seen` and `looked_at` are the result and the time of the previous
    /// check.
    fn acquire(
        &mut self,
        m: usize,
        partition: Partition,
        seen: &BTreeMap<usize, Duration>,
        looked_at: Duration,
    ) {
        let Some((term, from)) = self.store.holders.get(&partition).copied() else { return };
        let lease = Lease { partition, term: term + 1 };
        if let Some(from) = from.filter(|from| *from != m && self.acts(*from, partition)) {
            let could_know =
                seen.get(&from).is_some_and(|since| self.is_noticed(*since, looked_at));
            assert!(!could_know, "node {m} takes {partition:?} from node {from}, which acts on it");
            self.witness.unknowing.insert(partition, lease.term);
        }
        self.store.holders.insert(partition, (lease.term, Some(m)));
        if let Some(beside) = &mut self.beside {
            beside.acquire(lease);
        }
        self.run_engine(m, lease);
    }

    /// Whether a node acts on a partition, or would if it resumed now.
    fn acts(&self, m: usize, partition: Partition) -> bool {
        let node = &self.nodes[m];
        node.up && node.may_act(self.uptime) && node.engines.contains_key(&partition)
    }

    /// Releases a partition, after everything that was decided is written.
    fn release(&mut self, m: usize, partition: Partition) {
        self.retire(m, partition);
        if !self.shape.has(Feature::Handovers) {
            self.commit_node(m);
            self.give_back(m, partition);
        }
    }

    fn retire(&mut self, m: usize, partition: Partition) {
        let now = self.now(m);
        let node = &mut self.nodes[m];
        let Some(running) = node.engines.get_mut(&partition) else { return };
        running.retiring = true;
        let mut effects = Effects::default();
        running.engine.retire(now, &mut effects);
        let lease = running.lease;
        let commits = effects.commits.into_iter();
        node.pending.extend(commits.map(|(id, commit)| Pending::new(lease, id, commit)));
    }

    fn give_back(&mut self, m: usize, partition: Partition) {
        if self.nodes[m].engines.remove(&partition).is_some()
            && let Some(holder) = self.store.holders.get_mut(&partition)
        {
            holder.1 = None;
        }
    }

    /// Releases the partitions whose last commits are durable, and stops a node that has none left.
    pub(super) fn finish_release(&mut self, m: usize) {
        let node = &self.nodes[m];
        if !node.is_awake(self.uptime) || !node.reaches {
            return;
        }
        let written = node.engines.iter().filter(|(_, running)| {
            running.retiring && running.stalled.is_none() && running.engine.is_written()
        });
        let written: Vec<_> = written.map(|(partition, _)| *partition).collect();
        for partition in written {
            self.give_back(m, partition);
        }
        let node = &self.nodes[m];
        if node.stopping && node.engines.is_empty() {
            self.end_streams(m);
            self.go_down(m);
        }
    }

    /// Ends the streams of a node that shuts down, after the messages that it sent.
    fn end_streams(&mut self, m: usize) {
        for n in 0..self.executors.len() {
            while !self.executors[n].is_suspended()
                && !self.executors[n].links[m].inbound.is_empty()
            {
                self.deliver(n, m);
            }
        }
    }

    /// Shuts a node down gracefully: it releases all partitions, and its streams end.
    pub(super) fn stop_node(&mut self, m: usize) {
        if !self.nodes[m].is_awake(self.uptime) {
            return;
        }
        if self.shape.nodes == 1 {
            self.retire(m, Partition::default());
            self.commit_node(m);
            self.end_streams(m);
            self.go_down(m);
            self.pass_unheard(200);
            self.start_node(m);
            return;
        }
        self.nodes[m].stopping = true;
        let held: Vec<_> = self.nodes[m].engines.keys().copied().collect();
        for partition in held {
            self.release(m, partition);
        }
        self.finish_release(m);
    }

    fn go_down(&mut self, m: usize) {
        self.nodes[m].engines.clear();
        self.nodes[m].pending.clear();
        if let Some(beside) = &mut self.beside {
            beside.end_process(m);
        }
        for executor in &mut self.executors {
            executor.cut(m);
        }
        self.nodes[m].up = false;
    }

    pub(super) fn crash_node(&mut self, m: usize, dice: &mut SmallRng) {
        let node = &mut self.nodes[m];
        if !node.up {
            return;
        }
        node.engines.clear();
        // Some of the commits that were handed over become durable, and their answers are lost.
        let pending = std::mem::take(&mut node.pending);
        let durable = if node.reaches { dice.random_range(0..=pending.len()) } else { 0 };
        self.write_last(m, pending.into_iter().take(durable).collect());
        self.forget_disabled();
        self.go_down(m);
        self.see_store();
        if self.shape.nodes == 1 {
            // Down briefly, or long enough for misfires.
            let down = if dice.random_bool(0.3) { 20_000 } else { 1_500 };
            self.pass_unheard(dice.random_range(0..down));
            self.start_node(m);
        }
    }

    pub(super) fn start_node(&mut self, m: usize) {
        let stepped = self.shape.has(Feature::DatabaseSteps)
            && self.uptime < self.database.1 + LEASE
            && !self.resting;
        if self.nodes[m].up || stepped {
            return; // a new node cannot know that the database's clock has just jumped
        }
        let alone = self.shape.nodes == 1;
        let machine = self.machine(m);
        self.nodes[m] = Node::new(m, alone, machine);
        self.wall = if alone { machine } else { self.wall.max(machine) };
        if alone {
            self.run_engine(m, Lease::default());
        }
    }

    /// An engine panics: its node drops all its engines and starts again, in new terms. The commits
    /// that they handed over are still being written.
    pub(super) fn panic(&mut self, m: usize) {
        if !self.nodes[m].is_awake(self.uptime) {
            return;
        }
        if self.shape.nodes == 1 {
            let seed = self.events;
            return self.crash_node(m, &mut SmallRng::seed_from_u64(seed));
        }
        self.nodes[m].engines.clear();
    }

    /// The store is restored from an earlier copy, and everything on the node restarts from it.
    /// Executors keep what they hold and remember.
    pub(super) fn restore(&mut self) {
        let Some(backup) = self.backup.clone() else { return };
        self.go_down(0);
        self.forget_disabled();
        self.store = backup;
        if let Some(beside) = &mut self.beside {
            beside.restore();
        }
        self.see_store();
        self.witness.see_restore(&self.store, &self.executors);
        for executor in &mut self.executors {
            let waiting = executor.waiting().map(|start| start.row.attempt);
            let held: Vec<_> = executor.running.keys().copied().chain(waiting).collect();
            executor.excused.extend(held);
            // The restored store does not know them or their seats.
            executor.ghosts.clear();
        }
        self.pass_unheard(500);
        self.start_node(0);
    }

    /// Delivers children to start that were read earlier, perhaps for the previous engine: the
    /// engine itself must detect that the read is too old.
    pub(super) fn deliver_read(&mut self, m: usize) {
        if let Some((partition, children, read_at)) = self.nodes[m].reads.pop_front() {
            self.notify(m, partition, Event::ChildStarts(children, read_at));
        }
    }
}
