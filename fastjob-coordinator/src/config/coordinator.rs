//! The coordinator's settings: `[coordinator]` and `[coordinator.tls]`; `limits` has the rest.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    LimitsConfig, Listen, Problem, ServerUrl, StoreUrl, Token, read::Section, store_url::Transport,
};

/// Shortest time between two beats of an executor.
const BEAT_MIN: Duration = Duration::from_millis(100);
/// Longest time between two beats of an executor.
const BEAT_MAX: Duration = Duration::from_secs(3600);
/// Shortest lease: several beats to the database have to fit in.
const LEASE_MIN: Duration = Duration::from_secs(1);
/// Longest lease.
const LEASE_MAX: Duration = Duration::from_secs(300);
/// Longest time that the end may take.
const DRAIN_MAX: Duration = Duration::from_secs(3600);

/// How the coordinator listens, stores and judges.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CoordinatorConfig {
    /// Where it listens; port 0 takes a free one. Default: `127.0.0.1:7070`.
    pub listen: SocketAddr,
    /// Where it keeps jobs, tasks and outcomes. Default: `sqlite:fastjob-data/fastjob.db`.
    pub store: StoreUrl,
    /// The file with the password of the PostgreSQL user, in place of one in `store`. Default: none.
    pub store_password_file: Option<PathBuf>,
    /// What executors and callers have to carry. Default: none, which is for loopback only.
    pub token: Option<Token>,
    /// Lets it listen beyond loopback without TLS. Default: `false`.
    pub insecure_plaintext: bool,
    /// How long open requests and sessions may take to end when it is told to stop. Default: 10 s.
    pub drain: Duration,
    /// After how long without a session an executor's attempts are lost. Default: 10 s.
    pub executor_lost: Duration,
    /// Between two beats of an executor. Default: 3 s.
    pub beat: Duration,
    /// How long tasks are kept after their end; zero keeps them for ever. A deleted job is
    /// remembered for as long after no executor has declared it and no history has referred to it,
    /// at least a week: until then, code that declares the job does not bring it back. After that, a
    /// job that code declares is a new one. Default: 30 days.
    pub history: Duration,
    /// Most connections that have authenticated, at the same time; `limits` bounds the others.
    /// Default: 10,000.
    pub max_connections: u32,
    /// Where executors and other nodes reach it, as `https://HOST:PORT`; `http` beyond loopback takes
    /// `insecure_plaintext`. Default: where it listens.
    pub advertise: Option<ServerUrl>,
    /// After how long without word from a node the others carry on with its jobs; of a store that
    /// several nodes share. At most half of `executor_lost`. Default: 4 s.
    pub lease: Duration,
    /// How much clients may make it keep.
    pub limits: LimitsConfig,
    /// With what it proves who it is. Default: none, plain text.
    pub tls: Option<TlsConfig>,
}

/// A certificate with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsConfig {
    /// The certificate and those that lead to its root, in PEM.
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
            insecure_plaintext: false,
            drain: Duration::from_secs(10),
            executor_lost: Duration::from_secs(10),
            beat: Duration::from_secs(3),
            history: Duration::from_secs(30 * 24 * 3600),
            max_connections: 10_000,
            advertise: None,
            lease: Duration::from_secs(4),
            limits: LimitsConfig::default(),
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
        section.switch("insecure_plaintext", &mut self.insecure_plaintext);
        section.duration("drain", &mut self.drain);
        section.duration("executor_lost", &mut self.executor_lost);
        section.duration("beat", &mut self.beat);
        section.duration("history", &mut self.history);
        section.number("max_connections", &mut self.max_connections);
        section.parse_option("advertise", &mut self.advertise);
        section.duration("lease", &mut self.lease);
        section.section("limits", |section| self.limits.read(section));
        section.section("tls", |section| {
            // Half of it may come from a variable: what is missing is found by the check.
            let cert = section.path("cert").unwrap_or_default();
            let key = section.path("key").unwrap_or_default();
            self.tls = Some(TlsConfig { cert, key });
        });
    }

    /// Where it tells others that they reach it.
    pub(crate) fn advertised(&self, listening: SocketAddr) -> String {
        match &self.advertise {
            Some(url) => url.to_string(),
            None if self.tls.is_some() => format!("https://{listening}"),
            None => format!("http://{listening}"),
        }
    }

    /// What is wrong with where the store is, and with the way there.
    fn check_store(&self, problem: &mut impl FnMut(&str, String)) {
        let StoreUrl::Postgres(url) = &self.store else {
            if self.store_password_file.is_some() {
                problem("store_password_file", "it goes with a PostgreSQL store".to_owned());
            }
            return;
        };
        match url.transport() {
            Transport::Safe | Transport::Weak(_) => {}
            Transport::NotSaid => problem(
                "store",
                format!(
                    "the password would go to any server that answers for {url}: add \
                     ?sslmode=verify-full, and &sslrootcert=FILE if its certificate is your own; \
                     where something else protects the way, say so with ?sslmode=disable"
                ),
            ),
            Transport::Falls => problem(
                "store",
                format!(
                    "with this sslmode, a host on the way to {url} can turn encryption off: \
                     write sslmode=verify-full; where something else protects the way, say so with \
                     sslmode=disable"
                ),
            ),
        }
        if let Some(path) = &self.store_password_file {
            if url.has_password() {
                problem("store_password_file", "there is a password in store, too".to_owned());
            } else if let Err(message) = readable(path) {
                problem("store_password_file", message);
            }
        }
    }

    /// Like [`check`](Self::check), of the store alone.
    pub(super) fn store_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.check_store(&mut |key: &str, message: String| {
            problems.push(Problem::new(format!("coordinator.{key}"), message));
        });
        problems
    }

    /// What the settings allow and should not be overlooked.
    pub(super) fn warn(&self, warnings: &mut Vec<Problem>) {
        if let StoreUrl::Postgres(url) = &self.store
            && let Transport::Weak(why) = url.transport()
        {
            let message = format!(
                "the way to {url} is not safe from others, because {why}: use sslmode=verify-full \
                 unless something else protects it"
            );
            warnings.push(Problem::new("coordinator.store", message));
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
            if self.token.is_none() {
                problem(
                    "token",
                    format!("{listen} can be reached by others: set a token, or FASTJOB_TOKEN"),
                );
            }
            if self.tls.is_none() && !self.insecure_plaintext {
                problem(
                    "tls",
                    format!(
                        "{listen} can be reached by others, and the token would travel in plain \
                         text: set cert and key, or insecure_plaintext = true if something else \
                         keeps it safe"
                    ),
                );
            }
        }
        self.check_store(&mut problem);
        let shared = matches!(self.store, StoreUrl::Postgres(_));
        if shared && self.listen.ip().is_unspecified() && self.advertise.is_none() {
            problem(
                "advertise",
                format!("others cannot reach {}: say where they reach this node", self.listen),
            );
        }
        if let Some(url) = self.advertise.as_ref().filter(|url| url.is_open_to_others())
            && !self.insecure_plaintext
        {
            problem(
                "advertise",
                format!(
                    "executors and other nodes would reach {url} in plain text: write https, also \
                     where something in front of this node ends TLS, or set insecure_plaintext = \
                     true if something else keeps it safe"
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
                "it is not longer than two beats, so that one late beat would lose an executor"
                    .to_owned(),
            );
        }
        if !(LEASE_MIN..=LEASE_MAX).contains(&self.lease) {
            problem("lease", "it is not between 1s and 5min".to_owned());
        }
        if matches!(self.store, StoreUrl::Postgres(_)) && self.executor_lost < self.lease * 2 {
            problem(
                "executor_lost",
                "it is shorter than two leases, so that what is exclusive across the cluster would \
                 end whenever a node does"
                    .to_owned(),
            );
        }
        if self.drain > DRAIN_MAX {
            problem("drain", "it is longer than 1h".to_owned());
        }
        if self.max_connections == 0 {
            problem("max_connections", "it is 0, so that nobody could connect".to_owned());
        }
        self.limits.check(problems);
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
