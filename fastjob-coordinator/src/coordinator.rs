//! The one file that knows every part: it builds them, joins them, and stops them together.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use fastjob_core::ChannelName;

use crate::{
    alarm::{self, Alarm, Channel, Channels},
    bounds::{Bounds, Budget},
    clock::{self, Clock},
    cluster::{self, ClusterMap, Deadline, Engines, Keeper},
    config::{Config, CoordinatorConfig, LimitsConfig, StoreUrl},
    engine::JobQuota,
    ops::{Ops, Peers},
    rpc::{HelloLimits, Link, NodeCredit, Terms},
    server::{self, Bound, Guard, Limits, Plaintext, Server, Tls, TlsFiles, TlsMode},
    sessions::{self, Sessions},
    store::{self, ClusterStore, Store, postgres::Postgres, sqlite::Sqlite, writer::Writer},
    sweep,
};

/// How long a client may leave a response unread, besides the time that its size takes.
const UNREAD: Duration = Duration::from_secs(30);
/// How many bytes a client has to read in a second.
const SLOWEST: u64 = 64 * 1024;
/// How long the writer may take for the last commits once all else has stopped.
const LAST_COMMITS: Duration = Duration::from_secs(15);

/// Why a coordinator could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The settings do not fit together.
    #[error("the configuration is not right: {0}")]
    Config(String),
    /// The address would be open to others.
    #[error("{0}")]
    Exposed(String),
    /// The store cannot be used.
    #[error("{message}")]
    Store {
        /// What is wrong with it, and what to do.
        message: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The port cannot be used.
    #[error("{0}")]
    Listen(String),
}

/// Why a coordinator stopped by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// One of its loops ended, which is a fault.
    #[error("the {0} ended by itself")]
    LoopEnded(&'static str),
    /// The store could not be read.
    #[error("could not carry on from the store: {message}")]
    Store {
        /// What is wrong with it.
        message: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// It was told to stop while the store could not be written, and took the last decisions along.
    #[error(
        "stopped with decisions of the last {} ms that were not written, for the store did not \
         take them: what was recorded before holds, and the next start goes on from there",
        waited.as_millis()
    )]
    Unwritten {
        /// How long the oldest of them had waited for the store.
        waited: Duration,
    },
}

impl RunError {
    fn load(err: store::Error) -> Self {
        let message = err.to_string();
        let source = std::error::Error::source(&err).is_some().then(|| Box::new(err) as _);
        Self::Store { message, source }
    }
}

/// A coordinator that has its store and its port, and is ready to run.
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
    guard: Guard,
    tls: Option<Tls>,
    store: Opened,
    facts: store::StoreFacts,
    peers: Peers,
    channels: Channels,
}

/// Settings of a coordinator that is to be embedded.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    config: Config,
    alarms: BTreeMap<String, Channel>,
}

impl Builder {
    /// Takes all settings from a configuration.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The address to listen on; port 0 takes a free one. Default: `127.0.0.1:7070`.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.config.coordinator.listen = address;
        self
    }

    /// The file of the embedded store, which is created if it is not there.
    #[must_use]
    pub fn sqlite(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.config.coordinator.store = StoreUrl::Sqlite(path.into());
        self
    }

    /// The store, of any kind: `"postgres://user:password@host/database".parse()?` is one that
    /// several coordinators may share.
    #[must_use]
    pub fn store(mut self, store: StoreUrl) -> Self {
        self.config.coordinator.store = store;
        self
    }

    /// The token that executors and callers have to carry.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.config.coordinator.token = Some(token.into().into());
        self
    }

    /// A channel of one's own that jobs can name; it wins over a configured one of that name.
    #[must_use]
    pub fn alarm(mut self, name: impl Into<String>, alarm: impl Alarm + 'static) -> Self {
        self.alarms.insert(name.into(), Channel::custom(alarm));
        self
    }

    /// Opens the store and the port.
    ///
    /// # Errors
    ///
    /// Fails with [`StartError`] if a setting is wrong, the address would be open to others without
    /// a token or TLS, the store is in use, unreadable or newer, or the port is taken.
    pub async fn bind(self) -> Result<Coordinator, StartError> {
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
        // The port first: a second coordinator on this machine is told so before it touches a file.
        let bound = Server::bind(config.coordinator.listen).map_err(|err| {
            let cause = std::error::Error::source(&err).map(|cause| format!(": {cause}"));
            StartError::Listen(format!("{err}{}", cause.unwrap_or_default()))
        })?;
        let store = open_store(&config).await?;
        let facts = store.whole().facts().await.map_err(store_error)?;
        let config = config.coordinator;
        let peers = peers(&config)?;
        Ok(Coordinator { config, bound, guard, tls, store, facts, peers, channels })
    }
}

/// Who is let in, and how the port is encrypted; refused if that leaves it open to others.
fn safety(config: &CoordinatorConfig) -> Result<(Guard, Option<Tls>), StartError> {
    let token = config
        .token
        .as_ref()
        .map(|token| server::Token::new(token.expose()))
        .transpose()
        .map_err(|err| StartError::Config(err.to_string()))?;
    let mode = if config.tls.is_some() { TlsMode::On } else { TlsMode::Off };
    let plaintext = if config.insecure_plaintext { Plaintext::Allowed } else { Plaintext::Refused };
    server::check_exposure(config.listen, token.as_ref(), mode, plaintext)
        .map_err(|err| StartError::Exposed(err.to_string()))?;
    let tls = load_tls(config).map_err(StartError::Config)?;
    Ok((token.into(), tls))
}

/// The certificate and its key, if there are to be any; or why there is no TLS with them.
pub(crate) fn load_tls(config: &CoordinatorConfig) -> Result<Option<Tls>, String> {
    let Some(tls) = &config.tls else { return Ok(None) };
    let files = TlsFiles { cert: tls.cert.clone(), key: tls.key.clone() };
    files.load().map(Some).map_err(|err| {
        let cause = std::error::Error::source(&err).map(|cause| format!(": {cause}"));
        format!("{err}{}", cause.unwrap_or_default())
    })
}

/// The way to the other nodes: they have this node's token, and its certificate or one of the
/// system's.
fn peers(config: &CoordinatorConfig) -> Result<Peers, StartError> {
    let token = config.token.as_ref().map(|token| token.expose().to_owned());
    let roots = match &config.tls {
        Some(tls) => std::fs::read(&tls.cert).map_err(|err| StartError::Config(err.to_string()))?,
        None => Vec::new(),
    };
    Peers::new(token, &roots).map_err(|err| StartError::Config(err.to_string()))
}

/// An open store.
enum Opened {
    /// One coordinator has it to itself.
    Alone(Arc<Sqlite>),
    /// Several may have it.
    Shared(Arc<Postgres>),
}

impl Opened {
    fn whole(&self) -> Arc<dyn Store> {
        match self {
            Self::Alone(store) => Arc::clone(store) as _,
            Self::Shared(store) => Arc::clone(store) as _,
        }
    }

    /// What nodes share it by, if they do.
    fn cluster(&self) -> Option<Arc<dyn ClusterStore>> {
        match self {
            Self::Alone(_) => None,
            Self::Shared(store) => Some(Arc::clone(store) as _),
        }
    }
}

async fn open_store(config: &Config) -> Result<Opened, StartError> {
    Ok(match &config.coordinator.store {
        StoreUrl::Sqlite(path) => {
            Opened::Alone(Arc::new(Sqlite::open(path).await.map_err(store_error)?))
        }
        StoreUrl::Postgres(url) => {
            Opened::Shared(Arc::new(Postgres::open(url).await.map_err(store_error)?))
        }
    })
}

fn store_error(err: store::Error) -> StartError {
    let message = err.to_string();
    let source = std::error::Error::source(&err).is_some().then(|| Box::new(err) as _);
    StartError::Store { message, source }
}

/// Brings the store's schema up to this release.
///
/// # Errors
///
/// Fails with [`StartError::Store`] if the store is in use, unreadable or newer.
pub async fn migrate(config: &Config) -> Result<(), StartError> {
    let store = open_store(config).await?.whole();
    store.close().await.map_err(store_error)
}

impl Coordinator {
    /// Settings for one that is to be embedded.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.bound.local_addr()
    }

    /// Runs until told to stop; what was handed to the store is written before it returns.
    ///
    /// # Errors
    ///
    /// Fails with [`RunError`] if a part ends by itself, or if the store does not take the last of
    /// what was decided.
    pub async fn run(self, stop: CancellationToken) -> Result<(), RunError> {
        let Self { config: settings, bound, guard, tls, store, facts, peers, channels } = self;
        let clock = Arc::new(Clock::start());
        let limits = &settings.limits;
        let sessions = Sessions::new(sessions::Limits {
            sessions: limits.max_sessions as usize,
            per_service: limits.max_sessions_per_service as usize,
            hellos: usize::try_from(limits.max_hellos.0).unwrap_or(usize::MAX),
        });
        let (whole, shared) = (store.whole(), store.cluster());
        let me = cluster::node(settings.advertised(bound.local_addr()));
        let (map, deadline) = match &shared {
            Some(_) => (ClusterMap::of(me.id.clone()), Deadline::passed()),
            None => (ClusterMap::alone(me.clone()), Deadline::never()),
        };
        tracing::info!(listen = %bound.local_addr(), store = %settings.store, "coordinator started");
        // The writer outlives the rest, so that what was decided is written.
        let writing = CancellationToken::new();
        let (writer, writer_handle) = Writer::new(Arc::clone(&whole));
        let engines = Engines::new(
            facts.clone(),
            Arc::clone(&clock),
            deadline.clone(),
            writer_handle.health(),
        );
        let ops = Ops {
            engines: engines.clone(),
            map: map.clone(),
            peers,
            store: Arc::clone(&whole),
            sessions: sessions.clone(),
            channels: channels.clone(),
        };
        let link = Link {
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
            limits: HelloLimits {
                bytes: limits.max_hello.0,
                jobs: limits.max_declared_jobs as usize,
            },
            credit: NodeCredit::default(),
            stop: stop.clone(),
        };
        let keeper = Keeper {
            settings: cluster::Settings {
                executor_lost: settings.executor_lost,
                lease: settings.lease,
                quota: JobQuota { jobs: limits.max_jobs, bytes: limits.max_job_definitions.0 },
            },
            store: Arc::clone(&whole),
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
        let mut loops = JoinSet::new();
        let mut last = JoinSet::new();
        let writing_stop = writing.clone();
        last.spawn(async move { writer.run(writing_stop, engines).await });
        match shared {
            Some(cluster) => {
                loops.spawn(named("keeper", keeper.shared(cluster, me, stop.child_token())));
            }
            None => {
                let loaded = whole.load(store::Partition(0)).await.map_err(RunError::load)?;
                if let Some(last) = loaded.clock {
                    // What was done before this start was not done later than what follows.
                    clock.not_before(last);
                }
                loops.spawn(named("engine", keeper.alone(loaded, stop.child_token())));
            }
        }
        loops.spawn(named(
            "sweep of the history",
            sweep::run(Arc::clone(&whole), swept, settings.history, stop.child_token()),
        ));
        loops.spawn(named("watch of the clock", clock::watch(clock, stop.child_token())));
        loops.spawn(named(
            "sender of alarms",
            alarm::run(Arc::clone(&whole), channels, turn, stop.child_token()),
        ));
        let app = server::app(ops, link.into_router(), guard, bounds(limits));
        let drain = settings.drain;
        let most = usize::try_from(settings.max_connections).unwrap_or(usize::MAX);
        let limits = Limits { connections: most, ..Limits::default() };
        let serving = bound.serve(app, tls, limits, stop.child_token(), drain);
        loops.spawn(named("server", serving));

        // Told to stop, or a part has a fault: all stop.
        let first = loops.join_next().await;
        let told = stop.is_cancelled();
        stop.cancel();
        let rest = async { while loops.join_next().await.is_some() {} };
        if tokio::time::timeout(drain + Duration::from_secs(2), rest).await.is_err() {
            tracing::warn!("a part did not stop in time");
        }
        loops.abort_all();
        writing.cancel();
        let unwritten = match tokio::time::timeout(LAST_COMMITS, last.join_next()).await {
            Ok(Some(Ok(Ok(())))) | Ok(None) => None,
            Ok(Some(Ok(Err(unwritten)))) => Some(unwritten.waited),
            // A store that neither takes nor refuses them, or a fault.
            Ok(Some(Err(_))) | Err(_) => Some(LAST_COMMITS),
        };
        match tokio::time::timeout(Duration::from_secs(5), whole.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(err)) => {
                tracing::warn!(error = &err as &dyn std::error::Error, "the store was not closed");
            }
            Err(_) => tracing::warn!("the store did not close in time"),
        }
        tracing::info!("coordinator stopped");
        match first {
            Some(Ok(name)) if !told => Err(RunError::LoopEnded(name)),
            Some(Err(_)) if !told => Err(RunError::LoopEnded("part that panicked")),
            _ => unwritten.map_or(Ok(()), |waited| Err(RunError::Unwritten { waited })),
        }
    }
}

/// What the port lets requests take.
fn bounds(limits: &LimitsConfig) -> Bounds {
    let followers = Arc::new(Semaphore::new(limits.max_log_followers as usize));
    Bounds {
        requests: Budget::new(limits.max_request_memory.0, "coordinator.limits.max_request_memory"),
        responses: Budget::new(
            limits.max_response_memory.0,
            "coordinator.limits.max_response_memory",
        ),
        followers,
        unread: UNREAD,
        slowest: SLOWEST,
    }
}

async fn named(name: &'static str, part: impl Future<Output = ()>) -> &'static str {
    part.await;
    name
}
