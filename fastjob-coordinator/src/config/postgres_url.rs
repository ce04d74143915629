//! The address of a PostgreSQL database.

use std::{ffi::OsStr, fmt, net::IpAddr, str::FromStr};

use reqwest::Url;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::store_url::{InvalidStoreUrl, OPTIONS, Transport};

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
