//! The loop that acquires free partitions that are due to this node, releases those beyond its
//! share, and handles the end of engines. It does not wait for loads: each partition is loaded in
//! the task that then runs its engine. Another loop sends the heartbeats, so that a slow load does
//! not cost the node its other partitions.
//!
//! An engine that panics only interrupts its own partition: its lease is released, and another
//! node, or this one after a while, starts a new engine from the store in a new term.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use fastjob_core::error::chain;
use tokio::{
    sync::{Semaphore, watch},
    task::{Id, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::{
    heartbeat::Seen,
    keeper::{Keeper, in_time},
    lease::Planner,
};
use crate::{
    parts,
    shell::Ending,
    store::{ClusterStore, ClusterView, Error, Holding, Lease, NodeRow, Partition},
};

/// How long engines may take to persist their decisions when they are asked to end.
pub(super) const RETIRE: Duration = Duration::from_secs(8);
/// Timeout of a small database operation.
const READ: Duration = Duration::from_secs(5);
/// How many partitions are loaded at the same time: other reads share the store.
const LOADS: usize = 4;
/// How long the node may take to remove itself from the database.
const LEAVE: Duration = Duration::from_secs(2);

/// A node that shares its store with others.
pub(super) struct Node {
    keeper: Arc<Keeper>,
    cluster: Arc<dyn ClusterStore>,
    me: NodeRow,
    /// Each task loads a partition and runs its engine; it fails if the partition cannot be loaded.
    running: JoinSet<Result<Lease, Error>>,
    loads: Arc<Semaphore>,
    /// The lease of each task, because a task that panicked does not return it.
    tasks: HashMap<Id, Lease>,
    ending: HashMap<Lease, Ending>,
    planner: Planner,
}

/// How the loop of an engine ended.
enum Engine {
    /// It was asked to end, or its permit expired.
    Ended(Lease),
    /// It panicked, or its partition could not be loaded; the partition was released.
    Failed(Lease),
}

impl Node {
    pub(super) fn new(keeper: Keeper, cluster: Arc<dyn ClusterStore>, me: NodeRow) -> Self {
        let planner = Planner::new(me.id.clone(), keeper.settings.lease);
        Self {
            keeper: Arc::new(keeper),
            cluster,
            me,
            running: JoinSet::new(),
            loads: Arc::new(Semaphore::new(LOADS)),
            tasks: HashMap::new(),
            ending: HashMap::new(),
            planner,
        }
    }

    /// Acquires and releases partitions after each heartbeat.
    pub(super) async fn run(&mut self, mut beats: watch::Receiver<Seen>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = beats.changed() => if changed.is_err() { return },
                Some(ended) = self.running.join_next_with_id() => {
                    self.ended(ended).await;
                    continue;
                }
            }
            let seen = beats.borrow_and_update().clone();
            match seen {
                Seen::Nothing => {}
                Seen::View(view, until) => {
                    if !self.may_act() {
                        self.begin(until).await;
                    }
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.act(view) => {}
                    }
                }
                Seen::Failed => {
                    if !self.may_act() && !self.ending.is_empty() {
                        tracing::error!(
                            "this node's lease has expired: it pauses until it can renew it"
                        );
                        self.lose_all().await;
                    }
                }
            }
        }
    }

    fn may_act(&self) -> bool {
        self.keeper.engines.may_act()
    }

    /// Begins a new generation, once all engines of the last one have ended.
    async fn begin(&mut self, until: Duration) {
        if !self.ending.is_empty() {
            tracing::error!(
                "this node's lease expired before it was renewed: its partitions are loaded again"
            );
        }
        self.lose_all().await;
        self.keeper.deadline.begin(until);
    }

    async fn act(&mut self, view: Arc<ClusterView>) {
        while let Some(ended) = self.running.try_join_next_with_id() {
            self.ended(ended).await;
        }
        let lost: Vec<_> = self
            .ending
            .keys()
            .filter(|lease| {
                let found = view.partitions.iter().find(|p| p.lease.partition == lease.partition);
                found.is_some_and(|found| found.lease.term > lease.term)
            })
            .copied()
            .collect();
        for lease in lost {
            self.keeper.metrics.leases.lost.fetch_add(1, Relaxed);
            self.keeper.engines.remove(lease);
            self.ending.remove(&lease);
        }
        let held: Vec<_> = self.ending.keys().map(|lease| lease.partition).collect();
        let plan = self.planner.plan(self.keeper.clock.now().uptime, &view, &held);
        let nodes = view.nodes.clone();
        let before = self.keeper.map.nodes();
        self.keeper.map.set(view);
        let moves = !plan.acquire.is_empty() || !plan.release.is_empty();
        if before.iter().map(|node| &node.id).ne(nodes.iter().map(|node| &node.id)) {
            let names: Vec<_> = nodes.iter().map(|node| node.address.as_str()).collect();
            tracing::info!(nodes = names.join(", "), "the nodes of the cluster changed");
            self.keeper.sessions.tell_nodes(&nodes);
        }
        let mine = |holding: &&Holding| {
            matches!(&holding.holder, Some((node, _)) if *node == self.me.id)
                && !held.contains(&holding.lease.partition)
                && !plan.acquire.contains(&holding.lease.partition)
        };
        let left_over: Vec<_> =
            self.keeper.map.view().partitions.iter().filter(mine).map(|p| p.lease).collect();
        for lease in left_over {
            // Its engine ended late: no other node can acquire it before it is released.
            self.give_back(lease).await;
        }
        self.release(plan.release).await;
        for partition in plan.acquire {
            if !self.may_act() {
                break; // the next beat shows what is left to acquire
            }
            if let Err(err) = self.acquire(partition).await {
                tracing::warn!(
                    partition = partition.0,
                    error = chain(&err),
                    "could not acquire a partition, retrying"
                );
            }
        }
        if moves {
            // Refresh the view at once.
            self.keeper.map.stale.notify_one();
        }
    }

    async fn acquire(&mut self, partition: Partition) -> Result<(), Error> {
        // Bound to this generation, even if the next one begins before the partition is loaded.
        let permit = self.keeper.deadline.permit();
        let acquired = self.cluster.acquire(&self.me.id, partition);
        let Some(lease) = in_time(READ, "acquire a partition", acquired).await? else {
            return Ok(());
        };
        let ending = Ending::default();
        self.keeper.hold(lease, &ending);
        let (keeper, loads) = (Arc::clone(&self.keeper), Arc::clone(&self.loads));
        self.spawn(lease, ending.clone(), async move {
            let load = async {
                let _slot = loads.acquire().await;
                keeper.load(lease).await
            };
            let loaded = tokio::select! {
                biased;
                () = ending.lost.cancelled() => return Ok(lease),
                () = ending.retire.cancelled() => return Ok(lease),
                loaded = load => loaded?,
            };
            Ok(keeper.engine(lease, loaded, permit, ending).await)
        });
        Ok(())
    }

    fn spawn(
        &mut self,
        lease: Lease,
        ending: Ending,
        engine: impl Future<Output = Result<Lease, Error>> + Send + 'static,
    ) {
        let task = self.running.spawn(engine);
        self.tasks.insert(task.id(), lease);
        self.ending.insert(lease, ending);
    }

    /// Ends engines in an orderly way, and releases their partitions.
    async fn release(&mut self, partitions: Vec<Partition>) {
        let mut left: HashSet<Lease> = HashSet::new();
        for (lease, ending) in &self.ending {
            if partitions.contains(&lease.partition) {
                ending.retire.cancel();
                left.insert(*lease);
            }
        }
        let all = async {
            while !left.is_empty() {
                let Some(ended) = self.running.join_next_with_id().await else { return };
                match self.ended(ended).await {
                    // The end of an engine that was not asked to end is handled as usual.
                    Some(Engine::Ended(lease)) if left.remove(&lease) => {
                        tracing::info!(partition = lease.partition.0, "partition released");
                        self.give_back(lease).await;
                    }
                    Some(Engine::Ended(_)) | None => {}
                    Some(Engine::Failed(lease)) => {
                        left.remove(&lease);
                    }
                }
            }
        };
        if tokio::time::timeout(RETIRE, all).await.is_err() {
            tracing::warn!(
                "an engine did not end in time: its lease is not released and will expire"
            );
        }
    }

    /// Releases a partition. If that fails, the lease expires by itself.
    async fn give_back(&self, lease: Lease) {
        let release = self.cluster.release(&self.me.id, lease);
        if let Err(err) = in_time(READ, "release a partition", release).await {
            tracing::warn!(
                partition = lease.partition.0,
                error = chain(&err),
                "could not release a partition, its lease will expire"
            );
        }
    }

    /// Releases a partition and does not acquire it again for a while.
    async fn leave_to_others(&mut self, lease: Lease, why: String) {
        self.planner.refuse(self.keeper.clock.now().uptime, lease.partition);
        self.keeper.map.trouble(lease.partition, Some(why));
        self.give_back(lease).await;
    }

    /// Ends all engines immediately, and waits until they have ended.
    async fn lose_all(&mut self) {
        for (lease, ending) in self.ending.drain() {
            self.keeper.metrics.leases.lost.fetch_add(1, Relaxed);
            ending.lost.cancel();
            self.keeper.engines.remove(lease);
        }
        while let Some(ended) = self.running.join_next().await {
            if let Err(err) = ended {
                tracing::error!(%err, "an engine panicked while it was ending");
            }
        }
        self.tasks.clear();
        // Executors that only use this node would not learn of other nodes' partitions.
        self.keeper.map.set(Arc::default());
    }

    /// Handles an engine whose loop has ended, or a partition that could not be loaded.
    async fn ended(
        &mut self,
        ended: Result<(Id, Result<Lease, Error>), JoinError>,
    ) -> Option<Engine> {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let lease = self.tasks.remove(&id)?;
        // Drops its handle, so that requests to it fail at once.
        self.keeper.engines.remove(lease);
        // Nothing if another node has taken it over: then it was counted when that was seen.
        let held = self.ending.remove(&lease);
        let leases = &self.keeper.metrics.leases;
        let why = match ended {
            Ok((_, Ok(_))) => {
                if let Some(ending) = held {
                    // Also if that took longer than `RETIRE`: then the next view gives it back.
                    let is_released = ending.retire.is_cancelled() && self.may_act();
                    let count = if is_released { &leases.released } else { &leases.lost };
                    count.fetch_add(1, Relaxed);
                }
                return Some(Engine::Ended(lease));
            }
            // Another node may be able to load it, for example one of a newer release.
            Ok((_, Err(err))) => {
                let why = chain(&err);
                tracing::warn!(
                    partition = lease.partition.0,
                    error = why,
                    "could not load a partition: it is left to other nodes for a while"
                );
                why
            }
            Err(err) => {
                let why = match err.try_into_panic() {
                    Ok(panic) => parts::message(&*panic),
                    Err(err) => err.to_string(),
                };
                tracing::error!(
                    partition = lease.partition.0,
                    panic = why,
                    "the engine of a partition panicked: it is restarted from the store; please \
                     report this"
                );
                format!("its engine panicked: {why}")
            }
        };
        if held.is_some() {
            leases.failed.fetch_add(1, Relaxed);
        }
        self.leave_to_others(lease, why).await;
        Some(Engine::Failed(lease))
    }

    pub(super) async fn release_all(&mut self) {
        if self.may_act() {
            let held = self.ending.keys().map(|lease| lease.partition).collect();
            self.release(held).await;
        }
    }

    pub(super) async fn leave(&mut self) {
        let leave = self.cluster.leave(&self.me.id);
        match tokio::time::timeout(LEAVE, leave).await {
            Ok(Ok(())) => {}
            Ok(Err(err)) => {
                tracing::warn!(error = chain(&err), "could not remove this node from the database")
            }
            Err(_) => tracing::warn!("timed out removing this node from the database"),
        }
    }
}

#[cfg(test)]
mod tests;
