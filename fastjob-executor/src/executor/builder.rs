//! What an executor can be told before it runs.

use std::{path::PathBuf, time::Duration};

use fastjob_core::JobHandler;

use super::Builder;
use crate::{
    builtin::CommandEntry,
    config::ExecutorConfig,
    registry::{Declared, Discovery, Registration},
};

impl Builder {
    /// Takes all settings from `config`.
    #[must_use]
    pub fn config(mut self, config: ExecutorConfig) -> Self {
        self.config = config;
        self
    }

    /// Where the coordinators are. Default: `http://127.0.0.1:7070`.
    #[must_use]
    pub fn admin_addresses<T: Into<String>>(
        mut self,
        addresses: impl IntoIterator<Item = T>,
    ) -> Self {
        self.config.admin_addresses = addresses.into_iter().map(Into::into).collect();
        self
    }

    /// The executor's name within its service, which should be the same after a restart.
    #[must_use]
    pub fn executor_name(mut self, name: impl Into<String>) -> Self {
        self.config.executor_name = Some(name.into());
        self
    }

    /// The address of this process, for people.
    #[must_use]
    pub fn ip(mut self, ip: impl Into<String>) -> Self {
        self.config.ip = Some(ip.into());
        self
    }

    /// The port of this process, for people and as part of its name.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.config.port = Some(port);
        self
    }

    /// The token that the coordinator asks for.
    #[must_use]
    pub fn access_token(mut self, token: impl Into<String>) -> Self {
        self.config.set_access_token(token);
        self
    }

    /// Lets the token travel in plain text beyond loopback, where something else protects the way.
    #[must_use]
    pub fn insecure_transport(mut self) -> Self {
        self.config.insecure_transport = true;
        self
    }

    /// Where the logs of attempts are kept. Default: `fastjob-logs`.
    #[must_use]
    pub fn log_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.log_path = path.into();
        self
    }

    /// How many days the logs of attempts are kept; 0 keeps them for ever. Default: 30.
    #[must_use]
    pub fn log_retention_days(mut self, days: u32) -> Self {
        self.config.log_retention_days = days;
        self
    }

    /// A label, for filters.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.labels.insert(key.into(), value.into());
        self
    }

    /// Most attempts that run at the same time. Default: 10,000.
    ///
    /// A coordinator sends no more than that, attempts that wait for others of their job included.
    /// Where several coordinators share the work, what they send beyond it waits for a place.
    #[must_use]
    pub fn capacity(mut self, attempts: u32) -> Self {
        self.config.capacity = attempts;
        self
    }

    /// Switches `commandJobHandler` on for these entries.
    ///
    /// Where a command runs as the executor's own user, the process is made not dumpable on Linux,
    /// so that the command cannot read the service's environment and memory: it leaves no core dump,
    /// and a debugger needs root. [`CommandEntry::run_as`] avoids that.
    #[must_use]
    pub fn allow_commands(mut self, entries: impl IntoIterator<Item = CommandEntry>) -> Self {
        self.config.allow_commands = entries.into_iter().collect();
        self
    }

    /// Switches `httpJobHandler` on for these hosts.
    ///
    /// A host is `api.example.org`, `api.example.org:8443`, `*.example.org`, an address or a network
    /// (`10.0.0.0/8`), or `any` for every public one. Addresses that are not public, such as
    /// loopback, link-local and private ones, are called only if they are listed themselves.
    #[must_use]
    pub fn allow_http<T: Into<String>>(mut self, hosts: impl IntoIterator<Item = T>) -> Self {
        self.config.allow_http = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// How long running attempts may take to end, and outcomes to be delivered, when the process
    /// stops. Outcomes have at least 5 s after the last attempt has ended. Default: 30 s.
    #[must_use]
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.config.stop_grace = grace;
        self
    }

    /// Whether handlers without state are found by themselves. Default: they are.
    #[must_use]
    pub fn discovery(mut self, discovery: Discovery) -> Self {
        self.discovery = discovery;
        self
    }

    /// A handler with state, annotated with `#[job("…")]`.
    #[must_use]
    #[track_caller]
    pub fn handler(mut self, handler: impl JobHandler + Declared) -> Self {
        self.handlers.push(Registration::declared(handler));
        self
    }

    /// A handler without annotation; it has no default job.
    #[must_use]
    #[track_caller]
    pub fn handler_named(mut self, name: impl Into<String>, handler: impl JobHandler) -> Self {
        self.handlers.push(Registration::named(name, handler));
        self
    }
}
