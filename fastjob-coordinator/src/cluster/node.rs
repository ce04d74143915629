//! The loop that takes what is free and due to this node, gives back what is more than its share,
//! and notices how engines end. It does not wait for loads: each partition is loaded in the task
//! that runs its engine then. Another loop beats, so that a partition that takes long to load costs
//! the node none of the others.
//!
//! An engine that panics costs its own partition a pause: its lease is given back, and another node,
//! or this one a while later, starts an engine of a new term from the store.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

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
    store::{ClusterStore, ClusterView, Error, Holding, Lease, NodeRow, Partition, writer::chain},
};

/// How long engines may take to write what they have decided when they are to end.
pub(super) const RETIRE: Duration = Duration::from_secs(8);
/// How long one small thing may take in the database.
const READ: Duration = Duration::from_secs(5);
/// How many partitions are loaded at the same time: others read from the store meanwhile.
const LOADS: usize = 4;
/// How long the database may take to hear that the node leaves.
const LEAVE: Duration = Duration::from_secs(2);

/// A node that shares its store with others.
pub(super) struct Node {
    keeper: Arc<Keeper>,
    cluster: Arc<dyn ClusterStore>,
    me: NodeRow,
    /// Each loads a partition and runs its engine; the error is why it could not be loaded.
    running: JoinSet<Result<Lease, Error>>,
    loads: Arc<Semaphore>,
    /// Whose task is whose: one that panics does not say it itself.
    tasks: HashMap<Id, Lease>,
    ending: HashMap<Lease, Ending>,
    planner: Planner,
}

/// How the loop of an engine ended.
enum Engine {
    /// It was told to, or its time was over.
    Ended(Lease),
    /// It panicked, or its partition could not be loaded, and was given back.
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

    /// Does what is to be done about partitions whenever a beat has shown how they are.
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
                            "this node's lease is over: it acts on nothing until it can renew it"
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

    /// Begins a new generation, once no engine of the last one is left.
    async fn begin(&mut self, until: Duration) {
        if !self.ending.is_empty() {
            tracing::error!(
                "this node's lease had passed before it was renewed: its partitions are loaded again"
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
            tracing::info!(nodes = names.join(", "), "the nodes of the cluster");
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
            // Its engine ended late: no other node can have it before it is given back.
            self.give_back(lease).await;
        }
        self.release(plan.release).await;
        for partition in plan.acquire {
            if !self.may_act() {
                break; // the next beat tells what is left to be taken
            }
            if let Err(err) = self.acquire(partition).await {
                tracing::warn!(partition = partition.0, error = chain(&err), "not acquired");
            }
        }
        if moves {
            // What has moved is to be seen at once.
            self.keeper.map.stale.notify_one();
        }
    }

    async fn acquire(&mut self, partition: Partition) -> Result<(), Error> {
        // Of this generation, also if the next begins before the partition is loaded.
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

    /// Lets engines end in order, and gives their partitions back.
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
                    // One that was not asked to is noted like at any other time.
                    Some(Engine::Ended(lease)) if left.remove(&lease) => {
                        tracing::info!(partition = lease.partition.0, "partition given back");
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
            tracing::warn!("an engine did not end in time, its lease is left to end");
        }
    }

    /// Its lease ends by itself if the database does not hear of it.
    async fn give_back(&self, lease: Lease) {
        let release = self.cluster.release(&self.me.id, lease);
        if let Err(err) = in_time(READ, "give a partition back", release).await {
            tracing::warn!(
                partition = lease.partition.0,
                error = chain(&err),
                "a partition was not given back"
            );
        }
    }

    /// Gives a partition back and does not take it again for a while.
    async fn leave_to_others(&mut self, lease: Lease, why: String) {
        self.planner.refuse(self.keeper.clock.now().uptime, lease.partition);
        self.keeper.map.trouble(lease.partition, Some(why));
        self.give_back(lease).await;
    }

    /// Ends all engines at once, and waits until none is left.
    async fn lose_all(&mut self) {
        for (lease, ending) in self.ending.drain() {
            ending.lost.cancel();
            self.keeper.engines.remove(lease);
        }
        while let Some(ended) = self.running.join_next().await {
            if let Err(err) = ended {
                tracing::error!(%err, "an engine panicked while it ended");
            }
        }
        self.tasks.clear();
        // Executors that hold on to this node would not hear of the others' partitions here.
        self.keeper.map.set(Arc::default());
    }

    /// Takes note of an engine whose loop has ended, and of a partition that could not be loaded.
    async fn ended(
        &mut self,
        ended: Result<(Id, Result<Lease, Error>), JoinError>,
    ) -> Option<Engine> {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let lease = self.tasks.remove(&id)?;
        // Its handle is dropped, so that what is asked of it fails at once.
        self.keeper.engines.remove(lease);
        self.ending.remove(&lease);
        let why = match ended {
            Ok((_, Ok(_))) => return Some(Engine::Ended(lease)),
            // Another node may be able to: one of a newer release, say.
            Ok((_, Err(err))) => {
                let why = chain(&err);
                tracing::warn!(partition = lease.partition.0, error = why, "partition not loaded");
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
                    "the engine of a partition panicked: the partition is started again from the \
                     store. Please report this"
                );
                format!("its engine panicked: {why}")
            }
        };
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
                tracing::warn!(error = chain(&err), "the node could not say that it leaves")
            }
            Err(_) => tracing::warn!("the database did not hear that the node leaves"),
        }
    }
}

#[cfg(test)]
mod tests;
