//! Settings and handlers of an executor, and their check.

use std::{path::PathBuf, sync::Arc, time::Duration};

use fastjob_core::{ExecutorName, JobHandler, ServiceName};

use super::{Executor, ExecutorError};
use crate::{
    builtin::{self, CommandEntry},
    config::{ExecutorConfig, Problem},
    logs::Logs,
    metrics::ExecutorMetrics,
    middleware::{DynMiddleware, Middleware},
    registration::{IntoHandler, Registration},
    registry::{Discovery, Registry},
    signal::StopSignal,
    state::States,
};

/// Settings and handlers of an executor.
#[must_use = "`run` or `build` creates the executor"]
pub struct Builder {
    config: ExecutorConfig,
    handlers: Vec<Registration>,
    discovery: Discovery,
    states: States,
    layers: Vec<Box<dyn DynMiddleware>>,
    /// The settings that were made, each with the name that was used.
    named: Vec<(&'static str, &'static str)>,
    problems: Vec<Problem>,
    metrics: ExecutorMetrics,
}

impl Builder {
    /// Takes all settings from `config`.
    pub fn config(mut self, config: ExecutorConfig) -> Self {
        self.config = config;
        self
    }

    /// The service that the handlers belong to, in place of the one of
    /// [`Executor::builder`](crate::Executor::builder) or of the file.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.called("service", "service");
        self.config.service = service.into();
        self
    }

    /// Another name of [`service`](Self::service).
    pub fn app_name(mut self, service: impl Into<String>) -> Self {
        self.called("service", "app_name");
        self.config.service = service.into();
        self
    }

    /// The addresses of the coordinators. Default: `http://127.0.0.1:7070`.
    pub fn coordinators<T: Into<String>>(self, urls: impl IntoIterator<Item = T>) -> Self {
        self.set_coordinators("coordinators", urls)
    }

    /// Another name of [`coordinators`](Self::coordinators).
    pub fn admin_addresses<T: Into<String>>(self, urls: impl IntoIterator<Item = T>) -> Self {
        self.set_coordinators("admin_addresses", urls)
    }

    fn set_coordinators<T: Into<String>>(
        mut self,
        name: &'static str,
        urls: impl IntoIterator<Item = T>,
    ) -> Self {
        self.called("coordinators", name);
        self.config.coordinators = urls.into_iter().map(Into::into).collect();
        self
    }

    /// The executor's name within its service. It should stay the same across restarts.
    pub fn executor_name(mut self, name: impl Into<String>) -> Self {
        self.config.executor_name = Some(name.into());
        self
    }

    /// The address of this process, shown to users.
    pub fn ip(mut self, ip: impl Into<String>) -> Self {
        self.config.ip = Some(ip.into());
        self
    }

    /// The port of this process, shown to users and used as part of its name.
    pub fn port(mut self, port: u16) -> Self {
        self.config.port = Some(port);
        self
    }

    /// The token that the coordinators require.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.called("token", "token");
        self.config.set_token(token);
        self
    }

    /// Another name of [`token`](Self::token).
    pub fn access_token(mut self, token: impl Into<String>) -> Self {
        self.called("token", "access_token");
        self.config.set_token(token);
        self
    }

    /// Allows sessions in plain text beyond loopback also with a token, for networks that are
    /// protected otherwise.
    pub fn insecure_transport(mut self) -> Self {
        self.config.insecure_transport = true;
        self
    }

    /// The folder for attempt logs. Default: `fastjob-logs`.
    pub fn log_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.log_path = path.into();
        self
    }

    /// How many days attempt logs are kept; 0 keeps them forever. Default: 30.
    pub fn log_retention_days(mut self, days: u32) -> Self {
        self.config.log_retention_days = days;
        self
    }

    /// Maximum size of one attempt's log, in MiB: what follows is dropped, and the log says so.
    /// Default: 64.
    pub fn log_max_mib(mut self, mib: u32) -> Self {
        self.config.log_max_mib = mib;
        self
    }

    /// Adds a label that shard filters match.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.labels.insert(key.into(), value.into());
        self
    }

    /// Maximum number of attempts that run at the same time. Default: 10,000.
    ///
    /// A coordinator sends at most this many, including attempts that wait in their job's lane. If
    /// several coordinators share the work, attempts beyond this number wait for a free place.
    pub fn capacity(mut self, attempts: u32) -> Self {
        self.config.capacity = attempts;
        self
    }

    /// Enables `commandJobHandler` for these entries.
    ///
    /// If a command runs as the executor's own user, the process is marked as not dumpable on
    /// Linux, so that the command cannot read the service's environment and memory. The process
    /// then writes no core dump, and attaching a debugger needs root. [`CommandEntry::run_as`]
    /// avoids that.
    pub fn allow_commands(mut self, entries: impl IntoIterator<Item = CommandEntry>) -> Self {
        self.config.allow_commands = entries.into_iter().collect();
        self
    }

    /// Enables `httpJobHandler` for these hosts.
    ///
    /// A host is `api.example.org`, `api.example.org:8443`, `*.example.org`, an address or a
    /// network (`10.0.0.0/8`), or `any` for every public host. Addresses that are not public, such
    /// as loopback, link-local and private ones, must be listed explicitly.
    pub fn allow_http<T: Into<String>>(mut self, hosts: impl IntoIterator<Item = T>) -> Self {
        self.config.allow_http = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// How long a stopping process waits for running attempts to end and for outcomes to be
    /// delivered. Outcomes get at least 5 s after the last attempt has ended. Default: 30 s.
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.config.stop_grace = grace;
        self
    }

    /// Whether stateless annotated handlers are discovered automatically. Default: they are.
    pub fn discovery(mut self, discovery: Discovery) -> Self {
        self.discovery = discovery;
        self
    }

    /// Registers a handler with `#[job("…")]`: the value of a struct with state, or an `async fn` by
    /// its name. Structs without state and functions are also discovered; registering them is needed
    /// where [`discovery`](Self::discovery) is off.
    ///
    /// ```
    /// use fastjob_executor::{Discovery, prelude::*};
    ///
    /// #[job("report")]
    /// async fn report(ctx: &JobContext, month: u8) -> JobResult {
    ///     Ok(format!("month {month}").into())
    /// }
    ///
    /// # let logs = tempfile::tempdir().unwrap();
    /// let builder = Executor::builder("billing").discovery(Discovery::Off).handler(report);
    /// # let builder = builder.log_path(logs.path());
    /// let executor = builder.build()?;
    /// assert!(executor.handlers().any(|(name, _)| name == "report"));
    /// # Ok::<(), ExecutorError>(())
    /// ```
    #[track_caller]
    pub fn handler<M>(mut self, handler: impl IntoHandler<M>) -> Self {
        self.handlers.push(handler.into_registration());
        self
    }

    /// Registers a handler without annotation. It has no default job.
    #[track_caller]
    pub fn handler_named(mut self, name: impl Into<String>, handler: impl JobHandler) -> Self {
        self.handlers.push(Registration::named(name, handler));
        self
    }

    /// Provides a value to handlers that take [`State<T>`](crate::State) as an argument.
    ///
    /// ```standalone_crate
    /// use fastjob_executor::prelude::*;
    ///
    /// struct Db {
    ///     url: String,
    /// }
    ///
    /// #[job("report")]
    /// async fn report(db: State<Db>) -> JobResult {
    ///     Ok(format!("from {}", db.url).into())
    /// }
    ///
    /// # let logs = tempfile::tempdir().unwrap();
    /// let db = Db { url: "postgres://localhost".to_owned() };
    /// let builder = Executor::builder("billing").state(db);
    /// # let builder = builder.log_path(logs.path());
    /// let executor = builder.build()?; // fails if a handler takes a state that was not provided
    /// # Ok::<(), ExecutorError>(())
    /// ```
    pub fn state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.shared_state(Arc::new(value))
    }

    /// Provides a value that the service already shares, such as an `Arc<dyn Mailer>`, which handlers
    /// take as `State<dyn Mailer>`.
    pub fn shared_state<T: ?Sized + Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        self.states.add(value);
        self
    }

    /// Adds code that runs around every attempt: [`Middleware`]. The first one is the outermost: it
    /// is entered first and sees the outcome last.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.layers.push(Box::new(middleware));
        self
    }

    /// Adds the metrics of the executor to the service's own registry, as
    /// [`ExecutorMetrics::register`] does.
    #[cfg(feature = "metrics")]
    pub fn metrics(self, registry: &mut prometheus_client::registry::Registry) -> Self {
        self.metrics.register(registry);
        self
    }

    pub(super) fn new(config: ExecutorConfig) -> Self {
        Self {
            config,
            handlers: Vec::new(),
            discovery: Discovery::On,
            states: States::default(),
            layers: Vec::new(),
            named: Vec::new(),
            problems: Vec::new(),
            metrics: ExecutorMetrics::default(),
        }
    }

    /// Records under which of its names a setting is made.
    fn called(&mut self, key: &'static str, name: &'static str) {
        match self.named.iter().find(|(setting, _)| *setting == key) {
            Some((_, other)) if *other != name => {
                let message =
                    format!("`{other}` and `{name}` are the same setting: use one of them");
                self.problems.push(Problem { key, message });
            }
            Some(_) => {}
            None => self.named.push((key, name)),
        }
    }

    /// Checks the settings and the handlers, and opens the folder for attempt logs.
    ///
    /// # Errors
    ///
    /// Fails with [`ExecutorError`] if the settings, the handlers, the CA certificate or the log path
    /// are invalid. All problems of the settings are reported at once.
    pub fn build(self) -> Result<Executor, ExecutorError> {
        let Self { config, handlers, discovery, states, layers, problems, metrics, .. } = self;
        let problems: Vec<_> = problems.into_iter().chain(config.check()).collect();
        if !problems.is_empty() {
            return Err(ExecutorError::Invalid(problems));
        }
        let invalid = |key, err: fastjob_core::InvalidName| {
            ExecutorError::Invalid(vec![Problem { key, message: err.to_string() }])
        };
        let service: ServiceName = config.service.parse().map_err(|err| invalid("service", err))?;
        let name: ExecutorName =
            config.name().parse().map_err(|err| invalid("executor_name", err))?;
        let mut registry = Registry::collect(&service, discovery, handlers, &states)?;
        let builtins = builtin::handlers(&config.allow_commands, &config.allow_http);
        for (name, description, handler) in builtins.map_err(ExecutorError::Invalid)? {
            registry.add_builtin(name, description, handler)?;
        }
        registry.wrap(&layers.into());
        for name in registry.unregistered() {
            tracing::warn!(
                handler = name,
                "a stateful handler was not registered and is skipped: pass its value to \
                 `handler`"
            );
        }
        for state in states.unused() {
            tracing::warn!(state, "unused state: no handler takes a state of this type");
        }
        let ca_cert = match &config.ca_cert {
            None => None,
            Some(path) => Some(
                std::fs::read(path)
                    .map_err(|source| ExecutorError::CaCert { path: path.clone(), source })?,
            ),
        };
        let logs = Logs::open(&config.log_path, config.log_retention_days, config.log_max())?;
        logs.count_in(metrics.logs());
        let handlers = registry.iter().map(|(handler, _)| handler);
        metrics.describe(service.as_str(), name.as_str(), config.capacity, handlers);
        Ok(Executor { config, service, name, registry, ca_cert, logs, metrics })
    }

    /// [Builds](Self::build) the executor and [runs](Executor::run) it until Ctrl-C or SIGTERM.
    ///
    /// # Errors
    ///
    /// Fails if the executor cannot be built or run.
    pub async fn run(self) -> Result<(), ExecutorError> {
        self.build()?.run().await
    }

    /// [Builds](Self::build) the executor and [runs](Executor::run_until) it until `stop`: a
    /// [`CancellationToken`](crate::CancellationToken) that fires, or any future that ends.
    ///
    /// # Errors
    ///
    /// Fails if the executor cannot be built or run.
    pub async fn run_until<M>(self, stop: impl StopSignal<M>) -> Result<(), ExecutorError> {
        self.build()?.run_until(stop).await
    }
}
