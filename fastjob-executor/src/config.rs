//! Settings: plain data, from `fastjob.toml`, then `FASTJOB_…` variables, then the builder.
//!
//! A later source overrides an earlier one. Unknown keys are rejected, and
//! [`ExecutorConfig::check`] reports all problems at once.

mod env;
mod error;
mod names;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use fastjob_core::{
    ExecutorName, ServiceName, duration, private,
    settings::{CAPACITY_MAX, LABELS_MAX, LOG_MAX_MIB},
};
use serde::Deserialize;

pub use self::error::{ConfigError, Problem};
use crate::builtin::{self, CommandEntry};

/// Read if it exists and no other file is named.
const DEFAULT_FILE: &str = "fastjob.toml";

/// A token. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Token(pub(crate) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// An executor's settings: the table `[executor]` of `fastjob.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ExecutorConfig {
    /// The addresses of the coordinators; in a file also `admin_addresses`. Default:
    /// `http://127.0.0.1:7070`.
    #[serde(alias = "admin_addresses")]
    pub coordinators: Vec<String>,
    /// The service that the executor belongs to; in a file also `app_name`. Default: `default`.
    #[serde(alias = "app_name")]
    pub service: String,
    /// The executor's name within the service. Default: `ip:port` if a port is set, otherwise the
    /// host name and the process id.
    pub executor_name: Option<String>,
    /// The address of this process, shown to users. Default: none.
    pub ip: Option<String>,
    /// The port of this process, shown to users and used as part of its name. Default: none.
    pub port: Option<u16>,
    #[serde(alias = "access_token")]
    pub(crate) token: Option<Token>,
    /// A file that contains only the token, which [`load`](Self::load) reads.
    pub(crate) token_file: Option<PathBuf>,
    /// The folder for attempt logs. Default: `fastjob-logs`.
    pub log_path: PathBuf,
    /// How many days attempt logs are kept; 0 keeps them forever. Default: 30.
    pub log_retention_days: u32,
    /// Maximum size of one attempt's log, in MiB: what follows is dropped, and the log says so.
    /// Default: 64.
    pub log_max_mib: u32,
    /// Labels that shard filters match. Default: none.
    pub labels: BTreeMap<String, String>,
    /// Maximum number of attempts that run at the same time. Default: 10,000.
    ///
    /// A coordinator sends at most this many, including attempts that wait in their job's lane. If
    /// several coordinators share the work, attempts beyond this number wait for a free place.
    pub capacity: u32,
    /// The commands that `commandJobHandler` may run. Without an entry, the handler does not exist.
    #[serde(deserialize_with = "builtin::entries")]
    pub allow_commands: Vec<CommandEntry>,
    /// The hosts that `httpJobHandler` may call. Without a host, the handler does not exist.
    ///
    /// A host is `api.example.org`, `api.example.org:8443`, `*.example.org`, an address or a
    /// network (`10.0.0.0/8`), or `any` for every public host. Addresses that are not public, such
    /// as loopback, link-local and private ones, must be listed explicitly.
    #[serde(deserialize_with = "read_hosts")]
    pub allow_http: Vec<String>,
    /// How long a stopping process waits for running attempts to end and for outcomes to be
    /// delivered. Outcomes get at least 5 s after the last attempt has ended. Default: 30 s.
    #[serde(deserialize_with = "read_duration")]
    pub stop_grace: Duration,
    /// Allows sessions in plain text beyond loopback also with a token. Default: `false`.
    pub insecure_transport: bool,
    /// An additional CA certificate to trust, in PEM format. Default: none.
    pub ca_cert: Option<PathBuf>,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            coordinators: vec!["http://127.0.0.1:7070".to_owned()],
            service: "default".to_owned(),
            executor_name: None,
            ip: None,
            port: None,
            token: None,
            token_file: None,
            log_path: PathBuf::from("fastjob-logs"),
            log_retention_days: 30,
            log_max_mib: 64,
            labels: BTreeMap::new(),
            capacity: 10_000,
            allow_commands: Vec::new(),
            allow_http: Vec::new(),
            stop_grace: Duration::from_secs(30),
            insecure_transport: false,
            ca_cert: None,
        }
    }
}

#[derive(Default, Deserialize)]
struct File {
    // The other tables belong to the coordinator.
    #[serde(default)]
    executor: ExecutorConfig,
    /// Allows the file to be readable by other users of the machine.
    #[serde(default)]
    insecure_files: bool,
}

fn read_duration<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    duration::parse(&text).map_err(serde::de::Error::custom)
}

/// Deserializes a list, or a single host.
fn read_hosts<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    struct Hosts;

    impl<'de> serde::de::Visitor<'de> for Hosts {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of hosts, or \"any\"")
        }

        fn visit_str<E: serde::de::Error>(self, host: &str) -> Result<Self::Value, E> {
            Ok(vec![host.to_owned()])
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
            Deserialize::deserialize(serde::de::value::SeqAccessDeserializer::new(list))
        }
    }

    from.deserialize_any(Hosts)
}

impl ExecutorConfig {
    /// Reads the file at `path`, otherwise the one that `FASTJOB_CONFIG` names, otherwise
    /// `fastjob.toml` if it exists; then the variables that `env` returns.
    ///
    /// # Errors
    ///
    /// Fails with [`ConfigError`] if a named file does not exist, or if a file or variable has an
    /// unknown or invalid value.
    pub fn load(
        path: Option<&Path>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let named = path.is_some() || env("FASTJOB_CONFIG").is_some();
        let path = path
            .map(Path::to_owned)
            .or_else(|| env("FASTJOB_CONFIG").map(PathBuf::from))
            .or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()));
        let insecure = env("FASTJOB_INSECURE_FILES")
            .map(|text| env::switch("FASTJOB_INSECURE_FILES", &text))
            .transpose()?;
        let mut allowed = insecure.unwrap_or(false);
        let mut config = match path {
            None => Self::default(),
            Some(path) => {
                let (text, exposed) = private::read(&path)
                    .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
                let invalid =
                    |message: String| ConfigError::Invalid { path: path.clone(), message };
                names::once(&text).map_err(invalid)?;
                let file =
                    toml::from_str::<File>(&text).map_err(|err| invalid(at_line(&text, &err)))?;
                if insecure.is_none() {
                    // A file that others can change must not be able to turn this check off.
                    allowed = file.insecure_files
                        && !exposed.is_some_and(|exposed| exposed.is_changed_by_others());
                }
                let has_token = file.executor.token().is_some();
                match exposed.filter(|_| !allowed) {
                    Some(why) if has_token => return Err(ConfigError::Exposed { path, why }),
                    Some(why) if why.is_foreign(named) => {
                        return Err(ConfigError::Foreign { path, why });
                    }
                    Some(_) | None => {}
                }
                file.executor
            }
        };
        env::read(&mut config, env)?;
        config.read_token_file(allowed)?;
        Ok(config)
    }

    /// Reads the token from its own file, as systemd and Kubernetes provide secrets.
    fn read_token_file(&mut self, allows_exposed: bool) -> Result<(), ConfigError> {
        let Some(path) = self.token_file.take() else { return Ok(()) };
        let (text, exposed) = private::read(&path)
            .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        if let Some(why) = exposed.filter(|_| !allows_exposed) {
            return Err(ConfigError::Exposed { path, why });
        }
        let token = text.trim_end_matches(['\r', '\n']);
        if token.is_empty() {
            return Err(ConfigError::Invalid { path, message: "it has no token".to_owned() });
        }
        match &self.token {
            Some(Token(other)) if other != token => {
                let message = "`token` is set as well, to another one: keep one of them".to_owned();
                Err(ConfigError::Invalid { path, message })
            }
            Some(_) | None => {
                self.set_token(token);
                Ok(())
            }
        }
    }

    /// Rejects variables whose names are probably misspelled executor variables, which would
    /// otherwise be ignored silently. Other `FASTJOB_…` variables belong to other programs, and some
    /// to Kubernetes, which their values show.
    ///
    /// # Errors
    ///
    /// Fails with [`ConfigError::Variable`], which suggests the correct name.
    pub fn check_variables(
        variables: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
    ) -> Result<(), ConfigError> {
        for (name, value) in variables {
            env::check_name(name.as_ref(), value.as_ref())?;
        }
        Ok(())
    }

    /// Sets the token that the coordinators require.
    pub fn set_token(&mut self, token: impl Into<String>) {
        self.token = Some(Token(token.into()));
        self.token_file = None;
    }

    /// Maximum bytes of one attempt's log.
    pub(crate) fn log_max(&self) -> usize {
        (self.log_max_mib as usize).saturating_mul(1024 * 1024)
    }

    pub(crate) fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Returns all problems of the settings.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut problem = |key, message: String| problems.push(Problem { key, message });
        if let Some(path) = &self.token_file {
            let message = format!("{} was not read: use ExecutorConfig::load", path.display());
            problem("token_file", message);
        }
        if let Err(err) = self.service.parse::<ServiceName>() {
            problem("service", err.to_string());
        }
        if let Some(Err(err)) = self.executor_name.as_ref().map(|name| name.parse::<ExecutorName>())
        {
            problem("executor_name", err.to_string());
        }
        if self.coordinators.is_empty() {
            problem("coordinators", "no address is set".to_owned());
        }
        for address in &self.coordinators {
            if let Err(message) = self.judge(address) {
                problem("coordinators", message);
            }
        }
        if self.capacity == 0 {
            problem("capacity", "it is 0, so no attempt could run".to_owned());
        }
        if self.capacity > CAPACITY_MAX {
            let message = format!("it is {}; at most {CAPACITY_MAX} is allowed", self.capacity);
            problem("capacity", message);
        }
        if !(1..=LOG_MAX_MIB).contains(&self.log_max_mib) {
            let mib = self.log_max_mib;
            problem("log_max_mib", format!("it is {mib}; from 1 to {LOG_MAX_MIB} is allowed"));
        }
        if self.labels.len() > LABELS_MAX {
            let message =
                format!("there are {}; at most {LABELS_MAX} are allowed", self.labels.len());
            problem("labels", message);
        }
        if let Err(found) = builtin::handlers(&self.allow_commands, &self.allow_http) {
            problems.extend(found);
        }
        problems
    }

    /// Checks an address before it is dialed: with a token, the session must not be readable on the
    /// network.
    pub(crate) fn judge(&self, address: &str) -> Result<(), String> {
        let uri: tonic::transport::Uri = address.parse().map_err(|_| {
            format!("`{address}` is not a valid address; use the form http://host:7070")
        })?;
        let host = uri.host().ok_or_else(|| format!("`{address}` names no host"))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let local = bare == "localhost"
            || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
        match uri.scheme_str() {
            Some("https") => Ok(()),
            Some("http") if local || self.token.is_none() || self.insecure_transport => Ok(()),
            Some("http") => Err(format!(
                "the session with {address} would be in plain text, which others can read and change: \
                 use https, or set insecure_transport if something else protects the connection"
            )),
            _ => Err(format!("`{address}` does not start with http:// or https://")),
        }
    }

    /// The executor's name if none is set: its address and port, or the host name and the process
    /// id.
    pub(crate) fn name(&self) -> String {
        match (&self.executor_name, self.port) {
            (Some(name), _) => name.clone(),
            (None, Some(port)) => format!("{}:{port}", self.ip.clone().unwrap_or_else(host)),
            (None, None) => format!("{}-{}", host(), std::process::id()),
        }
    }

    pub(crate) fn address(&self) -> String {
        match (&self.ip, self.port) {
            (Some(ip), Some(port)) => format!("{ip}:{port}"),
            (Some(ip), None) => ip.clone(),
            (None, Some(port)) => format!("{}:{port}", host()),
            (None, None) => String::new(),
        }
    }
}

/// The host name, reduced to the characters that an executor name allows.
fn host() -> String {
    let name = sysinfo::System::host_name().unwrap_or_default();
    let name: String = name.chars().filter(|c| c.is_alphanumeric() || "-._".contains(*c)).collect();
    if name.is_empty() { "executor".to_owned() } else { name.chars().take(60).collect() }
}

/// What is wrong with a file, and in which line, without the line: it may have a secret.
fn at_line(text: &str, err: &toml::de::Error) -> String {
    let before = err.span().and_then(|span| text.get(..span.start));
    match before.map(|before| 1 + before.matches('\n').count()) {
        Some(line) => format!("line {line}: {}", err.message()),
        None => err.message().to_owned(),
    }
}

#[cfg(test)]
mod tests;
