//! The builder's settings.

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

    /// The addresses of the coordinators. Default: `http://127.0.0.1:7070`.
    #[must_use]
    pub fn admin_addresses<T: Into<String>>(
        mut self,
        addresses: impl IntoIterator<Item = T>,
    ) -> Self {
        self.config.admin_addresses = addresses.into_iter().map(Into::into).collect();
        self
    }

    /// The executor's name within its service. It should stay the same across restarts.
    #[must_use]
    pub fn executor_name(mut self, name: impl Into<String>) -> Self {
        self.config.executor_name = Some(name.into());
        self
    }

    /// The address of this process, shown to users.
    #[must_use]
    pub fn ip(mut self, ip: impl Into<String>) -> Self {
        self.config.ip = Some(ip.into());
        self
    }

    /// The port of this process, shown to users and used as part of its name.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.config.port = Some(port);
        self
    }

    /// The token that the coordinator requires.
    #[must_use]
    pub fn access_token(mut self, token: impl Into<String>) -> Self {
        self.config.set_access_token(token);
        self
    }

    /// Allows sessions in plain text beyond loopback also with a token, for networks that are
    /// protected otherwise.
    #[must_use]
    pub fn insecure_transport(mut self) -> Self {
        self.config.insecure_transport = true;
        self
    }

    /// The folder for attempt logs. Default: `fastjob-logs`.
    #[must_use]
    pub fn log_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.log_path = path.into();
        self
    }

    /// How many days attempt logs are kept; 0 keeps them forever. Default: 30.
    #[must_use]
    pub fn log_retention_days(mut self, days: u32) -> Self {
        self.config.log_retention_days = days;
        self
    }

    /// Adds a label that shard filters match.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.labels.insert(key.into(), value.into());
        self
    }

    /// Maximum number of attempts that run at the same time. Default: 10,000.
    ///
    /// A coordinator sends at most this many, including attempts that wait in their job's lane. If
    /// several coordinators share the work, attempts beyond this number wait for a free place.
    #[must_use]
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
    #[must_use]
    pub fn allow_commands(mut self, entries: impl IntoIterator<Item = CommandEntry>) -> Self {
        self.config.allow_commands = entries.into_iter().collect();
        self
    }

    /// Enables `httpJobHandler` for these hosts.
    ///
    /// A host is `api.example.org`, `api.example.org:8443`, `*.example.org`, an address or a
    /// network (`10.0.0.0/8`), or `any` for every public host. Addresses that are not public, such
    /// as loopback, link-local and private ones, must be listed explicitly.
    #[must_use]
    pub fn allow_http<T: Into<String>>(mut self, hosts: impl IntoIterator<Item = T>) -> Self {
        self.config.allow_http = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// How long a stopping process waits for running attempts to end and for outcomes to be
    /// delivered. Outcomes get at least 5 s after the last attempt has ended. Default: 30 s.
    #[must_use]
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.config.stop_grace = grace;
        self
    }

    /// Whether stateless annotated handlers are discovered automatically. Default: they are.
    #[must_use]
    pub fn discovery(mut self, discovery: Discovery) -> Self {
        self.discovery = discovery;
        self
    }

    /// Registers a stateful handler, annotated with `#[job("…")]`.
    #[must_use]
    #[track_caller]
    pub fn handler(mut self, handler: impl JobHandler + Declared) -> Self {
        self.handlers.push(Registration::declared(handler));
        self
    }

    /// Registers a handler without annotation. It has no default job.
    #[must_use]
    #[track_caller]
    pub fn handler_named(mut self, name: impl Into<String>, handler: impl JobHandler) -> Self {
        self.handlers.push(Registration::named(name, handler));
        self
    }
}
