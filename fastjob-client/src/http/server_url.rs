//! The address of a coordinator, as clients write it.

use std::{fmt, str::FromStr};

use reqwest::Url;

/// The address of a coordinator: `http://127.0.0.1:7070`, `https://jobs.example.org/fastjob`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl(Url);

impl ServerUrl {
    /// The address as text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The URL of a path on the coordinator.
    pub(super) fn join(&self, path: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// Whether the scheme is `http` and not `https`.
    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Whether the host is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        host == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// Whether others could read what is sent there.
    pub fn is_open_to_others(&self) -> bool {
        self.is_plain() && !self.is_loopback()
    }
}

impl Default for ServerUrl {
    fn default() -> Self {
        Self(Url::parse("http://127.0.0.1:7070").expect("it is an address"))
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is not the address of a coordinator. Never contains the text, which may include a
/// password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidServerUrl {
    /// It cannot be parsed.
    #[error(
        "it is not an address; write it like `http://127.0.0.1:7070` or `https://jobs.example.org`"
    )]
    Text,
    /// It contains a user name or a password.
    #[error("it contains a user name or password; use a token instead")]
    Credentials,
    /// It contains a query or a fragment.
    #[error("it has a query or fragment, after `?` or `#`")]
    More,
}

impl FromStr for ServerUrl {
    type Err = InvalidServerUrl;

    fn from_str(text: &str) -> Result<Self, InvalidServerUrl> {
        let url = Url::parse(text).map_err(|_| InvalidServerUrl::Text)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(InvalidServerUrl::Text);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidServerUrl::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidServerUrl::More);
        }
        Ok(Self(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_address_without_secrets() {
        let base: ServerUrl = "https://h/base/".parse().unwrap();
        assert_eq!(base.join(&["api", "a b/c"]).as_str(), "https://h/base/api/a%20b%2Fc");
        assert_eq!(ServerUrl::default().join(&["x"]).as_str(), "http://127.0.0.1:7070/x");
        for wrong in ["localhost:7070", "ftp://h", "", "http://", "http://u:p@h", "http://h/?a=b"] {
            assert!(wrong.parse::<ServerUrl>().is_err(), "{wrong:?} was accepted");
        }
        for here in ["http://localhost:1", "http://127.0.0.9", "http://[::1]:1"] {
            assert!(here.parse::<ServerUrl>().unwrap().is_loopback(), "{here}");
        }
        assert!(!"http://localhost.example.org".parse::<ServerUrl>().unwrap().is_loopback());
    }
}
