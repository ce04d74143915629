//! The loop that keeps this node's partitions: it beats, takes what is free and due to this node,
//! gives back what is more than its share, and runs an engine for each that it has.
//!
//! When the database is away the node goes on until its own deadline, which comes before another
//! node can take anything over; then its engines end where they are. When the database is back it
//! begins anew, with leases of new terms.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{ClusterMap, Deadline, Engines, lease::plan};
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
/// How long the database may take to hear that the node leaves.
const LEAVE: Duration = Duration::from_secs(2);

/// What is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long an executor may be without a session.
    pub(crate) executor_lost: Duration,
    /// After how long a node that is not heard of has lost its partitions to others.
    pub(crate) lease: Duration,
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
        let mut node = Node {
            beat: self.settings.lease / 6,
            keeper: self,
            cluster,
            me,
            running: JoinSet::new(),
            ending: HashMap::new(),
            failing: false,
        };
        let children = tokio::spawn(node.keeper.children_loop(stop.clone()));
        while !stop.is_cancelled() {
            node.tick().await;
            let stale = Arc::clone(&node.keeper.map.stale);
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(node.beat) => {}
                () = stale.notified() => {}
                Some(ended) = node.running.join_next() => node.ended(ended),
            }
        }
        node.leave().await;
        if let Err(err) = children.await {
            tracing::error!(%err, "the loop that starts children panicked");
        }
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
                    match store.child_starts(&held).await {
                        Ok(children) => engines.start_children(children),
                        Err(err) => tracing::debug!(%err, "children to start not read"),
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
    beat: Duration,
    running: JoinSet<Lease>,
    ending: HashMap<Lease, Ending>,
    /// Whether the database did not answer last time.
    failing: bool,
}

impl Node {
    /// Beats, and does what is to be done about partitions.
    async fn tick(&mut self) {
        let lease = self.keeper.settings.lease;
        // The database is told a shorter time than a takeover may need in all, and this node ends
        // before that: for clocks that do not run alike.
        let told = lease * 3 / 4;
        let began = self.keeper.clock.now().uptime;
        let beat = tokio::time::timeout(told / 2, self.cluster.beat(&self.me, told)).await;
        let failed = match beat {
            Ok(Ok(view)) => {
                if self.failing {
                    tracing::info!("the database answers again");
                    self.failing = false;
                }
                self.keeper.deadline.set(began + told * 9 / 10);
                self.act(view, began + told / 4).await;
                return;
            }
            Ok(Err(err)) => chain(&err),
            Err(_) => "it does not answer".to_owned(),
        };
        if !self.failing {
            tracing::warn!(error = failed, "this node cannot renew its lease, trying on");
            self.failing = true;
        }
        if !self.keeper.engines.may_act() && !self.ending.is_empty() {
            tracing::error!("this node's lease is over: it acts on nothing until it can renew it");
            self.lose_all().await;
        }
    }

    /// Takes what it is to have until `beat_by`: what is left waits until it has beaten again, for a
    /// node that takes long to load must not lose what it has loaded.
    async fn act(&mut self, view: ClusterView, beat_by: Duration) {
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
        let plan = plan(&self.me.id, &view, &held);
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
            if let Err(err) = self.cluster.release(&self.me.id, lease).await {
                tracing::warn!(error = chain(&err), "a partition was not given back");
            }
        }
        self.release(plan.release).await;
        for partition in plan.acquire {
            if self.keeper.clock.now().uptime > beat_by {
                break;
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
        let Some(lease) = self.cluster.acquire(&self.me.id, partition).await? else {
            return Ok(());
        };
        let loaded = self.keeper.store.load(partition).await?;
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
                    if let Err(err) = self.cluster.release(&self.me.id, lease).await {
                        // Its lease ends by itself when this node does not take it again.
                        tracing::warn!(error = chain(&err), "a partition was not given back");
                    }
                }
            }
        };
        if tokio::time::timeout(RETIRE, all).await.is_err() {
            tracing::warn!("an engine did not end in time, its lease is left to end");
        }
    }

    async fn lose_all(&mut self) {
        for (lease, ending) in self.ending.drain() {
            ending.lost.cancel();
            self.keeper.engines.remove(lease);
        }
        while self.running.join_next().await.is_some() {}
        // Executors that hold on to this node would not hear of the others' partitions here.
        self.keeper.map.set(ClusterView::default());
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

    async fn leave(&mut self) {
        let held = self.ending.keys().map(|lease| lease.partition).collect();
        if self.keeper.engines.may_act() {
            self.release(held).await;
        }
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

fn chain(err: &dyn std::error::Error) -> String {
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
