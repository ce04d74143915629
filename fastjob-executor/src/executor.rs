//! The executor: built from settings and handlers, and then run.

mod builder;
mod error;
mod works;

use std::{pin::Pin, sync::Arc};

use fastjob_core::{ExecutorName, ServiceName, wire::ExecutorKey};
use tokio_util::sync::CancellationToken;

use self::works::Works;
pub use self::{builder::Builder, error::ExecutorError};
use crate::{
    builtin,
    clock::Clock,
    config::ExecutorConfig,
    failure::Failure,
    figures::Figures,
    logs::{Capture, Logs},
    metrics::ExecutorMetrics,
    own_thread::{self, ThreadError},
    registry::Registry,
    runtime::Runtime,
    session::Identity,
    signal::{self, Stop, StopSignal},
};

/// Runs the handlers of a service. [`builder`](Self::builder) has its settings, and
/// [`build`](Builder::build) checks them.
pub struct Executor {
    config: ExecutorConfig,
    service: ServiceName,
    name: ExecutorName,
    registry: Registry,
    ca_cert: Option<Vec<u8>>,
    logs: Logs,
    metrics: ExecutorMetrics,
}

type Ends = Pin<Box<dyn Future<Output = Result<(), ExecutorError>> + Send>>;

impl Executor {
    /// An executor of a service, with the default settings.
    pub fn builder(service: impl Into<String>) -> Builder {
        Builder::new(ExecutorConfig { service: service.into(), ..ExecutorConfig::default() })
    }

    /// An executor with the settings of `fastjob.toml` and the `FASTJOB_…` variables.
    ///
    /// # Errors
    ///
    /// Fails with [`ExecutorError::Config`] if they cannot be read, or a variable is misspelled.
    pub fn configured() -> Result<Builder, ExecutorError> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        });
        ExecutorConfig::check_variables(variables)?;
        let config = ExecutorConfig::load(None, |name| std::env::var(name).ok())?;
        Ok(Builder::new(config))
    }

    /// The service.
    pub fn service(&self) -> &str {
        self.service.as_str()
    }

    /// The executor's name within its service.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The name and the description of every handler, sorted by name.
    pub fn handlers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.registry.iter()
    }

    /// Its metrics, to be read while it runs.
    pub fn metrics(&self) -> ExecutorMetrics {
        self.metrics.clone()
    }

    /// Ends when a coordinator has accepted this executor, for a readiness probe or a test: from then
    /// on, jobs can be dispatched to it. Does not end if that never happens. Whether it is connected
    /// later is in its metrics: [`MetricsSnapshot::sessions`](crate::MetricsSnapshot::sessions).
    ///
    /// ```
    /// # use fastjob_executor::prelude::*;
    /// # async fn run(executor: Executor) -> Result<(), ExecutorError> {
    /// let connected = executor.connected();
    /// let mut running = std::pin::pin!(executor.run());
    /// tokio::select! {
    ///     ended = &mut running => return ended, // it could not start, or was stopped before
    ///     () = connected => {} // report that the service is ready
    /// }
    /// running.await
    /// # }
    /// ```
    pub fn connected(&self) -> impl Future<Output = ()> + Send + 'static {
        let metrics = self.metrics();
        async move { metrics.connected().await }
    }

    /// Runs until Ctrl-C or SIGTERM, and then drains, as [`run_until`](Self::run_until) describes. A
    /// second signal ends the process at once, with the exit status 130 or 143. On Windows, only
    /// Ctrl-C counts.
    ///
    /// A process that stops other things too shares one
    /// [`stop_on_signal`](crate::stop_on_signal) among them, and passes it to
    /// [`run_until`](Self::run_until).
    ///
    /// # Errors
    ///
    /// Fails like [`run_until`](Self::run_until), and with [`ExecutorError::Signals`] if the
    /// operating system does not let the process listen for signals.
    pub async fn run(self) -> Result<(), ExecutorError> {
        let stop = signal::stop_on_signal().map_err(ExecutorError::Signals)?;
        // When this has ended, for any reason, it no longer counts as stoppable.
        let _ended = stop.clone().drop_guard();
        self.until(Stop::Token(stop)).await
    }

    /// Runs until `stop`: a [`CancellationToken`] that fires, or any future that ends. If a
    /// coordinator is unavailable, the executor reconnects until it is back; it never ends because
    /// of a coordinator.
    ///
    /// On stop, the executor drains. It accepts no more work, returns attempts that have not been
    /// entered or that still arrive, lets running handlers end within the grace period, and
    /// delivers their outcomes. It ends when every connected coordinator has confirmed this. If a
    /// connection is lost before that, it waits for the next coordinator. All this may take the
    /// rest of the grace period, and at least 5 s.
    ///
    /// If this future is dropped, the executor does not drain: running attempts are aborted, and
    /// outcomes that no coordinator has confirmed are lost with them. So do not let another future
    /// of a `select!` drop it; stop it, and wait for its end.
    ///
    /// Handlers run on the tokio runtime that this is called on. The executor itself runs on its
    /// own thread, so handlers that block do not disconnect it.
    ///
    /// # Errors
    ///
    /// Fails with [`ExecutorError::Failed`] if a part of the executor panicked: it never stays
    /// partly alive. Fails with [`ExecutorError::Thread`] if its thread cannot be started.
    pub async fn run_until<M>(self, stop: impl StopSignal<M>) -> Result<(), ExecutorError> {
        self.until(stop.into_stop()).await
    }

    /// Boxed, so that programs do not compile all of the executor again.
    fn until(self, stop: Stop) -> Ends {
        match stop {
            Stop::Token(token) => Box::pin(self.work(token)),
            Stop::Future(stop) => Box::pin(async move {
                let token = CancellationToken::new();
                let mut ended = Box::pin(self.work(token.clone()));
                tokio::select! {
                    biased;
                    ended = &mut ended => return ended,
                    () = stop => token.cancel(),
                }
                ended.await
            }),
        }
    }

    async fn work(self, stop: CancellationToken) -> Result<(), ExecutorError> {
        let Self { config, service, name, registry, ca_cert, logs, metrics } = self;
        builtin::hide(&config.allow_commands)
            .map_err(|problem| ExecutorError::Invalid(vec![problem]))?;
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
        runtime.count_in(&metrics);
        let figures = Figures::new();
        let identity =
            Identity { service, name, secret, registry, figures, metrics, config, key, ca_cert };
        match own_thread::run(Works { identity, runtime, logs }.run(stop)).await {
            Ok(ended) => Ok(ended?),
            Err(ThreadError::Start(source)) => Err(ExecutorError::Thread(source)),
            Err(ThreadError::Panicked(why)) => {
                Err(Failure { part: "the executor's own thread".to_owned(), why }.into())
            }
        }
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executor")
            .field("service", &self.service)
            .field("name", &self.name)
            .field("handlers", &self.registry)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
