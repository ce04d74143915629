//! The coordinator's settings: `[coordinator]` and `[coordinator.tls]`; `limits` has the rest.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    ConsoleConfig, LimitsConfig, LogsConfig, LogsUrl, MetricsConfig, Problem, ServerUrl, StoreUrl,
    Token, TracesConfig,
    setting::{Group, Visitor, at_least, at_most, between, settings},
    store_url::Transport,
    visit::check_bounds,
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

settings! {
    /// Where the coordinator listens, what it stores, and its timeouts.
    pub struct CoordinatorConfig {
        /// The address to listen on; port 0 takes a free port. Beyond loopback, a `token` is
        /// required, and either `tls` or `insecure_plaintext`.
        pub listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 7070));
        /// Where jobs, tasks and outcomes are stored: in a file, or in a PostgreSQL database, which
        /// several coordinators may share. A database on another machine needs
        /// `?sslmode=verify-full`, and `&sslrootcert=FILE` for a private CA. `verify-ca`, `require`
        /// and `disable` state that something else protects the connection, and cause a warning.
        /// Keep a password out of it: use `store_password_file`, `PGPASSWORD` or `~/.pgpass`.
        pub store: StoreUrl = StoreUrl::default();
        /// A file that contains only the password of the PostgreSQL user.
        pub store_password_file: Option<PathBuf> = None;
        /// The token that callers send, and that executors prove to have. Without one, only an
        /// address on loopback is accepted. Flags are visible in the process list, so set it in a
        /// file or a variable.
        pub token: Option<Token> = None;
        /// A file that contains only the token, as systemd (`LoadCredential`) and Kubernetes provide
        /// it. A variable replaces both `token` and `token_file` of the file.
        pub token_file: Option<PathBuf> = None;
        /// Allows the coordinator to listen beyond loopback without TLS, if something else protects
        /// the connections.
        pub insecure_plaintext: bool = false;
        /// How long open requests and sessions may take to end at shutdown.
        pub drain: Duration = Duration::from_secs(10), at_most(DRAIN_MAX);
        /// How long an executor may be without a session before its attempts are lost. More than
        /// two `beat`s, and with a PostgreSQL store at least two `lease`s.
        pub executor_lost: Duration = Duration::from_secs(10);
        /// How long a lost executor stays in the list of executors; zero lists none.
        pub lost_executors: Duration = Duration::from_secs(3600);
        /// The time between two heartbeats of an executor.
        pub beat: Duration = Duration::from_secs(3), between(BEAT_MIN, BEAT_MAX);
        /// How long tasks are kept after they end; zero keeps them forever. A deleted job is
        /// remembered for as long after the last executor declared it and the last history referred
        /// to it, and for at least a week. Until then, code that declares the job does not restore
        /// it; after that, it creates a new job.
        pub history: Duration = Duration::from_secs(30 * 24 * 3600);
        /// Maximum number of authenticated connections at the same time; `limits` bounds the
        /// others. At most half of them are for callers, and 64 (a tenth if there are fewer than
        /// 640) are reserved for nodes.
        pub max_connections: u32 = 10_000, at_least(1);
        /// The URL at which executors and other nodes reach this node, as `https://HOST:PORT`. Plain
        /// `http` beyond loopback needs `insecure_plaintext`. If it is not set, the address it
        /// listens on.
        pub advertise: Option<ServerUrl> = None;
        /// How long a node may be silent before other nodes take over its jobs, in a store that
        /// several nodes share. At most half of `executor_lost`.
        pub lease: Duration = Duration::from_secs(4), between(LEASE_MIN, LEASE_MAX);
    groups:
        /// The certificate of the server. Default: none, plain text.
        pub tls: Option<TlsConfig>;
        /// Limits on what clients may make the coordinator keep.
        pub limits: LimitsConfig;
        /// Whole logs, which outlive their executors.
        pub logs: LogsConfig;
        /// What `/metrics` tells apart.
        pub metrics: MetricsConfig;
        /// Where the traces of tasks are sent.
        pub traces: TracesConfig;
        /// The web console.
        pub console: ConsoleConfig;
    }
}

settings! {
    /// The certificate of the coordinator, with its key. Without both, connections are in plain
    /// text.
    pub struct TlsConfig {
        /// A PEM file with the certificate and its chain. A file that changes is loaded again within
        /// a minute, without a restart. In a cluster, nodes trust the authorities that were in it at
        /// their start: restart them if a renewed certificate is of another one.
        pub cert: PathBuf = PathBuf::new();
        /// A PEM file with the private key, which other users of the machine must not be able to
        /// read.
        pub key: PathBuf = PathBuf::new();
    }
}

impl TlsConfig {
    /// A certificate with its key, both files in PEM.
    pub fn new(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { cert: cert.into(), key: key.into() }
    }
}

impl Group for Option<TlsConfig> {
    const ABOUT: &'static str = TlsConfig::ABOUT;
    const IS_OPTIONAL: bool = true;

    fn settings<V: Visitor>(&mut self, visitor: &mut V) {
        let mut tls = self.clone().unwrap_or_default();
        tls.settings(visitor);
        // One of the two may come from the file and the other from a variable: the check finds what
        // is missing.
        if self.is_some() || tls != TlsConfig::default() {
            *self = Some(tls);
        }
    }

    fn given(&mut self) {
        self.get_or_insert_default();
    }
}

impl CoordinatorConfig {
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
        if !self.listen.ip().to_canonical().is_loopback() {
            let listen = self.listen;
            if self.token.is_none() && self.token_file.is_none() {
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
        if self.executor_lost <= self.beat * 2 {
            problem(
                "executor_lost",
                "it is not longer than two beats: one late heartbeat would lose an executor"
                    .to_owned(),
            );
        }
        if matches!(self.store, StoreUrl::Postgres(_)) && self.executor_lost < self.lease * 2 {
            problem(
                "executor_lost",
                "it is shorter than two leases: attempts that are exclusive across the cluster \
                 would be stopped whenever a node fails"
                    .to_owned(),
            );
        }
        check_bounds(self, "coordinator", problems);
        self.limits.check(problems);
        self.logs.check(problems);
        self.traces.check(problems);
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
