//! Runs an engine for each partition of this node, renews the node's lease, and hands over
//! children. Which partitions the node should hold is decided in `node`.
//!
//! If the database is unavailable, the node continues until its own deadline, which comes before
//! another node can take over; then its engines end immediately. Once the database is available
//! again, the node begins a new generation, with leases of new terms.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use fastjob_engine::Engine;
use jiff::SignedDuration;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    ClusterMap, Drains, Engines, children,
    heartbeat::{Heartbeat, Seen},
    node::{Node, RETIRE},
};
use crate::{
    clock::{Clock, wall_now},
    losses::Losses,
    metrics::Metrics,
    parts::{self, Ended},
    permit::{Deadline, Permit},
    sessions::Sessions,
    shell::{self, Around, Ending, EngineHandle},
    store::{
        self, ClusterStore, Lease, LoadStore, NodeRow,
        writer::{Listener, WriterHandle},
    },
    traces::Traces,
};

/// Timeout for loading a partition.
const LOAD: Duration = Duration::from_secs(60);
/// A difference between the clocks of two nodes that is worth a log line.
const AHEAD: SignedDuration = SignedDuration::from_secs(5);

/// The settings of a keeper.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long an executor may be without a session before it is considered lost.
    pub(crate) executor_lost: Duration,
    /// Time without heartbeats after which a node has lost its partitions to others.
    pub(crate) lease: Duration,
    /// Maximum number of jobs in the store.
    pub(crate) job_quota: fastjob_engine::JobQuota,
}

/// Keeps the partitions of one node.
pub(crate) struct Keeper {
    pub(crate) settings: Settings,
    /// Shared by all engines of the node.
    pub(crate) limits: fastjob_engine::Limits,
    pub(crate) store: Arc<dyn LoadStore>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) writer: WriterHandle,
    pub(crate) sessions: Sessions,
    pub(crate) engines: Engines,
    pub(crate) deadline: Deadline,
    pub(crate) map: ClusterMap,
    /// Known before an engine starts.
    pub(crate) drains: Drains,
    pub(crate) losses: Losses,
    pub(crate) traces: Traces,
    pub(crate) metrics: Metrics,
}

impl Listener for Engines {
    fn durable(&self, commits: &[(Lease, u64)]) {
        self.committed(commits);
    }

    fn over(&self, lease: Lease) {
        tracing::warn!(
            partition = lease.partition.0,
            term = lease.term,
            "the lease of a partition has ended: unpersisted decisions of this node are dropped"
        );
        self.remove(lease);
    }
}

impl Keeper {
    /// Runs the only engine of a store that this node does not share, until `stop` is cancelled.
    pub(crate) async fn alone(self, loaded: store::Loaded, stop: CancellationToken) {
        let lost = CancellationToken::new();
        let ending = Ending { lost: lost.clone(), retire: stop.clone() };
        self.hold(Lease::default(), &ending);
        let engine = self.engine(Lease::default(), loaded, self.deadline.permit(), ending);
        // A store that accepts no writes must not delay the shutdown.
        let limit = async {
            stop.cancelled().await;
            tokio::time::sleep(RETIRE).await;
            lost.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = engine => {}
            () = limit => {}
        }
    }

    /// Keeps this node's share of the partitions until `stop` is cancelled, or until one of its
    /// other loops ends unexpectedly. Then the engines persist their decisions, and the partitions
    /// are released.
    ///
    /// # Errors
    ///
    /// Names the loop that ended.
    pub(crate) async fn shared(
        self,
        cluster: Arc<dyn ClusterStore>,
        me: NodeRow,
        stop: CancellationToken,
    ) -> Result<(), Ended> {
        let (beats, heartbeat) = self.heartbeat(Arc::clone(&cluster), me.clone());
        // These loops end with this future, however it ends.
        let mut beside = JoinSet::new();
        let beating = CancellationToken::new();
        beside.spawn(parts::part("heartbeat", heartbeat.run(beating.clone())));
        let over = stop.child_token();
        let children = children::run(Arc::clone(&self.store), self.engines.clone(), over.clone());
        beside.spawn(parts::part("child starter", children));
        let mut node = Node::new(self, cluster, me);
        let ended = tokio::select! {
            () = node.run(beats, stop.clone()) => None,
            ended = beside.join_next() => ended.and_then(Result::ok),
        };
        let ended = match ended {
            // The node ended because the heartbeat did: report why that ended.
            None if !stop.is_cancelled() => beside.join_next().await.and_then(Result::ok),
            ended => ended,
        };
        // During a shutdown every loop ends, so that is not an error.
        let ended = ended.filter(|_| !stop.is_cancelled());
        over.cancel();
        // Beat until the last engine has ended: its final writes need the lease.
        node.release_all().await;
        beating.cancel();
        while let Some(late) = beside.join_next().await {
            if let Ok(Ended { part, panic: Some(panic) }) = late {
                tracing::error!(part, panic, "a part panicked while the node was shutting down");
            }
        }
        node.leave().await;
        ended.map_or(Ok(()), Err)
    }

    /// The loop that renews the lease, and the receiver of its views.
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
            engines: self.engines.clone(),
            deadline: self.deadline.clone(),
            stale: Arc::clone(&self.map.stale),
            seen,
        };
        (beats, heartbeat)
    }

    /// Adds an acquired partition. Executors are notified before it is loaded, because they stop
    /// exclusive attempts of a partition that has no known owner.
    pub(super) fn hold(&self, lease: Lease, ending: &Ending) {
        self.metrics.leases.acquired.fetch_add(1, Relaxed);
        self.engines.add(lease, ending.lost.clone());
        self.sessions.claim_all(&[lease]);
    }

    /// Loads a partition from the store.
    pub(super) async fn load(&self, lease: Lease) -> store::Result<store::Loaded> {
        let partition = lease.partition;
        self.drains.refresh().await?;
        let loaded = in_time(LOAD, "load a partition", self.store.load(partition)).await?;
        self.map.trouble(partition, None);
        let now = self.clock.now().wall;
        if let Some(last) = loaded.clock.filter(|last| last.duration_since(now) > AHEAD) {
            tracing::warn!(
                partition = partition.0,
                until = %last,
                "the previous owner of the partition had a clock ahead of this node's: the \
                 partition's schedules are paused until then. If that takes too long, see \
                 `fastjob repair clock`"
            );
        }
        tracing::info!(
            partition = partition.0,
            term = lease.term,
            open_attempts = loaded.open.len(),
            "partition acquired"
        );
        Ok(loaded)
    }

    /// An engine that continues from the loaded state. Its loop ends with the lease, or with the
    /// generation of the permit.
    pub(super) fn engine(
        &self,
        lease: Lease,
        loaded: store::Loaded,
        permit: Permit,
        ending: Ending,
    ) -> impl Future<Output = Lease> + Send + 'static + use<> {
        let facts = self.engines.facts();
        let config = fastjob_engine::Config {
            executor_lost: self.settings.executor_lost,
            seed: rand::random(),
            lease,
            partitions: facts.partitions,
            since: facts.since,
            job_quota: self.settings.job_quota,
            traces: self.traces.sampler(),
        };
        let limits = self.limits.clone();
        let (handle, inbox) = EngineHandle::new(self.engines.health().clone());
        if let Some(loading) = self.engines.start(lease, handle) {
            for session in &loading.dropped {
                self.sessions.claim_again(*session, lease);
            }
            loading.has_started();
        }
        let around = Around {
            clock: Arc::clone(&self.clock),
            writer: self.writer.clone(),
            sessions: self.sessions.clone(),
            losses: self.losses.clone(),
            traces: self.traces.clone(),
            metrics: self.metrics.clone(),
            permit,
            lease,
        };
        // Created in the engine's own task, so that a panic only affects this engine.
        async move {
            let mut engine = Engine::new(config, limits, loaded, around.clock.now());
            if around.metrics.jobs.are_counted() {
                engine.count_by_job();
            }
            shell::run(engine, around, inbox, ending).await
        }
    }
}

/// Runs a store operation with a timeout.
pub(super) async fn in_time<T>(
    most: Duration,
    doing: &'static str,
    work: impl Future<Output = store::Result<T>>,
) -> store::Result<T> {
    let late = |_| store::Error::TimedOut { doing };
    tokio::time::timeout(most, work).await.map_err(late)?
}

/// The row of this node: an id for this run of the process, and its address.
pub(crate) fn node(address: String) -> NodeRow {
    NodeRow {
        id: store::NodeId(uuid::Uuid::new_v4().simple().to_string()),
        address,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: wall_now(),
    }
}
