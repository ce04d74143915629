//! The coordinator's settings: `[coordinator]` and `[coordinator.tls]`; `limits` has the rest.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    ConsoleConfig, LimitsConfig, Listen, LogsConfig, LogsUrl, MetricsConfig, Problem, ServerUrl,
    StoreUrl, Token, TokenFile, read::Section, store_url::Transport,
};

/// Shortest heartbeat interval of an executor.
const BEAT_MIN: Duration = Duration::from_millis(100);
/// Longest heartbeat interval of an executor.
const BEAT_MAX: Duration = Duration::from_secs(3600);
/// Shortest lease: several heartbeats to the database have to fit in.
const LEASE_MIN: Duration = Duration::from_secs(1);
/// Longest lease.
const LEASE_MAX: Duration = Duration::from_secs(300);
/// Longest drain.
const DRAIN_MAX: Duration = Duration::from_secs(3600);

/// Where the coordinator listens, what it stores, and its timeouts.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CoordinatorConfig {
    /// Where it listens; port 0 takes a free one. Default: `127.0.0.1:7070`.
    pub listen: SocketAddr,
    /// Where it keeps jobs, tasks and outcomes. Default: `sqlite:fastjob-data/fastjob.db`.
    pub store: StoreUrl,
    /// The file with the password of the PostgreSQL user, in place of one in `store`. Default: none.
    pub store_password_file: Option<PathBuf>,
    /// The token, which callers send and executors prove that they have. Default: none, which is
    /// allowed on loopback only.
    pub token: Option<Token>,
    /// The file that the token was read from, or could not be read from.
    pub(crate) token_file: TokenFile,
    /// Allows listening beyond loopback without TLS. Default: `false`.
    pub insecure_plaintext: bool,
    /// How long open requests and sessions may take to end on shutdown. Default: 10 s.
    pub drain: Duration,
    /// How long an executor may be without a session before its attempts are lost. Default: 10 s.
    pub executor_lost: Duration,
    /// How long an executor that was lost stays in the list of executors; zero does not list any.
    /// Default: 1 h.
    pub lost_executors: Duration,
    /// Heartbeat interval of executors. Default: 3 s.
    pub beat: Duration,
    /// How long tasks are kept after they end; zero keeps them forever. A deleted job is remembered
    /// for as long after the last executor declared it and the last history referred to it, and at
    /// least a week. Until then, code that declares the job does not restore it; after that, it
    /// creates a new job. Default: 30 days.
    pub history: Duration,
    /// Most authenticated connections at the same time; `limits` bounds the others. Callers may use
    /// half of them, and up to 64 are reserved for nodes. Default: 10,000.
    pub max_connections: u32,
    /// The URL at which executors and other nodes reach this node, as `https://HOST:PORT`; `http`
    /// beyond loopback needs `insecure_plaintext`. Default: the address it listens on.
    pub advertise: Option<ServerUrl>,
    /// How long a node may be silent before other nodes take over its jobs, in a store that several
    /// nodes share. At most half of `executor_lost`. Default: 4 s.
    pub lease: Duration,
    /// Limits on what clients may make the coordinator keep.
    pub limits: LimitsConfig,
    /// Whole logs, which outlive their executors.
    pub logs: LogsConfig,
    /// What `/metrics` tells apart.
    pub metrics: MetricsConfig,
    /// The web console.
    pub console: ConsoleConfig,
    /// The certificate of the server. Default: none, plain text.
    pub tls: Option<TlsConfig>,
}

/// A certificate with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsConfig {
    /// The certificate and its chain, in PEM.
    pub cert: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

impl TlsConfig {
    /// A certificate with its key, both files in PEM.
    pub fn new(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { cert: cert.into(), key: key.into() }
    }
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7070)),
            store: StoreUrl::default(),
            store_password_file: None,
            token: None,
            token_file: TokenFile::default(),
            insecure_plaintext: false,
            drain: Duration::from_secs(10),
            executor_lost: Duration::from_secs(10),
            lost_executors: Duration::from_secs(3600),
            beat: Duration::from_secs(3),
            history: Duration::from_secs(30 * 24 * 3600),
            max_connections: 10_000,
            advertise: None,
            lease: Duration::from_secs(4),
            limits: LimitsConfig::default(),
            logs: LogsConfig::default(),
            metrics: MetricsConfig::default(),
            console: ConsoleConfig::default(),
            tls: None,
        }
    }
}

impl CoordinatorConfig {
    pub(super) fn read(&mut self, section: &mut Section<'_>) {
        let mut listen = Listen(self.listen);
        section.parse("listen", &mut listen);
        self.listen = listen.0;
        section.parse("store", &mut self.store);
        self.store_password_file = section.path("store_password_file");
        section.parse_option("token", &mut self.token);
        self.token_file = section.path("token_file").map(TokenFile::at).unwrap_or_default();
        section.switch("insecure_plaintext", &mut self.insecure_plaintext);
        section.duration("drain", &mut self.drain);
        section.duration("executor_lost", &mut self.executor_lost);
        section.duration("lost_executors", &mut self.lost_executors);
        section.duration("beat", &mut self.beat);
        section.duration("history", &mut self.history);
        section.number("max_connections", &mut self.max_connections);
        section.parse_option("advertise", &mut self.advertise);
        section.duration("lease", &mut self.lease);
        section.section("limits", |section| self.limits.read(section));
        section.section("logs", |section| self.logs.read(section));
        section.section("metrics", |section| self.metrics.read(section));
        section.section("console", |section| self.console.read(section));
        section.section("tls", |section| {
            // A variable may set one of the two: the check finds what is missing.
            let cert = section.path("cert").unwrap_or_default();
            let key = section.path("key").unwrap_or_default();
            self.tls = Some(TlsConfig { cert, key });
        });
    }

    /// The URL that it announces to others.
    pub(crate) fn advertised(&self, listening: SocketAddr) -> String {
        match &self.advertise {
            Some(url) => url.to_string(),
            None if self.tls.is_some() => format!("https://{listening}"),
            None => format!("http://{listening}"),
        }
    }

    /// Checks the store's address, and the protection of the connection to it.
    fn check_store(&self, problem: &mut impl FnMut(&str, String)) {
        let StoreUrl::Postgres(url) = &self.store else {
            if self.store_password_file.is_some() {
                problem("store_password_file", "it applies only to a PostgreSQL store".to_owned());
            }
            return;
        };
        match url.transport() {
            Transport::Safe | Transport::Weak(_) => {}
            Transport::NotSaid => problem(
                "store",
                format!(
                    "the password would be sent to any server that answers at {url}: add \
                     ?sslmode=verify-full, and &sslrootcert=FILE for a private CA; if the \
                     connection is protected otherwise, add ?sslmode=disable"
                ),
            ),
            Transport::Falls => problem(
                "store",
                format!(
                    "with this sslmode, a host on the network path to {url} can disable \
                     encryption: use sslmode=verify-full; if the connection is protected \
                     otherwise, use sslmode=disable"
                ),
            ),
        }
        if let Some(path) = &self.store_password_file {
            if url.has_password() {
                problem("store_password_file", "store contains a password as well".to_owned());
            } else if let Err(message) = readable(path) {
                problem("store_password_file", message);
            }
        }
    }

    /// Like [`check`](Self::check), for the store alone.
    pub(super) fn store_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.check_store(&mut |key: &str, message: String| {
            problems.push(Problem::new(format!("coordinator.{key}"), message));
        });
        problems
    }

    /// Settings that are allowed but need attention.
    pub(super) fn warn(&self, warnings: &mut Vec<Problem>) {
        if let StoreUrl::Postgres(url) = &self.store
            && let Transport::Weak(why) = url.transport()
        {
            let message = format!(
                "the connection to {url} is not safe: {why}; use sslmode=verify-full unless the \
                 connection is protected otherwise"
            );
            warnings.push(Problem::new("coordinator.store", message));
        }
        if let (StoreUrl::Postgres(_), Some(LogsUrl::Folder(path))) =
            (&self.store, &self.logs.store)
        {
            let message = format!(
                "every node has to see the same files in {}: share it, or use a bucket",
                path.display()
            );
            warnings.push(Problem::new("coordinator.logs.store", message));
        }
    }

    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let mut problem = |key: &str, message: String| {
            problems.push(Problem::new(format!("coordinator.{key}"), message));
        };
        if let Some(Err(err)) = self.token.as_ref().map(Token::check) {
            problem("token", err.to_string());
        }
        if let Some(message) = self.token_file.problem() {
            problem("token_file", message.to_owned());
        }
        if !self.listen.ip().to_canonical().is_loopback() {
            let listen = self.listen;
            if self.token.is_none() && self.token_file.problem().is_none() {
                problem(
                    "token",
                    format!(
                        "other hosts can reach {listen}: set token, FASTJOB_TOKEN or token_file"
                    ),
                );
            }
            if self.tls.is_none() && !self.insecure_plaintext {
                problem(
                    "tls",
                    format!(
                        "other hosts can reach {listen}, and the token would be sent in plain \
                         text: set cert and key, or insecure_plaintext = true if the connection \
                         is protected otherwise"
                    ),
                );
            }
        }
        self.check_store(&mut problem);
        let shared = matches!(self.store, StoreUrl::Postgres(_));
        if shared && self.listen.ip().is_unspecified() && self.advertise.is_none() {
            problem(
                "advertise",
                format!("other nodes cannot reach {}: set the URL of this node", self.listen),
            );
        }
        if let Some(url) = self.advertise.as_ref().filter(|url| url.is_open_to_others())
            && !self.insecure_plaintext
        {
            problem(
                "advertise",
                format!(
                    "executors and other nodes would reach {url} in plain text: use https, also \
                     if a proxy in front of this node terminates TLS, or set insecure_plaintext = \
                     true if the connection is protected otherwise"
                ),
            );
        }
        if let Some(tls) = &self.tls {
            for (key, path) in [("tls.cert", &tls.cert), ("tls.key", &tls.key)] {
                if let Err(message) = readable(path) {
                    problem(key, message);
                }
            }
        }
        if !(BEAT_MIN..=BEAT_MAX).contains(&self.beat) {
            problem("beat", "it is not between 100ms and 1h".to_owned());
        }
        if self.executor_lost <= self.beat * 2 {
            problem(
                "executor_lost",
                "it is not longer than two beats: one late heartbeat would lose an executor"
                    .to_owned(),
            );
        }
        if !(LEASE_MIN..=LEASE_MAX).contains(&self.lease) {
            problem("lease", "it is not between 1s and 5min".to_owned());
        }
        if matches!(self.store, StoreUrl::Postgres(_)) && self.executor_lost < self.lease * 2 {
            problem(
                "executor_lost",
                "it is shorter than two leases: attempts that are exclusive across the cluster \
                 would be stopped whenever a node fails"
                    .to_owned(),
            );
        }
        if self.drain > DRAIN_MAX {
            problem("drain", "it is longer than 1h".to_owned());
        }
        if self.max_connections == 0 {
            problem("max_connections", "it is 0: no client could connect".to_owned());
        }
        self.limits.check(problems);
        self.logs.check(problems);
        self.metrics.check(problems);
        self.console.check(problems);
    }
}

/// Whether a file can be opened.
pub(super) fn readable(path: &Path) -> Result<(), String> {
    if path.as_os_str().is_empty() {
        return Err("it is missing".to_owned());
    }
    match File::open(path) {
        Ok(_) => Ok(()),
        Err(err) => Err(format!("could not read {}: {err}", path.display())),
    }
}
