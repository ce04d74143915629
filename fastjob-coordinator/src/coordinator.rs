//! The one file that knows every part: it builds, connects and stops them together.

mod error;
mod handle;
pub(crate) mod limits;
mod open;
pub(crate) mod repair;
#[cfg(test)]
mod tests;
mod transport;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use fastjob_core::{ChannelName, wire::ExecutorKey};

pub(crate) use self::transport::load_tls;
pub use self::{
    error::{RunError, StartError},
    handle::Handle,
    open::migrate,
};
use self::{
    handle::Handles,
    open::{Opened, store_error},
    transport::{peers, safety},
};
use crate::{
    alarm::{self, Alarm, Channel, Channels},
    clock::{self, Clock, Witness},
    cluster::{self, ClusterMap, Engines, Keeper},
    config::{Config, CoordinatorConfig, StoreUrl},
    ops::{Credential, Feeds, Handshakes, Ops, Peers},
    parts::{Ended, caught, part, whole},
    permit::Deadline,
    rpc::{Link, NodeCredit, Terms},
    server::{self, Bound, Door, Guard, Server, Tls},
    sessions::Sessions,
    store::{self, NodeRow, writer::Writer},
    sweep,
};

/// How long to wait for the part that caused the writer to end.
const CAUSE: Duration = Duration::from_secs(1);
/// How long the writer may take for the last commits once all other parts have stopped.
const LAST_COMMITS: Duration = Duration::from_secs(15);

/// A coordinator that has opened its store and bound its port, and is ready to run.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use fastjob_coordinator::{CancellationToken, Coordinator};
///
/// let stop = CancellationToken::new();
/// let coordinator =
///     Coordinator::builder().listen("127.0.0.1:7070".parse()?).sqlite("jobs.db").bind().await?;
/// coordinator.run(stop).await?;
/// # Ok(())
/// # }
/// ```
pub struct Coordinator {
    config: CoordinatorConfig,
    bound: Bound,
    connections: server::Limits,
    guard: Guard,
    /// The key with which executors and this node authenticate each other.
    executor_key: Option<ExecutorKey>,
    tls: Option<Tls>,
    store: Opened,
    facts: store::StoreFacts,
    me: NodeRow,
    peers: Peers,
    channels: Channels,
    handles: Handles,
}

/// Settings of an embedded coordinator.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    config: Config,
    alarms: BTreeMap<String, Channel>,
}

impl Builder {
    /// Uses all settings of a configuration.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The address to listen on; port 0 selects a free port. Default: `127.0.0.1:7070`.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.config.coordinator.listen = address;
        self
    }

    /// The file of the embedded store, which is created if it does not exist.
    #[must_use]
    pub fn sqlite(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.config.coordinator.store = StoreUrl::Sqlite(path.into());
        self
    }

    /// The store, of any kind. A PostgreSQL store,
    /// `"postgres://user:password@host/database".parse()?`, can be shared by several coordinators.
    #[must_use]
    pub fn store(mut self, store: StoreUrl) -> Self {
        self.config.coordinator.store = store;
        self
    }

    /// The token that executors and callers must present.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.config.coordinator.token = Some(token.into().into());
        self
    }

    /// A custom alarm channel that jobs can name; it takes precedence over a configured channel of
    /// that name.
    #[must_use]
    pub fn alarm(mut self, name: impl Into<String>, alarm: impl Alarm + 'static) -> Self {
        self.alarms.insert(name.into(), Channel::custom(alarm));
        self
    }

    /// Opens the store and binds the port. Raises the process's limit of open files
    /// (`RLIMIT_NOFILE`) as far as the system allows, and logs a warning if the connection limits
    /// had to be lowered to fit.
    ///
    /// # Errors
    ///
    /// Fails with [`StartError`] if a setting is invalid, the address would be exposed without a
    /// token or TLS, the store is in use, unreadable or newer, the port is taken, or the process
    /// may open too few files.
    pub async fn bind(self) -> Result<Coordinator, StartError> {
        self.bound().await
    }

    /// A function of its own, and not `async`: only so the future is compiled in this crate, and not
    /// again in each program that embeds a coordinator.
    fn bound(self) -> BoxFuture<'static, Result<Coordinator, StartError>> {
        Box::pin(self.open())
    }

    async fn open(self) -> Result<Coordinator, StartError> {
        let config = self.config;
        let problems = config.check_coordinator();
        if !problems.is_empty() {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            return Err(StartError::Config(problems.join("; ")));
        }
        let mut custom = BTreeMap::new();
        for (name, channel) in self.alarms {
            let parsed: Result<ChannelName, _> = name.parse();
            let name = parsed.map_err(|err| StartError::Config(format!("alarms: {err}")))?;
            custom.insert(name, channel);
        }
        let channels = Channels::new(&config.alarms, &custom).map_err(StartError::Config)?;
        let (guard, tls) = safety(&config.coordinator)?;
        let connections = limits::connections_that_fit(&config.coordinator)?;
        // Bind first: a second coordinator on this machine fails here, before it touches a file.
        let bound = Server::bind(config.coordinator.listen).map_err(|err| {
            let cause = std::error::Error::source(&err).map(|cause| format!(": {cause}"));
            StartError::Listen(format!("{err}{}", cause.unwrap_or_default()))
        })?;
        let store = Opened::open(&config).await?;
        let facts = store.whole.facts().await.map_err(store_error)?;
        let config = config.coordinator;
        let executor_key = config.token.as_ref().map(|token| ExecutorKey::of_token(token.expose()));
        let me = cluster::node(config.advertised(bound.local_addr()));
        let peers = peers(&config, Credential::new(facts.key.clone(), me.id.clone()))?;
        Ok(Coordinator {
            config,
            bound,
            connections,
            guard,
            executor_key,
            tls,
            store,
            facts,
            me,
            peers,
            channels,
            handles: Handles::new(),
        })
    }
}

impl Coordinator {
    /// Settings for an embedded coordinator.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.bound.local_addr()
    }

    /// Starts, stops and reads tasks without HTTP, while [`run`](Self::run) runs.
    pub fn handle(&self) -> Handle {
        self.handles.handle()
    }

    /// Runs until `stop` is cancelled. Decisions that were submitted to the store are persisted
    /// before it returns.
    ///
    /// # Errors
    ///
    /// Fails with [`RunError`] if a part ends unexpectedly, or if the store does not accept the
    /// final writes.
    pub async fn run(self, stop: CancellationToken) -> Result<(), RunError> {
        self.works(stop).await
    }

    /// As [`Builder::bound`].
    fn works(self, stop: CancellationToken) -> BoxFuture<'static, Result<(), RunError>> {
        Box::pin(self.work(stop))
    }

    async fn work(self, stop: CancellationToken) -> Result<(), RunError> {
        let Self {
            config: settings,
            bound,
            connections,
            guard,
            executor_key,
            tls,
            store,
            facts,
            me,
            peers,
            channels,
            handles,
        } = self;
        let Opened { whole: store, cluster: shared } = store;
        let witness = if shared.is_some() { Witness::Database } else { Witness::Uptime };
        let clock = Arc::new(Clock::start(witness));
        let limits = &settings.limits;
        let sessions = Sessions::new(limits::sessions(limits));
        let (map, deadline) = match &shared {
            Some(_) => (ClusterMap::of(me.id.clone()), Deadline::passed()),
            None => (ClusterMap::alone(me.clone()), Deadline::never()),
        };
        tracing::info!(listen = %bound.local_addr(), store = %settings.store, "coordinator started");
        // The writer outlives the other parts, so that their decisions are persisted.
        let writing = CancellationToken::new();
        let (writer, writer_handle) = Writer::new(Arc::clone(&store) as _);
        let engines = Engines::new(
            facts.clone(),
            Arc::clone(&clock),
            deadline.clone(),
            writer_handle.health(),
        );
        let handshakes = Arc::new(Handshakes::new(executor_key, Arc::clone(peers.credential())));
        let ops = Ops {
            engines: engines.clone(),
            map: map.clone(),
            peers,
            store: Arc::clone(&store),
            sessions: sessions.clone(),
            channels: channels.clone(),
            feeds: Feeds::default(),
        };
        handles.open(ops.clone());
        // Within the drain timeout, sessions last until the engines have ended, so that the
        // engines' last messages are delivered.
        let released = CancellationToken::new();
        let link = Link {
            handshakes: Arc::clone(&handshakes),
            ops: ops.clone(),
            engines: engines.clone(),
            map: map.clone(),
            sessions: sessions.clone(),
            terms: Terms {
                cluster: facts.cluster,
                node: me.id.0.clone(),
                beat: settings.beat,
                silence: settings.beat * 3,
                exclusive: settings.executor_lost * 3 / 5,
            },
            limits: limits::hello(limits),
            credit: NodeCredit::default(),
            released: released.clone(),
        };
        let keeper = Keeper {
            settings: cluster::Settings {
                executor_lost: settings.executor_lost,
                lease: settings.lease,
                job_quota: limits::jobs(limits),
            },
            limits: limits::tasks(limits),
            store: Arc::clone(&store) as _,
            clock: Arc::clone(&clock),
            writer: writer_handle,
            sessions,
            engines: engines.clone(),
            deadline,
            map,
        };
        let swept = sweep::Node { engines: engines.clone(), sessions: keeper.sessions.clone() };
        let senders = engines.clone();
        let turn: alarm::Turn = Arc::new(move |channel| senders.sends_to(channel));
        let mut loops: JoinSet<Ended> = JoinSet::new();
        let mut last = JoinSet::new();
        let writing_stop = writing.clone();
        last.spawn(caught(async move { writer.run(writing_stop, engines).await }));
        let until_released = released.drop_guard();
        match shared {
            Some(cluster) => {
                let keeping = keeper.shared(cluster, me, stop.child_token());
                loops.spawn(whole("keeper", async move {
                    let _until_released = until_released;
                    keeping.await
                }));
            }
            None => {
                let loaded = store.load(store::Partition(0)).await.map_err(RunError::load)?;
                if let Some(last) = loaded.clock {
                    // Time must not run backwards across a restart.
                    clock.not_before(last);
                }
                let keeping = keeper.alone(loaded, stop.child_token());
                loops.spawn(part("engine", async move {
                    let _until_released = until_released;
                    keeping.await;
                }));
            }
        }
        let sweep = sweep::run(
            Arc::clone(&store),
            swept,
            settings.history,
            Arc::clone(&clock),
            stop.child_token(),
        );
        loops.spawn(part("history cleanup", sweep));
        loops.spawn(part("clock watcher", clock::watch(clock.clone(), stop.child_token())));
        let alarms = alarm::run(Arc::clone(&store), channels, turn, clock, stop.child_token());
        loops.spawn(part("alarm sender", alarms));
        let door = Door::new(guard, handshakes);
        let app = server::app(ops, link.into_router(), door, limits::requests(limits));
        let drain = settings.drain;
        let serving = bound.serve(app, tls, connections, stop.child_token(), drain);
        loops.spawn(part("server", serving));

        // Whether one part fails or `stop` is cancelled, all parts stop.
        let (first, mut written) = tokio::select! {
            ended = loops.join_next() => (ended.and_then(Result::ok), None),
            ended = last.join_next() => {
                let written = ended.and_then(Result::ok);
                let panic = written.as_ref().and_then(|written| written.as_ref().err()).cloned();
                let mut first = Ended { part: "writer", panic };
                if first.panic.is_none() && !stop.is_cancelled() {
                    // The writer ends when all of its senders have: find the part that ended first.
                    let cause = tokio::time::timeout(CAUSE, loops.join_next()).await;
                    if let Ok(Some(Ok(cause))) = cause {
                        first = cause;
                    }
                }
                (Some(first), written)
            }
        };
        let asked_to_stop = stop.is_cancelled();
        if let Some(Ended { part, panic }) = first.as_ref().filter(|_| !asked_to_stop) {
            tracing::error!(part, panic, "a part ended unexpectedly, the coordinator shuts down");
        }
        stop.cancel();
        let rest = async {
            while let Some(ended) = loops.join_next().await {
                if let Ok(Ended { part, panic: Some(panic) }) = ended {
                    tracing::error!(part, panic, "a part panicked during shutdown");
                }
            }
        };
        if tokio::time::timeout(drain + Duration::from_secs(2), rest).await.is_err() {
            tracing::warn!("shutdown timed out, aborting the remaining parts");
        }
        loops.abort_all();
        drop(handles);
        writing.cancel();
        if written.is_none() {
            let last = tokio::time::timeout(LAST_COMMITS, last.join_next()).await;
            written = last.ok().flatten().and_then(Result::ok);
        }
        let writer_failed = match written {
            Some(Ok(Ok(()))) => None,
            Some(Ok(Err(unwritten))) => Some(RunError::Unwritten { waited: unwritten.waited }),
            Some(Err(panic)) => Some(Ended { part: "writer", panic: Some(panic) }.into()),
            // The store neither accepted nor rejected the last commits in time.
            None => Some(RunError::Unwritten { waited: LAST_COMMITS }),
        };
        match tokio::time::timeout(Duration::from_secs(5), store.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(err)) => {
                tracing::warn!(error = &err as &dyn std::error::Error, "could not close the store");
            }
            Err(_) => tracing::warn!("timed out closing the store"),
        }
        tracing::info!("coordinator stopped");
        match first {
            Some(ended) if !asked_to_stop => Err(ended.into()),
            Some(Ended { part, panic: Some(message) }) => Err(RunError::Panicked { part, message }),
            Some(_) | None => writer_failed.map_or(Ok(()), Err),
        }
    }
}
