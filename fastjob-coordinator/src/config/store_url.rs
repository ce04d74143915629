//! The address of the store.

use std::{ffi::OsStr, fmt, net::IpAddr, path::PathBuf, str::FromStr};

use reqwest::Url;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

const FORMS: &str = "write it like `sqlite:fastjob-data/fastjob.db` or \
                     `postgres://user:password@host:5432/database`";

/// Where the coordinator stores its data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// The embedded store in this file.
    Sqlite(PathBuf),
    /// A PostgreSQL database, which several coordinators may share.
    Postgres(PostgresUrl),
}

/// The options that are supported after `?`. Others are rejected, because they would have no
/// effect.
const OPTIONS: [&str; 9] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "user",
    "application_name",
    "options",
];

/// The address of a PostgreSQL database and its credentials. Shown without the user and the
/// password.
///
/// Missing parts come from the same sources as in PostgreSQL's own programs: `PGPASSWORD` and
/// similar variables, and the file `~/.pgpass`.
#[derive(Clone)]
pub struct PostgresUrl {
    text: String,
    options: Box<PgConnectOptions>,
}

impl PostgresUrl {
    /// The options to connect with.
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Whether the address contains a password.
    pub(crate) fn has_password(&self) -> bool {
        self.text.parse::<Url>().is_ok_and(|url| url.password().is_some())
    }

    /// The same address with this password.
    pub(crate) fn with_password(&self, password: &str) -> Self {
        let options = Box::new(self.options.as_ref().clone().password(password));
        Self { text: self.text.clone(), options }
    }

    /// Whether the database is on this machine.
    fn is_local(&self) -> bool {
        let host = self.options.get_host();
        let is_loopback = |ip: IpAddr| ip.to_canonical().is_loopback();
        self.options.get_socket().is_some()
            || host.eq_ignore_ascii_case("localhost")
            || host.parse().is_ok_and(is_loopback)
    }

    /// How the connection to the database is protected.
    pub(super) fn transport(&self) -> Transport {
        let is_said = |name: &OsStr| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let in_text = self.text.parse::<Url>();
        let in_text = in_text.is_ok_and(|url| url.query_pairs().any(|(key, _)| key == "sslmode"));
        match self.options.get_ssl_mode() {
            _ if self.is_local() => Transport::Safe,
            _ if !in_text && !is_said(OsStr::new("PGSSLMODE")) => Transport::NotSaid,
            PgSslMode::VerifyFull => Transport::Safe,
            PgSslMode::VerifyCa => Transport::Weak("any certificate of that authority is accepted"),
            PgSslMode::Require => Transport::Weak("the identity of the server is not verified"),
            PgSslMode::Disable => Transport::Weak("it is not encrypted"),
            PgSslMode::Prefer | PgSslMode::Allow => Transport::Falls,
        }
    }
}

/// How a connection to a database is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// The database is on this machine, or its identity is verified.
    Safe,
    /// The operator chose a weaker mode, with this weakness.
    Weak(&'static str),
    /// No mode is set, and the driver would fall back to plain text.
    NotSaid,
    /// `prefer` or `allow`: a host on the network path can force plain text.
    Falls,
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.options.get_database().unwrap_or_default();
        if let Some(socket) = self.options.get_socket() {
            return write!(f, "postgres:///{database}?host={}", socket.display());
        }
        let (host, port) = (self.options.get_host(), self.options.get_port());
        if host.contains(':') {
            return write!(f, "postgres://[{host}]:{port}/{database}");
        }
        write!(f, "postgres://{host}:{port}/{database}")
    }
}

impl PartialEq for PostgresUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PostgresUrl {}

impl FromStr for PostgresUrl {
    type Err = InvalidStoreUrl;

    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, optionally followed by options such as
    /// `?sslmode=verify-full` and `&sslrootcert=FILE`.
    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        let url: Url = text.parse().map_err(|_| InvalidStoreUrl::Postgres)?;
        let has = |name: &str| url.query_pairs().any(|(key, _)| key == name);
        if url.query_pairs().any(|(key, _)| !OPTIONS.contains(&key.as_ref())) {
            return Err(InvalidStoreUrl::PostgresOptions);
        }
        if url.host_str().is_none_or(str::is_empty) && !has("host") {
            return Err(InvalidStoreUrl::NoHost);
        }
        if url.path().trim_matches('/').is_empty() {
            return Err(InvalidStoreUrl::NoDatabase);
        }
        let mut options: PgConnectOptions = text.parse().map_err(|_| InvalidStoreUrl::Postgres)?;
        // The brackets belong to the URL, not to the address.
        let bare = |host: &str| Some(host.strip_prefix('[')?.strip_suffix(']')?.to_owned());
        if let Some(host) = bare(options.get_host()) {
            options = options.host(&host);
        }
        Ok(Self { text: text.to_owned(), options: Box::new(options) })
    }
}

impl Default for StoreUrl {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("fastjob-data/fastjob.db"))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// Why a text is not the address of a store. Never contains the text, which may include a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidStoreUrl {
    /// The address of the PostgreSQL database cannot be parsed.
    #[error("the address of the database is invalid; {FORMS}")]
    Postgres,
    /// It has an unsupported option.
    #[error("only {} are supported after `?`; {FORMS}", OPTIONS.join(", "))]
    PostgresOptions,
    /// It has no host.
    #[error("the host is missing; {FORMS}")]
    NoHost,
    /// It has no database.
    #[error("the name of the database is missing; {FORMS}")]
    NoDatabase,
    /// It has no file.
    #[error("the path of the file is missing; {FORMS}")]
    NoPath,
    /// A store in memory would not persist anything.
    #[error("a store in memory would not persist anything; {FORMS}")]
    Memory,
    /// It has options after the file.
    #[error("options after `?` are not supported; {FORMS}")]
    Options,
    /// The kind of store is unknown.
    #[error("unknown kind of store; {FORMS}")]
    Unknown,
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    /// Reads `sqlite:PATH`, `sqlite://PATH`, or what [`PostgresUrl`] reads.
    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        let (scheme, rest) = text.split_once(':').ok_or(InvalidStoreUrl::Unknown)?;
        match scheme {
            "sqlite" => {}
            "postgres" | "postgresql" => return text.parse().map(Self::Postgres),
            _ => return Err(InvalidStoreUrl::Unknown),
        }
        match rest.strip_prefix("//").unwrap_or(rest) {
            "" => Err(InvalidStoreUrl::NoPath),
            path if path.contains(":memory:") => Err(InvalidStoreUrl::Memory),
            path if path.contains('?') => Err(InvalidStoreUrl::Options),
            path => Ok(Self::Sqlite(PathBuf::from(path))),
        }
    }
}
