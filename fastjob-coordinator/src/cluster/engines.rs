//! The partitions that this node holds, and their engines. Routes events to engines.
//!
//! A partition is added when its lease is acquired, so that executors learn that it has an owner.
//! Its engine is added when it is loaded. Messages of executors about the partition are dropped
//! before that: the executors are asked again once the engine has started.

mod executors;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use fastjob_core::{AttemptId, ChannelName};
use fastjob_engine::{CommitId, DrainedSet, Event, SessionId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use self::executors::{Holding, log_noted};
use crate::{
    clock::Clock,
    permit::Deadline,
    shell::EngineHandle,
    store::{self, ChildStart, Lease, Partition, StoreFacts, writer::Health},
};

pub(crate) use crate::shell::Spent;

/// The engines of this node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Engines(Arc<Inner>);

struct Inner {
    facts: StoreFacts,
    clock: Arc<Clock>,
    deadline: Deadline,
    health: watch::Receiver<Health>,
    held: RwLock<BTreeMap<Partition, Held>>,
    /// The executors that users drain. It changes while `held` is locked for writing, so that no
    /// engine misses a change.
    drained: Mutex<Arc<DrainedSet>>,
}

struct Held {
    lease: Lease,
    engine: State,
    /// Ends its loop or its load immediately.
    lost: CancellationToken,
}

enum State {
    Loading(Loading),
    Running(EngineHandle),
}

/// A partition is being loaded until this is dropped.
#[derive(Default)]
pub(super) struct Loading {
    /// Sessions whose [`Holding`] of the partition arrived during the load and was dropped.
    pub(super) dropped: BTreeSet<SessionId>,
    /// `true` once the engine has started; dropped when the load has ended either way.
    over: watch::Sender<bool>,
}

impl Loading {
    /// The engine runs, and the executors whose messages were dropped have been asked again.
    pub(super) fn has_started(self) {
        self.over.send_replace(true);
    }
}

impl Held {
    fn handle(&self) -> Option<&EngineHandle> {
        match &self.engine {
            State::Loading(_) => None,
            State::Running(handle) => Some(handle),
        }
    }
}

impl Engines {
    pub(crate) fn new(
        facts: StoreFacts,
        clock: Arc<Clock>,
        deadline: Deadline,
        health: watch::Receiver<Health>,
    ) -> Self {
        let (held, drained) = (RwLock::default(), Mutex::default());
        Self(Arc::new(Inner { facts, clock, deadline, health, held, drained }))
    }

    pub(crate) fn partitions(&self) -> u32 {
        self.0.facts.partitions
    }

    pub(crate) fn facts(&self) -> &StoreFacts {
        &self.0.facts
    }

    /// The partition of an attempt.
    pub(crate) fn partition_of(&self, attempt: AttemptId) -> Partition {
        Partition::of_id(attempt.0, self.partitions())
    }

    /// The uptime that engines measure time with.
    pub(crate) fn uptime(&self) -> Duration {
        self.0.clock.now().uptime
    }

    /// When the clock resumes, if it is paused because it was set back.
    pub(crate) fn paused_until(&self) -> Option<jiff::Timestamp> {
        self.0.clock.paused_until()
    }

    /// Whether the store accepts writes.
    pub(crate) fn health(&self) -> &watch::Receiver<Health> {
        &self.0.health
    }

    /// The leases of this node, including those of loading partitions; empty once its lease has
    /// expired.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        if !self.may_act() {
            return Vec::new();
        }
        self.read().values().map(|held| held.lease).collect()
    }

    /// Like [`leases`](Self::leases), without partitions that are still loading.
    pub(crate) fn loaded(&self) -> Vec<Lease> {
        if !self.may_act() {
            return Vec::new();
        }
        let held = self.read();
        held.values().filter(|held| held.handle().is_some()).map(|held| held.lease).collect()
    }

    /// The leases of partitions that are still loading.
    pub(crate) fn loading(&self) -> Vec<Lease> {
        if !self.may_act() {
            return Vec::new();
        }
        let held = self.read();
        held.values().filter(|held| held.handle().is_none()).map(|held| held.lease).collect()
    }

    /// The partitions of this node, including those that are still loading.
    #[cfg(test)]
    pub(crate) fn held(&self) -> Vec<Partition> {
        self.read().keys().copied().collect()
    }

    /// Whether this node's lease is valid.
    pub(crate) fn may_act(&self) -> bool {
        self.0.deadline.holds(self.0.clock.elapsed())
    }

    /// Whether this node sends to an alarm channel: it holds the partition that the channel's name
    /// hashes to.
    pub(crate) fn sends_to(&self, channel: &ChannelName) -> bool {
        let partition = Partition::of_text(channel.as_str(), self.partitions());
        self.may_act() && self.at(partition).is_some()
    }

    /// The engine of a partition, if it runs on this node.
    pub(crate) fn at(&self, partition: Partition) -> Option<EngineHandle> {
        self.read().get(&partition).and_then(Held::handle).cloned()
    }

    /// All engines of this node.
    pub(crate) fn all(&self) -> Vec<EngineHandle> {
        self.read().values().filter_map(Held::handle).cloned().collect()
    }

    /// Sends an event to the engine of a partition, if it runs on this node.
    pub(crate) fn tell(&self, partition: Partition, event: Event) {
        self.tell_spent(partition, event, None);
    }

    /// Like [`tell`](Self::tell), for an event that a session has spent credit on.
    pub(crate) fn tell_spent(&self, partition: Partition, event: Event, spent: Option<Spent>) {
        if let Some(engine) = self.read().get(&partition).and_then(Held::handle) {
            engine.tell_spent(event, spent);
        }
    }

    /// Sends an event to every engine.
    pub(crate) fn tell_all(&self, event: impl Fn() -> Event) {
        for engine in self.read().values().filter_map(Held::handle) {
            engine.tell(event());
        }
    }

    /// Splits a message by partition and sends each engine the part about its attempts.
    pub(crate) fn tell_parts<T>(
        &self,
        parts: Vec<T>,
        attempt: impl Fn(&T) -> AttemptId,
        event: impl Fn(Vec<T>) -> Event,
        spent: &Option<Spent>,
    ) {
        let Some(first) = parts.first().map(|part| self.partition_of(attempt(part))) else {
            return;
        };
        // Usually all parts belong to one partition.
        if parts.iter().all(|part| self.partition_of(attempt(part)) == first) {
            return self.tell_spent(first, event(parts), spent.clone());
        }
        let mut by_partition: BTreeMap<Partition, Vec<T>> = BTreeMap::new();
        for part in parts {
            by_partition.entry(self.partition_of(attempt(&part))).or_default().push(part);
        }
        for (partition, parts) in by_partition {
            self.tell_spent(partition, event(parts), spent.clone());
        }
    }

    /// Notifies the engines that commits of these leases are durable.
    pub(crate) fn committed(&self, done: &[(Lease, u64)]) {
        let mut by_lease: BTreeMap<Lease, Vec<CommitId>> = BTreeMap::new();
        for (lease, id) in done {
            by_lease.entry(*lease).or_default().push(CommitId(*id));
        }
        for (lease, ids) in by_lease {
            let held = self.read();
            let held = held.get(&lease.partition).filter(|held| held.lease == lease);
            if let Some(engine) = held.and_then(Held::handle) {
                engine.tell(Event::Committed(ids));
            }
        }
    }

    /// Ends engines whose partition another node, or this one, holds in a later term.
    pub(super) fn end_superseded(&self, partitions: &[store::Holding]) {
        for store::Holding { lease, .. } in partitions {
            let held = self.read().get(&lease.partition).map(|held| held.lease);
            if let Some(mine) = held.filter(|mine| mine.term < lease.term) {
                self.remove(mine);
            }
        }
    }

    /// Hands children to the engines. They were read while these leases were held.
    pub(super) fn start_children(
        &self,
        leases: &[Lease],
        children: Vec<ChildStart>,
        read_at: Duration,
    ) {
        let mut by_partition: HashMap<_, Vec<_>> = HashMap::new();
        for child in children {
            by_partition.entry(child.partition).or_default().push(child);
        }
        let held = self.read();
        for lease in leases {
            let Some(children) = by_partition.remove(&lease.partition) else { continue };
            let held = held.get(&lease.partition).filter(|held| held.lease == *lease);
            if let Some(engine) = held.and_then(Held::handle) {
                engine.tell(Event::ChildStarts(children, read_at));
            }
        }
    }

    /// Adds an acquired partition, which is loaded next. `lost` is cancelled to end it immediately.
    pub(super) fn add(&self, lease: Lease, lost: CancellationToken) {
        let engine = State::Loading(Loading::default());
        self.write().insert(lease.partition, Held { lease, engine, lost });
    }

    /// Adds the engine of a loaded partition. Returns the sessions whose executors have to be asked
    /// again what they hold, or `None` if the lease was removed in the meantime.
    pub(super) fn start(&self, lease: Lease, handle: EngineHandle) -> Option<Loading> {
        let mut held = self.write();
        let held = held.get_mut(&lease.partition).filter(|held| held.lease == lease)?;
        // The first event: before it, the engine knows no executor, so it sends nothing.
        handle.tell(Event::Drained(self.drained()));
        match std::mem::replace(&mut held.engine, State::Running(handle)) {
            State::Loading(loading) => Some(loading),
            State::Running(_) => None,
        }
    }

    /// The executors that users drain, as this node knows them.
    pub(crate) fn drained(&self) -> Arc<DrainedSet> {
        Arc::clone(&self.0.drained.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the executors that users drain, and notifies the engines if that is a change.
    pub(super) fn set_drained(&self, drained: DrainedSet) {
        let held = self.write();
        let mut known = self.0.drained.lock().unwrap_or_else(PoisonError::into_inner);
        if **known == drained {
            return;
        }
        *known = Arc::new(drained);
        for engine in held.values().filter_map(Held::handle) {
            engine.tell(Event::Drained(Arc::clone(&known)));
        }
    }

    /// Removes a partition, and ends its engine immediately if it still runs.
    pub(crate) fn remove(&self, lease: Lease) {
        let mut held = self.write();
        if held.get(&lease.partition).is_some_and(|held| held.lease == lease)
            && let Some(held) = held.remove(&lease.partition)
        {
            held.lost.cancel();
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Partition, Held>> {
        self.0.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<Partition, Held>> {
        self.0.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
