//! The door of the port: every request passes here before anything reads it.
//!
//! With a token, whoever does not show it is turned away. Without one the port is on loopback, and
//! what is left to fear is a browser on this machine that a foreign page made speak: a name that
//! the page's owner points at loopback, or a request across sites. Both are refused.

use std::{net::IpAddr, time::Duration};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, Method, Uri,
    header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE},
    uri::Authority,
};

use super::{grpc, security::Token};
use crate::{
    api::{HEALTH, Kind, Problem},
    ops::Question,
};

/// How long whoever shows a wrong token waits for the answer.
const WRONG_TOKEN_DELAY: Duration = Duration::from_millis(100);

/// Whom the port lets in.
#[derive(Clone, Debug)]
pub(crate) enum Guard {
    /// Whoever shows the token.
    Token(Token),
    /// The programs of this machine.
    Local,
}

impl From<Option<Token>> for Guard {
    fn from(token: Option<Token>) -> Self {
        token.map_or(Self::Local, Self::Token)
    }
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("a token is needed: send `Authorization: Bearer …` with the coordinator's token")]
    NoToken,
    #[error("the token is not the coordinator's")]
    WrongToken,
    #[error(
        "without a token the coordinator answers only to names of its own machine: ask \
         `localhost`, 127.0.0.1 or [::1], or set a token"
    )]
    ForeignHost,
    #[error("a page of another site may not change anything here")]
    ForeignPage,
}

/// Lets a request pass, or answers it.
pub(super) async fn stand(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if request.extensions().get::<Question>().is_some() {
        return next.run(request).await; // a node of the cluster, with a credential of its own
    }
    let Err(refusal) = guard.judge(request.method(), request.uri(), request.headers()) else {
        return next.run(request).await;
    };
    if refusal == Refusal::WrongToken {
        let from = request.extensions().get::<ConnectInfo<std::net::SocketAddr>>();
        let peer = from.map(|ConnectInfo(peer)| tracing::field::display(peer));
        tracing::warn!(peer, "refused a request with a wrong token");
        tokio::time::sleep(WRONG_TOKEN_DELAY).await;
    }
    refusal.answer(request.headers())
}

impl Guard {
    fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        if HEALTH.contains(&uri.path()) {
            return Ok(());
        }
        match self {
            Self::Token(token) => match bearer(headers) {
                // It is how a client finds out whether to send its token.
                None if uri.path() == grpc::PROVE => Ok(()),
                None => Err(Refusal::NoToken),
                Some(shown) if token.is(shown) => Ok(()),
                Some(_) => Err(Refusal::WrongToken),
            },
            Self::Local if !is_asked_for_locally(uri, headers) => Err(Refusal::ForeignHost),
            Self::Local if method.is_safe() || is_of_same_origin(uri, headers) => Ok(()),
            Self::Local => Err(Refusal::ForeignPage),
        }
    }
}

impl Refusal {
    fn answer(self, headers: &HeaderMap) -> Response {
        let (kind, code) = match self {
            Self::NoToken => (Kind::Unauthorized, tonic::Code::Unauthenticated),
            Self::WrongToken => (Kind::WrongToken, tonic::Code::Unauthenticated),
            Self::ForeignHost | Self::ForeignPage => {
                (Kind::Forbidden, tonic::Code::PermissionDenied)
            }
        };
        if grpc::is_spoken(headers) {
            return grpc::refusal(code, self.to_string());
        }
        let mut response = Problem::new(kind, self.to_string()).into_response();
        let challenge = match self {
            Self::NoToken => Some("Bearer realm=\"fastjob\""),
            Self::WrongToken => Some("Bearer realm=\"fastjob\", error=\"invalid_token\""),
            Self::ForeignHost | Self::ForeignPage => None,
        };
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// The bearer token that is shown, if there is exactly one.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (shown.next(), shown.next()) else { return None };
    let (scheme, token) = only.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

/// Whether every name under which the request was sent is one of this machine.
fn is_asked_for_locally(uri: &Uri, headers: &HeaderMap) -> bool {
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

/// Whether the request is of no browser, or of a page that came from here.
fn is_of_same_origin(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter().peekable();
    if sites.peek().is_some() {
        return sites.all(|site| site == "same-origin" || site == "none");
    }
    let here = uri.authority().map(Authority::as_str);
    let here = here.or_else(|| headers.get(HOST)?.to_str().ok());
    headers.get_all(ORIGIN).iter().all(|origin| {
        let from = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        from.zip(here).is_some_and(|((_, from), here)| from.eq_ignore_ascii_case(here))
    })
}

#[cfg(test)]
mod tests;
