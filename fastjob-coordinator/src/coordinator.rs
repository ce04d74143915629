//! A coordinator: its settings, and what it opens before it runs.

mod error;
mod handle;
pub(crate) mod limits;
mod open;
#[cfg(feature = "cli")]
pub(crate) mod repair;
mod run;
#[cfg(test)]
mod tests;
mod transport;

use std::{collections::BTreeMap, net::SocketAddr};

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use fastjob_core::{ChannelName, wire::ExecutorKey};

#[cfg(feature = "cli")]
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
    alarm::{Alarm, Channel, Channels},
    archive::Archive,
    cluster,
    config::{Config, CoordinatorConfig, StoreUrl},
    ops::{Credential, Peers},
    server::{self, Bound, Guard, Server, Tls},
    store::{self, NodeRow},
};

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
    archive: Option<Archive>,
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
        self.config.coordinator.token_file = None;
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
        let mut config = self.config;
        // A program may have set the file itself.
        config.load_tokens();
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
        let archive = Archive::open(&config.coordinator.logs).await;
        let archive = archive.map_err(|err| StartError::Logs {
            store: config
                .coordinator
                .logs
                .store
                .clone()
                .map_or_else(String::new, |url| url.to_string()),
            why: err.to_string(),
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
            archive,
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
}
