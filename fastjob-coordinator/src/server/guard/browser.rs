//! Requests of browsers: which page one is for, and what one may do with the console's cookie.

use std::net::IpAddr;

use axum::extract::Request;
use http::{
    HeaderMap, Method, Uri,
    header::{HOST, ORIGIN},
    uri::Authority,
};

use crate::{
    api::{HEALTH, is_page},
    server::grpc,
};

/// The path of the console's session, which has methods of its own.
const SESSION: &str = "/console/session";

/// What the headers say about the page that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// A page of the same origin.
    Own,
    /// A page of another origin.
    Foreign,
    /// They do not say: not a browser, or a request that the user made without a page.
    Unknown,
}

impl Page {
    pub(super) fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let mut sites = headers.get_all("sec-fetch-site").iter().peekable();
        if sites.peek().is_some() {
            let sites: Vec<_> = sites.collect();
            return match sites.iter().all(|site| *site == "same-origin") {
                true => Self::Own,
                false if sites.iter().all(|site| *site == "same-origin" || *site == "none") => {
                    Self::Unknown
                }
                false => Self::Foreign,
            };
        }
        let here = uri.authority().map(Authority::as_str);
        let here = here.or_else(|| headers.get(HOST)?.to_str().ok());
        let mut origins = headers.get_all(ORIGIN).iter().peekable();
        if origins.peek().is_none() {
            return Self::Unknown;
        }
        let is_own = origins.all(|origin| {
            let from = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            from.zip(here).is_some_and(|((_, from), here)| from.eq_ignore_ascii_case(here))
        });
        if is_own { Self::Own } else { Self::Foreign }
    }
}

/// Whether a browser sent the request for a page of another origin.
pub(crate) fn is_for_foreign_page(request: &Request) -> bool {
    Page::of(request.uri(), request.headers()) == Page::Foreign
}

/// Whether every host name in the request is a name of this machine.
pub(super) fn is_asked_for_locally(uri: &Uri, headers: &HeaderMap) -> bool {
    let in_uri = uri.authority().map(|authority| Some(authority.as_str()));
    let in_headers = headers.get_all(HOST).iter().map(|host| host.to_str().ok());
    let mut names = in_uri.into_iter().chain(in_headers).peekable();
    names.peek().is_some() && names.all(|name| name.is_some_and(is_local))
}

fn is_local(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Whether a path belongs to the console.
pub(in crate::server) fn is_of_console(path: &str) -> bool {
    path == "/" || path == "/console" || path.starts_with("/console/")
}

/// Whether the request is answered without a token: files of pages, which are the same for everyone,
/// and signing in to the console.
pub(in crate::server) fn is_open(request: &Request) -> bool {
    let (method, path) = (request.method(), request.uri().path());
    match path == SESSION {
        true => [Method::GET, Method::HEAD, Method::POST, Method::DELETE].contains(method),
        false => (is_of_console(path) || is_page(path)) && is_read(method),
    }
}

/// Whether the user followed a link to a page of the console. The page shows nothing before its own
/// requests are answered, and cannot be embedded, so links from other sites may lead to it.
pub(super) fn is_visit(request: &Request) -> bool {
    let headers = request.headers();
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|given| given == value);
    let path = request.uri().path();
    is_of_console(path)
        && path != SESSION
        && request.method() == Method::GET
        && is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document")
}

/// Whether the console's cookie counts for a path: that of REST, of the console itself, and of what
/// may be read with the token. Executors and nodes have no cookies.
pub(super) fn takes_cookies(request: &Request) -> bool {
    let path = request.uri().path();
    !grpc::is_spoken(request.headers())
        && (path.starts_with("/api/")
            || is_of_console(path)
            || HEALTH.contains(&path)
            || path == "/metrics")
}

/// Whether a method changes nothing.
pub(super) fn is_read(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}
