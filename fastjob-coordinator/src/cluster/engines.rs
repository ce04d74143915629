//! The engines that run in this node, one a partition: whoever has something to tell finds the one
//! that it is for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use fastjob_core::{AttemptId, ChannelName};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::Deadline;
use crate::{
    clock::Clock,
    engine::{CommitId, ConnectAnswer, Connected, Event, Held, SessionId},
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
    running: RwLock<BTreeMap<Partition, Running>>,
}

/// What an executor says when it is told that this node acts on partitions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holding {
    pub(crate) leases: Vec<Lease>,
    pub(crate) held: Vec<Held>,
    /// It drains.
    pub(crate) leaving: bool,
    /// Of each partition, the highest attempt id that its process was ever sent.
    pub(crate) highest: Vec<AttemptId>,
}

#[derive(Clone)]
struct Running {
    lease: Lease,
    handle: EngineHandle,
    /// Ends its loop at once.
    lost: CancellationToken,
}

impl Engines {
    pub(crate) fn new(
        facts: StoreFacts,
        clock: Arc<Clock>,
        deadline: Deadline,
        health: watch::Receiver<Health>,
    ) -> Self {
        Self(Arc::new(Inner { facts, clock, deadline, health, running: RwLock::default() }))
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

    /// The uptime that engines go by.
    pub(crate) fn uptime(&self) -> Duration {
        self.0.clock.now().uptime
    }

    /// Until when the clock is paused, if it was set back.
    pub(crate) fn paused_until(&self) -> Option<jiff::Timestamp> {
        self.0.clock.paused_until()
    }

    /// Whether the store takes writes.
    pub(crate) fn health(&self) -> &watch::Receiver<Health> {
        &self.0.health
    }

    /// What this node acts on just now; nothing once its lease is over.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        if !self.may_act() {
            return Vec::new();
        }
        self.read().values().map(|running| running.lease).collect()
    }

    /// The partitions that have an engine here.
    #[cfg(test)]
    pub(crate) fn held(&self) -> Vec<Partition> {
        self.read().keys().copied().collect()
    }

    /// Whether this node's lease lasts.
    pub(crate) fn may_act(&self) -> bool {
        self.0.deadline.holds(self.0.clock.elapsed())
    }

    /// Whether this node is the one that sends to an alarm channel: the one that has the partition
    /// that the channel's name hashes to.
    pub(crate) fn sends_to(&self, channel: &ChannelName) -> bool {
        let partition = Partition::of_text(channel.as_str(), self.partitions());
        self.may_act() && self.read().contains_key(&partition)
    }

    /// The engine of a partition, if it is here.
    pub(crate) fn at(&self, partition: Partition) -> Option<EngineHandle> {
        self.read().get(&partition).map(|running| running.handle.clone())
    }

    /// All engines that are here.
    pub(crate) fn all(&self) -> Vec<EngineHandle> {
        self.read().values().map(|running| running.handle.clone()).collect()
    }

    /// Tells the engine of a partition, if it is here.
    pub(crate) fn tell(&self, partition: Partition, event: Event) {
        if let Some(running) = self.read().get(&partition) {
            running.handle.tell(event);
        }
    }

    /// Tells the engine of a partition, if it is here, what a session has spent credit for.
    pub(crate) fn tell_spent(&self, partition: Partition, event: Event, spent: Option<Spent>) {
        if let Some(running) = self.read().get(&partition) {
            running.handle.tell_spent(event, spent);
        }
    }

    /// Tells every engine.
    pub(crate) fn tell_all(&self, event: impl Fn() -> Event) {
        for running in self.read().values() {
            running.handle.tell(event());
        }
    }

    /// Tells each engine what is said of its attempts.
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
        // An executor says things of one partition at a time.
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

    /// An executor has said what it holds of these partitions: their engines know it from now on.
    /// Gives the reason if one of them does not want it.
    pub(crate) async fn connect(
        &self,
        executor: &Connected,
        Holding { leases, held, leaving, highest }: &Holding,
    ) -> Option<String> {
        let mut answers = Vec::new();
        for lease in leases {
            let Some(running) = self.read().get(&lease.partition).cloned() else { continue };
            if running.lease != *lease {
                continue;
            }
            let mine = |id: AttemptId| self.partition_of(id) == lease.partition;
            let in_partition = |job: &&Arc<fastjob_core::Job>| {
                let partition = Partition::of_name(&job.service, &job.name, self.partitions());
                partition == lease.partition
            };
            let connected = Connected {
                holding: held.iter().filter(|held| mine(held.attempt)).copied().collect(),
                leaving: *leaving,
                highest: highest.iter().filter(|id| mine(**id)).max().copied(),
                jobs: executor.jobs.iter().filter(in_partition).cloned().collect(),
                ..executor.clone()
            };
            let (answer, wait) = oneshot::channel();
            running.handle.tell(Event::Connected(Box::new(connected), answer));
            answers.push(wait);
        }
        for wait in answers {
            match wait.await {
                Ok(ConnectAnswer::Taken { why }) => return Some(why),
                Ok(ConnectAnswer::WithoutJobs { refused }) => log_refused(executor, &refused),
                // An engine that gave no answer has ended in the meantime.
                Ok(ConnectAnswer::Welcome) | Err(_) => {}
            }
        }
        None
    }

    /// An executor drains, and returns attempts. Waits until every engine has taken note: none of
    /// them sends it anything after what it has sent by then.
    pub(crate) async fn leaving(&self, session: SessionId, returned: &[AttemptId]) {
        let mut answers = Vec::new();
        for (partition, running) in self.read().iter() {
            let mine = returned.iter().filter(|id| self.partition_of(**id) == *partition);
            let (answer, noted) = oneshot::channel();
            running.handle.tell(Event::Leaving(session, mine.copied().collect(), answer));
            answers.push(noted);
        }
        for noted in answers {
            // An engine that has ended in the meantime sends nothing.
            drop(noted.await);
        }
    }

    /// A session has ended.
    pub(crate) fn disconnected(&self, session: SessionId) {
        self.tell_all(|| Event::Disconnected(session));
    }

    /// Commits of these leases are durable.
    pub(crate) fn committed(&self, done: &[(Lease, u64)]) {
        let mut by_lease: BTreeMap<Lease, Vec<CommitId>> = BTreeMap::new();
        for (lease, id) in done {
            by_lease.entry(*lease).or_default().push(CommitId(*id));
        }
        for (lease, ids) in by_lease {
            if let Some(running) = self.read().get(&lease.partition).filter(|r| r.lease == lease) {
                running.handle.tell(Event::Committed(ids));
            }
        }
    }

    /// Ends the engines of partitions that another node, or this one, holds in a later term.
    pub(super) fn end_superseded(&self, partitions: &[store::Holding]) {
        for store::Holding { lease, .. } in partitions {
            let running = self.read().get(&lease.partition).map(|running| running.lease);
            if let Some(mine) = running.filter(|mine| mine.term < lease.term) {
                self.remove(mine);
            }
        }
    }

    /// Hands over children that were read while these leases were held.
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
        let running = self.read();
        for lease in leases {
            let Some(children) = by_partition.remove(&lease.partition) else { continue };
            let engine = running.get(&lease.partition).filter(|engine| engine.lease == *lease);
            if let Some(engine) = engine {
                engine.handle.tell(Event::ChildStarts(children, read_at));
            }
        }
    }

    pub(super) fn add(&self, lease: Lease, handle: EngineHandle, lost: CancellationToken) {
        self.write().insert(lease.partition, Running { lease, handle, lost });
    }

    /// Takes out an engine whose loop has ended or is to end at once.
    pub(crate) fn remove(&self, lease: Lease) {
        let mut running = self.write();
        if running.get(&lease.partition).is_some_and(|running| running.lease == lease)
            && let Some(running) = running.remove(&lease.partition)
        {
            running.lost.cancel();
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Partition, Running>> {
        self.0.running.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<Partition, Running>> {
        self.0.running.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs why jobs that an executor declares were not saved: the first of them, and how many.
fn log_refused(executor: &Connected, refused: &[String]) {
    let Some(first) = refused.first() else { return };
    tracing::warn!(service = %executor.service, executor = %executor.executor,
        jobs = refused.len(), first, "jobs that an executor declares were not saved");
}

#[cfg(test)]
mod tests {
    use fastjob_core::AttemptId;
    use jiff::Timestamp;

    use super::*;

    #[tokio::test]
    async fn an_executor_that_leaves_is_answered_without_an_engine_and_by_one_that_has_ended() {
        let (_, health) = watch::channel(Health::Well);
        let facts = StoreFacts { cluster: "c".into(), partitions: 2, since: Timestamp::UNIX_EPOCH };
        let clock = Arc::new(Clock::start(crate::clock::Witness::Uptime));
        let engines = Engines::new(facts, clock, Deadline::never(), health.clone());
        engines.leaving(SessionId(1), &[AttemptId(1)]).await;
        let (handle, inbox) = EngineHandle::new(health);
        let lease = Lease { partition: Partition(1), term: 1 };
        engines.add(lease, handle, CancellationToken::new());
        let leaving = tokio::spawn({
            let engines = engines.clone();
            async move { engines.leaving(SessionId(1), &[AttemptId(1)]).await }
        });
        tokio::task::yield_now().await;
        assert!(!leaving.is_finished(), "the engine has not taken note");
        drop(inbox);
        leaving.await.unwrap();
    }
}
