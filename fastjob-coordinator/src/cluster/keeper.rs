//! The loop that keeps this node's partitions: it takes what is free and due to this node, gives back
//! what is more than its share, and runs an engine for each that it has. Another loop beats, so that
//! a partition that takes long to load costs the node none of the others.
//!
//! When the database is away the node goes on until its own deadline, which comes before another
//! node can take anything over; then its engines end where they are. When the database is back it
//! begins anew, with leases of new terms.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    ClusterMap, Deadline, Engines,
    heartbeat::{Heartbeat, Seen},
    lease::plan,
};
use crate::{
    clock::{Clock, wall_now},
    engine::{self, Engine, Event},
    sessions::Sessions,
    shell::{self, Around, Ending, EngineHandle},
    store::{
        self, ClusterStore, ClusterView, Lease, NodeRow, Partition, Store,
        writer::{Told, WriterHandle},
    },
};

/// Between two looks for children to start.
const CHILDREN: Duration = Duration::from_millis(250);
/// By how much the clocks of nodes may differ before anybody is told.
const AHEAD: SignedDuration = SignedDuration::from_secs(5);
/// How long engines may take to write what they have decided when the node stops.
const RETIRE: Duration = Duration::from_secs(8);
/// How long one small thing may take in the database.
const READ: Duration = Duration::from_secs(5);
/// How long it may take to load a partition.
const LOAD: Duration = Duration::from_secs(60);
/// For how long a node leaves a partition to others that it could not load.
const REFUSED: Duration = Duration::from_secs(10);
/// How long the database may take to hear that the node leaves.
const LEAVE: Duration = Duration::from_secs(2);

/// What is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long an executor may be without a session.
    pub(crate) executor_lost: Duration,
    /// After how long a node that is not heard of has lost its partitions to others.
    pub(crate) lease: Duration,
    /// How many jobs the store may have.
    pub(crate) quota: engine::JobQuota,
}

/// Keeps the partitions of one node.
pub(crate) struct Keeper {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) writer: WriterHandle,
    pub(crate) sessions: Sessions,
    pub(crate) engines: Engines,
    pub(crate) deadline: Deadline,
    pub(crate) map: ClusterMap,
}

impl Told for Engines {
    fn durable(&self, commits: &[(Lease, u64)]) {
        self.committed(commits);
    }

    fn over(&self, lease: Lease) {
        tracing::warn!(
            partition = lease.partition.0,
            term = lease.term,
            "another node has taken the partition over: what this one decided since is dropped"
        );
        self.remove(lease);
    }
}

impl Keeper {
    /// Runs the engine of a store that this node has to itself, until told to stop.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read.
    pub(crate) async fn alone(self, loaded: store::Loaded, stop: CancellationToken) {
        let ending = Ending { lost: stop, retire: CancellationToken::new() };
        self.engine(Lease::default(), loaded, ending).await;
    }

    /// Keeps this node's share of the partitions until told to stop.
    pub(crate) async fn shared(
        self,
        cluster: Arc<dyn ClusterStore>,
        me: NodeRow,
        stop: CancellationToken,
    ) {
        let (beats, heartbeat) = self.heartbeat(Arc::clone(&cluster), me.clone());
        let beating = CancellationToken::new();
        let heartbeat = tokio::spawn(heartbeat.run(beating.clone()));
        let over = stop.child_token();
        let children = tokio::spawn(self.children_loop(over.clone()));
        let mut node = Node {
            keeper: self,
            cluster,
            me,
            running: JoinSet::new(),
            ending: HashMap::new(),
            refused: HashMap::new(),
        };
        node.run(beats, stop).await;
        over.cancel();
        // It beats until the last engine has ended: what is still to be written needs the lease.
        node.release_all().await;
        beating.cancel();
        for ended in [heartbeat.await, children.await] {
            if let Err(err) = ended {
                tracing::error!(%err, "a loop of the keeper panicked");
            }
        }
        node.leave().await;
    }

    /// The loop that renews the lease, and where what it saw is found.
    fn heartbeat(
        &self,
        cluster: Arc<dyn ClusterStore>,
        me: NodeRow,
    ) -> (watch::Receiver<Seen>, Heartbeat) {
        let (seen, beats) = watch::channel(Seen::Nothing);
        let heartbeat = Heartbeat {
            cluster,
            me,
            lease: self.settings.lease,
            clock: Arc::clone(&self.clock),
            deadline: self.deadline.clone(),
            stale: Arc::clone(&self.map.stale),
            seen,
        };
        (beats, heartbeat)
    }

    /// An engine that carries on from what was loaded; its loop ends with the lease.
    fn engine(
        &self,
        lease: Lease,
        loaded: store::Loaded,
        ending: Ending,
    ) -> impl Future<Output = Lease> + Send + 'static {
        let facts = self.engines.facts();
        let config = engine::Config {
            executor_lost: self.settings.executor_lost,
            seed: rand::random(),
            lease,
            partitions: facts.partitions,
            since: facts.since,
            quota: self.settings.quota,
        };
        let engine = Engine::new(config, loaded, self.clock.now());
        let (handle, inbox) = EngineHandle::new(self.engines.health().clone());
        self.engines.add(lease, handle, ending.lost.clone());
        self.sessions.claim_all(&[lease]);
        let around = Around {
            clock: Arc::clone(&self.clock),
            writer: self.writer.clone(),
            sessions: self.sessions.clone(),
            deadline: self.deadline.clone(),
            lease,
        };
        shell::run(engine, around, inbox, ending)
    }

    /// Hands children of other partitions' tasks to the engines that are to start them.
    fn children_loop(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        let (store, engines) = (Arc::clone(&self.store), self.engines.clone());
        async move {
            while !stop.is_cancelled() {
                let held = engines.held();
                if !held.is_empty() {
                    match tokio::time::timeout(READ, store.child_starts(&held)).await {
                        Ok(Ok(children)) => engines.start_children(children),
                        Ok(Err(err)) => tracing::debug!(%err, "children to start not read"),
                        Err(_) => tracing::debug!("children to start not read in time"),
                    }
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(CHILDREN) => {}
                }
            }
        }
    }
}

/// A node that shares its store with others.
struct Node {
    keeper: Keeper,
    cluster: Arc<dyn ClusterStore>,
    me: NodeRow,
    running: JoinSet<Lease>,
    ending: HashMap<Lease, Ending>,
    /// Partitions that could not be loaded, and until when others may try, by uptime.
    refused: HashMap<Partition, Duration>,
}

impl Node {
    /// Does what is to be done about partitions whenever a beat has shown how they are.
    async fn run(&mut self, mut beats: watch::Receiver<Seen>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = beats.changed() => if changed.is_err() { return },
                Some(ended) = self.running.join_next() => {
                    self.ended(ended);
                    continue;
                }
            }
            let seen = beats.borrow_and_update().clone();
            match seen {
                Seen::Nothing => {}
                Seen::View(view) => {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.act(view) => {}
                    }
                }
                Seen::Failed => {
                    if !self.keeper.engines.may_act() && !self.ending.is_empty() {
                        tracing::error!(
                            "this node's lease is over: it acts on nothing until it can renew it"
                        );
                        self.lose_all().await;
                    }
                }
            }
        }
    }

    async fn act(&mut self, view: Arc<ClusterView>) {
        self.collect();
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
        let mut plan = plan(&self.me.id, &view, &held);
        let uptime = self.keeper.clock.now().uptime;
        self.refused.retain(|_, until| *until > uptime);
        plan.acquire.retain(|partition| !self.refused.contains_key(partition));
        let nodes = view.nodes.clone();
        let before = self.keeper.map.nodes();
        self.keeper.map.set(view);
        let moves = !plan.acquire.is_empty() || !plan.release.is_empty();
        if before.iter().map(|node| &node.id).ne(nodes.iter().map(|node| &node.id)) {
            let names: Vec<_> = nodes.iter().map(|node| node.address.as_str()).collect();
            tracing::info!(nodes = names.join(", "), "the nodes of the cluster");
            self.keeper.sessions.tell_nodes(&nodes);
        }
        let mine = |holding: &&store::Holding| {
            matches!(&holding.holder, Some((node, _)) if *node == self.me.id)
                && !held.contains(&holding.lease.partition)
                && !plan.acquire.contains(&holding.lease.partition)
        };
        let left_over: Vec<_> =
            self.keeper.map.view().partitions.iter().filter(mine).map(|p| p.lease).collect();
        for lease in left_over {
            // Its engine ended late: nobody else can have it before it is given back.
            self.give_back(lease).await;
        }
        self.release(plan.release).await;
        for partition in plan.acquire {
            if !self.keeper.engines.may_act() {
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

    async fn acquire(&mut self, partition: Partition) -> Result<(), store::Error> {
        let acquired = self.cluster.acquire(&self.me.id, partition);
        let Some(lease) = in_time(READ, "acquire a partition", acquired).await? else {
            return Ok(());
        };
        let load = self.keeper.store.load(partition);
        let loaded = match in_time(LOAD, "load a partition", load).await {
            Ok(loaded) => loaded,
            Err(err) => {
                // Another node may be able to: one of a newer release, say.
                let until = self.keeper.clock.now().uptime + REFUSED;
                self.refused.insert(partition, until);
                self.keeper.map.trouble(partition, Some(chain(&err)));
                self.give_back(lease).await;
                return Err(err);
            }
        };
        self.keeper.map.trouble(partition, None);
        let now = self.keeper.clock.now().wall;
        if let Some(last) = loaded.clock.filter(|last| last.duration_since(now) > AHEAD) {
            tracing::warn!(
                partition = partition.0,
                until = %last,
                "the node that had the partition before had a clock that is ahead of this one's: \
                 its schedules stand still until then"
            );
        }
        tracing::info!(
            partition = partition.0,
            term = lease.term,
            open_attempts = loaded.open.len(),
            "partition acquired"
        );
        let ending = Ending::default();
        let engine = self.keeper.engine(lease, loaded, ending.clone());
        self.running.spawn(engine);
        self.ending.insert(lease, ending);
        Ok(())
    }

    /// Lets engines end in order, and gives their partitions back.
    async fn release(&mut self, partitions: Vec<Partition>) {
        let leases: Vec<_> = self
            .ending
            .keys()
            .filter(|lease| partitions.contains(&lease.partition))
            .copied()
            .collect();
        for lease in &leases {
            if let Some(ending) = self.ending.get(lease) {
                ending.retire.cancel();
            }
        }
        let mut left = leases;
        let all = async {
            while !left.is_empty() {
                let Some(ended) = self.running.join_next().await else { return };
                if let Ok(lease) = ended {
                    left.retain(|other| *other != lease);
                    self.keeper.engines.remove(lease);
                    self.ending.remove(&lease);
                    tracing::info!(partition = lease.partition.0, "partition given back");
                    self.give_back(lease).await;
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

    async fn lose_all(&mut self) {
        for (lease, ending) in self.ending.drain() {
            ending.lost.cancel();
            self.keeper.engines.remove(lease);
        }
        while self.running.join_next().await.is_some() {}
        // Executors that hold on to this node would not hear of the others' partitions here.
        self.keeper.map.set(Arc::default());
    }

    /// Takes note of loops that have ended by themselves: their lease was over.
    fn collect(&mut self) {
        while let Some(ended) = self.running.try_join_next() {
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Result<Lease, tokio::task::JoinError>) {
        match ended {
            Ok(lease) => {
                self.keeper.engines.remove(lease);
                self.ending.remove(&lease);
            }
            Err(err) => {
                // Which one it was cannot be told: all are begun anew.
                tracing::error!(%err, "an engine panicked, this node's partitions are loaded anew");
                for (lease, ending) in self.ending.drain() {
                    ending.lost.cancel();
                    self.keeper.engines.remove(lease);
                }
            }
        }
    }

    async fn release_all(&mut self) {
        if self.keeper.engines.may_act() {
            let held = self.ending.keys().map(|lease| lease.partition).collect();
            self.release(held).await;
        }
    }

    async fn leave(&mut self) {
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

impl Engines {
    fn start_children(&self, children: Vec<store::ChildStart>) {
        for child in children {
            self.tell(child.partition, Event::ChildStarts(vec![child]));
        }
    }
}

/// What the store does, unless it takes longer than anybody should wait.
async fn in_time<T>(
    most: Duration,
    doing: &'static str,
    work: impl Future<Output = store::Result<T>>,
) -> store::Result<T> {
    let late = |_| store::Error::TimedOut { doing };
    tokio::time::timeout(most, work).await.map_err(late)?
}

pub(super) fn chain(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// A name for this run of the process, and where others reach it.
pub(crate) fn node(address: String) -> NodeRow {
    NodeRow {
        id: store::NodeId(uuid::Uuid::new_v4().simple().to_string()),
        address,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: wall_now(),
    }
}
