//! What a node needs to keep its partitions: it runs an engine for each, renews its lease, and hands
//! over children. Which partitions those are is decided in `node`.
//!
//! When the database is away the node continues until its own deadline, which comes before another
//! node can take anything over; then its engines end where they are. When the database is back the
//! node begins a new generation, with leases of new terms.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    ClusterMap, Deadline, Engines, children,
    heartbeat::{Heartbeat, Seen},
    node::{Node, RETIRE},
    permit::Permit,
};
use crate::{
    clock::{Clock, wall_now},
    engine::{self, Engine},
    parts::{self, Ended},
    sessions::Sessions,
    shell::{self, Around, Ending, EngineHandle},
    store::{
        self, ClusterStore, Lease, LoadStore, NodeRow,
        writer::{Told, WriterHandle},
    },
};

/// How long it may take to load a partition.
const LOAD: Duration = Duration::from_secs(60);
/// By how much the clocks of nodes may differ before it is logged.
const AHEAD: SignedDuration = SignedDuration::from_secs(5);

/// What is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long an executor may be without a session.
    pub(crate) executor_lost: Duration,
    /// After how long a node that is not heard of has lost its partitions to others.
    pub(crate) lease: Duration,
    /// How many jobs the store may have.
    pub(crate) job_quota: engine::JobQuota,
}

/// Keeps the partitions of one node.
pub(crate) struct Keeper {
    pub(crate) settings: Settings,
    /// Of all engines of the node together.
    pub(crate) limits: engine::Limits,
    pub(crate) store: Arc<dyn LoadStore>,
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
    pub(crate) async fn alone(self, loaded: store::Loaded, stop: CancellationToken) {
        let lost = CancellationToken::new();
        let ending = Ending { lost: lost.clone(), retire: stop.clone() };
        self.hold(Lease::default(), &ending);
        let engine = self.engine(Lease::default(), loaded, self.deadline.permit(), ending);
        // A store that takes nothing does not hold up the end.
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

    /// Keeps this node's share of the partitions until told to stop, or until a loop beside it has
    /// ended by itself; then engines write what they have decided, and the partitions are free.
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
        // They end with this future, however it ends.
        let mut beside = JoinSet::new();
        let beating = CancellationToken::new();
        beside.spawn(parts::part("heartbeat", heartbeat.run(beating.clone())));
        let over = stop.child_token();
        let children = children::run(Arc::clone(&self.store), self.engines.clone(), over.clone());
        beside.spawn(parts::part("start of children", children));
        let mut node = Node::new(self, cluster, me);
        let ended = tokio::select! {
            () = node.run(beats, stop.clone()) => None,
            ended = beside.join_next() => ended.and_then(Result::ok),
        };
        let ended = match ended {
            // The node ends with the heartbeat, which says why that ended.
            None if !stop.is_cancelled() => beside.join_next().await.and_then(Result::ok),
            ended => ended,
        };
        // A loop that ends because all end is no reason.
        let ended = ended.filter(|_| !stop.is_cancelled());
        over.cancel();
        // It beats until the last engine has ended: what is still to be written needs the lease.
        node.release_all().await;
        beating.cancel();
        while let Some(late) = beside.join_next().await {
            if let Ok(Ended { part, panic: Some(panic) }) = late {
                tracing::error!(part, panic, "a part panicked while the node stopped");
            }
        }
        node.leave().await;
        ended.map_or(Ok(()), Err)
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
            engines: self.engines.clone(),
            deadline: self.deadline.clone(),
            stale: Arc::clone(&self.map.stale),
            seen,
        };
        (beats, heartbeat)
    }

    /// This node has acquired a partition. Executors hear so before it is loaded, because they stop
    /// exclusive attempts of a partition that they hear of no owner of.
    pub(super) fn hold(&self, lease: Lease, ending: &Ending) {
        self.engines.add(lease, ending.lost.clone());
        self.sessions.claim_all(&[lease]);
    }

    /// What the store has of a partition.
    pub(super) async fn load(&self, lease: Lease) -> store::Result<store::Loaded> {
        let partition = lease.partition;
        let loaded = in_time(LOAD, "load a partition", self.store.load(partition)).await?;
        self.map.trouble(partition, None);
        let now = self.clock.now().wall;
        if let Some(last) = loaded.clock.filter(|last| last.duration_since(now) > AHEAD) {
            tracing::warn!(
                partition = partition.0,
                until = %last,
                "the node that had the partition before had a clock that is ahead of this one's: \
                 its schedules are paused until then. If that takes too long, see \
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

    /// An engine that continues from what was loaded; its loop ends with the lease, and with the
    /// generation of the permit.
    pub(super) fn engine(
        &self,
        lease: Lease,
        loaded: store::Loaded,
        permit: Permit,
        ending: Ending,
    ) -> impl Future<Output = Lease> + Send + 'static + use<> {
        let facts = self.engines.facts();
        let config = engine::Config {
            executor_lost: self.settings.executor_lost,
            seed: rand::random(),
            lease,
            partitions: facts.partitions,
            since: facts.since,
            job_quota: self.settings.job_quota,
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
            permit,
            lease,
        };
        // Made in the engine's own task, so that a panic is the engine's.
        async move {
            let engine = Engine::new(config, loaded, around.clock.now()).limited(limits);
            shell::run(engine, around, inbox, ending).await
        }
    }
}

/// What the store does, unless it takes longer than it may.
pub(super) async fn in_time<T>(
    most: Duration,
    doing: &'static str,
    work: impl Future<Output = store::Result<T>>,
) -> store::Result<T> {
    let late = |_| store::Error::TimedOut { doing };
    tokio::time::timeout(most, work).await.map_err(late)?
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
