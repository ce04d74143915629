//! The executor: it builds its parts, runs them, and stops them together.

mod builder;

use std::{path::PathBuf, sync::Arc, time::Duration};

use fastjob_core::{ExecutorName, ServiceName, wire::ExecutorKey};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    apart::{self, ApartError},
    builtin,
    clock::Clock,
    config::{ConfigError, ExecutorConfig, Problem},
    failure::{Failure, Parts},
    figures::Figures,
    logs::{Capture, LogError, Logs},
    registry::{Discovery, Registration, Registry, RegistryError},
    runtime::Runtime,
    session::{Identity, Link, Peers, Place},
};

/// How long a stopping process waits for attempt logs to reach the disk.
const LOGS: Duration = Duration::from_secs(5);

/// Why an executor could not start, or why it ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// The settings could not be read.
    #[error("could not read the configuration")]
    Config(#[from] ConfigError),
    /// The settings are invalid.
    #[error("the configuration is invalid: {0}")]
    Invalid(String),
    /// The handlers cannot be registered together.
    #[error("could not set up the handlers")]
    Registry(#[from] RegistryError),
    /// The attempt logs cannot be written.
    #[error("could not set up the attempt logs")]
    Logs(#[from] LogError),
    /// The CA certificate cannot be read.
    #[error("could not read the certificate {path}")]
    CaCert {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The executor's own thread could not be started.
    #[error("could not start the executor's own thread")]
    Thread(#[source] std::io::Error),
    /// A part of the executor ended unexpectedly, which is a bug in this library. The whole
    /// executor has ended with it. Running attempts were aborted; they are retried or fail
    /// according to their jobs. Restart the process.
    #[error("the executor ended because {part} failed: {why}")]
    Failed {
        /// The part, such as a link to a coordinator.
        part: String,
        /// The panic message, or another cause.
        why: String,
    },
}

impl From<Failure> for ExecutorError {
    fn from(Failure { part, why }: Failure) -> Self {
        Self::Failed { part, why }
    }
}

/// Runs the handlers of a service.
pub struct Executor;

impl Executor {
    /// An executor of a service, with the default settings.
    pub fn builder(app_name: impl Into<String>) -> Builder {
        let config = ExecutorConfig { app_name: app_name.into(), ..ExecutorConfig::default() };
        Builder { config, handlers: Vec::new(), discovery: Discovery::On }
    }

    /// An executor with the settings of `fastjob.toml` and the `FASTJOB_…` variables.
    ///
    /// # Errors
    ///
    /// Fails with [`ExecutorError::Config`] if they cannot be read, or a variable is misspelled.
    pub fn configured() -> Result<Builder, ExecutorError> {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        ExecutorConfig::check_variables(names)?;
        let config = ExecutorConfig::load(None, |name| std::env::var(name).ok())?;
        Ok(Builder { config, handlers: Vec::new(), discovery: Discovery::On })
    }
}

/// Settings and handlers of an executor.
pub struct Builder {
    config: ExecutorConfig,
    handlers: Vec<Registration>,
    discovery: Discovery,
}

impl Builder {
    /// Runs until `stop` fires. If a coordinator is unavailable, the executor reconnects until it
    /// is back; it never ends because of a coordinator.
    ///
    /// On stop, the executor drains. It accepts no more work, returns attempts that have not been
    /// entered or that still arrive, lets running handlers end within the grace period, and
    /// delivers their outcomes. It ends when every connected coordinator has confirmed this. If a
    /// connection is lost before that, it waits for the next coordinator. All this may take the
    /// rest of the grace period, and at least 5 s.
    ///
    /// Handlers run on the tokio runtime that this is called on. The executor itself runs on its
    /// own thread, so handlers that block do not disconnect it.
    ///
    /// # Errors
    ///
    /// Fails with [`ExecutorError`] if the settings, the handlers or the log path are invalid, and
    /// with [`ExecutorError::Failed`] if a part of the executor panicked: it never stays partly
    /// alive.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ExecutorError> {
        let config = self.config;
        let all = |problems: Vec<Problem>| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            ExecutorError::Invalid(problems.join("; "))
        };
        let problems = config.check();
        if !problems.is_empty() {
            return Err(all(problems));
        }
        builtin::hide(&config.allow_commands).map_err(|problem| all(vec![problem]))?;
        let invalid = |err: fastjob_core::InvalidName| ExecutorError::Invalid(err.to_string());
        let service: ServiceName = config.app_name.parse().map_err(invalid)?;
        let name: ExecutorName = config.name().parse().map_err(invalid)?;
        let mut registry = Registry::collect(&service, self.discovery, self.handlers)?;
        let builtins = builtin::handlers(&config.allow_commands, &config.allow_http);
        for (name, description, handler) in builtins.map_err(all)? {
            registry.add_builtin(name, description, handler)?;
        }
        for name in registry.unregistered() {
            tracing::warn!(
                handler = name,
                "a stateful handler was not registered and is skipped: pass its value to \
                 `handler`"
            );
        }
        let ca_cert = match &config.ca_cert {
            None => None,
            Some(path) => Some(
                std::fs::read(path)
                    .map_err(|source| ExecutorError::CaCert { path: path.clone(), source })?,
            ),
        };
        let logs = Logs::open(&config.log_path, config.log_retention_days)?;
        // 122 random bits from the operating system.
        let secret = uuid::Uuid::new_v4().simple().to_string();
        let key = config.token().map(|token| ExecutorKey::of_token(&token.0));
        tracing::info!(%service, executor = %name, "executor started");
        let registry = Arc::new(registry);
        let runtime = Runtime::new(
            Arc::clone(&registry),
            logs.clone(),
            Capture::new(),
            config.capacity,
            Clock::default(),
        );
        let works = Works {
            identity: Identity {
                service,
                name,
                secret,
                registry,
                figures: Figures::new(),
                config,
                key,
                ca_cert,
            },
            runtime,
            logs,
        };
        match apart::run(works.run(stop)).await {
            Ok(ended) => Ok(ended?),
            Err(ApartError::Start(source)) => Err(ExecutorError::Thread(source)),
            Err(ApartError::Panicked(why)) => {
                Err(Failure { part: "the executor's own thread".to_owned(), why }.into())
            }
        }
    }
}

/// Everything that runs beside the handlers.
struct Works {
    identity: Identity,
    runtime: Runtime,
    logs: Logs,
}

/// When the executor ends, for any reason, its attempts end too.
struct EndsAll(Runtime);

impl Drop for EndsAll {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl Works {
    /// Runs until `stop` fires, then drains.
    async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let Self { identity, runtime, logs } = self;
        let _ends_all = EndsAll(runtime.clone());
        let grace = identity.config.stop_grace;
        let addresses = identity.config.admin_addresses.clone();
        let identity = Arc::new(identity);
        let peers = Peers::default();
        let failures = logs.failures();
        // Links end when everything has been delivered, or at the deadline.
        let done = CancellationToken::new();
        let mut parts = Parts::default();
        let (linked, failing, stopping) = (runtime.clone(), failures.clone(), done.clone());
        parts.spawn("the link manager", async move {
            let run = |number, place: Place, stop| {
                let (identity, runtime) = (Arc::clone(&identity), linked.clone());
                let Place { address, node } = place;
                Link { number, address, node, identity, runtime, peers: peers.clone(), stop }.run()
            };
            peers.keep_links(&addresses, (&failing, &stopping), run).await;
        });
        let (sweeping, sweeper) = (done.clone(), logs.clone());
        parts.spawn("the log sweeper", async move { sweeper.sweep_loop(sweeping).await });
        let (watching, watched) = (done.clone(), runtime.clone());
        parts.spawn("the silence watchdog", async move { watched.watch_silence(watching).await });
        let (watching, watched) = (done.clone(), runtime.clone());
        parts.spawn("the attempt watchdog", async move {
            watched.watch_attempts(watching).await;
        });
        let ends = async {
            stop.cancelled().await;
            tracing::info!("executor is stopping");
            runtime.leave();
            runtime.drain(grace).await;
        };
        tokio::select! {
            () = ends => {}
            () = failures.raised() => {}
            // No part may end before this.
            part = parts.next(&failures) => {
                if failures.first().is_none() {
                    failures.raise(part, "ended unexpectedly");
                }
            }
        }
        if failures.first().is_some() {
            runtime.give_up();
            runtime.flush().await;
        }
        if timeout(LOGS, logs.flush()).await.is_err() {
            tracing::warn!(
                waited = ?LOGS,
                "the last lines of attempt logs may be lost: writing them to disk timed out"
            );
        }
        done.cancel();
        parts.all(&failures).await;
        tracing::info!("executor stopped");
        failures.first().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests;
