//! The guard of the port: every request is checked here before it is processed.
//!
//! If a token is set, requests without it are rejected. If not, the port is on loopback, and two
//! kinds of programs on this machine may forward requests of untrusted clients. A browser may send
//! requests for a page of another site, also to a host name that the site's owner resolves to
//! loopback (DNS rebinding). A proxy forwards the requests that it receives. Both are rejected.
//!
//! A browser that signed in to the console shows a cookie in place of the token. It counts for REST
//! and for the console only, and for a request that changes something only if the browser says that
//! it is for a page of the same origin. The console's own files need no token: without them, nobody
//! could sign in.
//!
//! A request that passes authenticates its connection, see [`admission`](super::admission).

mod browser;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    extract::{ConnectInfo, Request},
    response::{IntoResponse, Response},
};
use fastjob_core::wire::ExecutorProof;
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use tokio::time::Instant;

#[cfg(feature = "console")]
pub(crate) use self::browser::is_for_foreign_page;
use self::browser::{Page, is_asked_for_locally, is_read, is_visit, takes_cookies};
pub(super) use self::browser::{is_of_console, is_open};
use super::{
    admission::{NoRoom, Pass, Peer},
    cookies::{Cookies, Shown},
    grpc,
    security::Token,
    wrong_tokens::WrongTokens,
};
use crate::{
    api::{HEALTH, Kind, Problem, SessionEnd, Trusted},
    metrics::Refused,
    ops::{Handshakes, NotProven, Question, Use},
    sessions::Sessions,
};

/// How long the response to a wrong token is delayed.
const WRONG_TOKEN_DELAY: Duration = Duration::from_millis(100);

/// Timeout of a handshake call, whose sender is not authenticated.
const HANDSHAKE_TIME: Duration = Duration::from_secs(2);

/// Headers that proxies add to the requests that they forward.
const OF_PROXIES: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Which clients the port accepts.
#[derive(Clone, Debug)]
pub(crate) enum Guard {
    /// Clients with the token.
    Token(Token),
    /// Programs on this machine.
    Local,
}

impl From<Option<Token>> for Guard {
    fn from(token: Option<Token>) -> Self {
        token.map_or(Self::Local, Self::Token)
    }
}

/// Why a request is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("a token is needed: send `Authorization: Bearer …` with the coordinator's token")]
    NoToken,
    #[error("the token is wrong: send the coordinator's token")]
    WrongToken,
    #[error(
        "without a token the coordinator accepts only local host names: use `localhost`, \
         127.0.0.1 or [::1], or set a token"
    )]
    ForeignHost,
    #[error(
        "the browser sent the request for a page of another site: without a token, the coordinator \
         accepts requests of its own pages only. Open its own address, or set a token"
    )]
    ForeignPage,
    #[error(
        "the request came through a proxy, and without a token the coordinator trusts all requests \
         that reach it, so the proxy would expose it to others. Set a token: `token` in \
         fastjob.toml, FASTJOB_TOKEN or --token"
    )]
    Proxied,
    #[error("your session in the console has expired: sign in again")]
    Expired,
    #[error("the cookie of the console is not valid: sign in again")]
    ForgedCookie,
    #[error(
        "with the cookie of the console, the coordinator accepts requests of its own pages only, and \
         changes only if the browser says that they come from such a page: open the console at its \
         own address, or send `Authorization: Bearer …` with the token"
    )]
    NotOwnPage,
    #[error("the session of this executor has ended")]
    NoSession,
    #[error(transparent)]
    NotProven(NotProven),
    #[error(transparent)]
    NoRoom(NoRoom),
}

/// Attached to a response: somebody tried to sign in with a wrong token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrongToken;

/// The guard, and its counts of rejected requests.
#[derive(Clone)]
pub(crate) struct Door {
    guard: Guard,
    /// With which browsers show that their users had the token.
    cookies: Option<Cookies>,
    /// With which executors prove that they know the token instead of sending it.
    handshakes: Option<Arc<Handshakes>>,
    /// Whose tickets allow executors to send logs.
    sessions: Sessions,
    wrong_tokens: WrongTokens,
}

impl From<Guard> for Door {
    fn from(guard: Guard) -> Self {
        let (sessions, wrong_tokens) = (Sessions::default(), WrongTokens::default());
        Self { guard, cookies: None, handshakes: None, sessions, wrong_tokens }
    }
}

impl Door {
    pub(crate) fn new(guard: Guard, handshakes: Arc<Handshakes>, sessions: Sessions) -> Self {
        Self { handshakes: Some(handshakes), sessions, ..Self::from(guard) }
    }

    /// Also accepts these cookies.
    pub(crate) fn with_cookies(self, cookies: Option<Cookies>) -> Self {
        Self { cookies, ..self }
    }

    /// Checks a request, and adds an executor's proof to its extensions.
    fn judge(&self, request: &mut Request) -> Result<(), Refusal> {
        if request.extensions().get::<Question>().is_some() {
            return Ok(()); // a node of the cluster, with its own credential
        }
        if request.uri().path() == grpc::KEEP {
            if matches!(self.guard, Guard::Local) {
                self.guard.judge(request.uri(), request.headers())?;
            }
            let ticket = only(request.headers(), AUTHORIZATION);
            let executor = ticket.and_then(|ticket| self.sessions.holder(ticket));
            request.extensions_mut().insert(executor.ok_or(Refusal::NoSession)?);
            return Ok(());
        }
        let proof = || only(request.headers(), AUTHORIZATION).and_then(ExecutorProof::from_header);
        if let (Guard::Token(_), Some(handshakes)) = (&self.guard, &self.handshakes)
            && let Some(proof) = proof()
        {
            let purpose = match request.uri().path() {
                grpc::PROVE => Use::Answer,
                grpc::JOIN => Use::Join,
                _ => return Err(Refusal::NoToken),
            };
            handshakes.accept(&proof, purpose).map_err(Refusal::NotProven)?;
            request.extensions_mut().insert(proof);
            return Ok(());
        }
        match self.guard.judge(request.uri(), request.headers()) {
            Err(Refusal::NoToken) if !request.headers().contains_key(AUTHORIZATION) => {
                self.judge_cookie(request)
            }
            Err(Refusal::ForeignPage) if is_visit(request) => Ok(()),
            judged => judged,
        }
    }

    /// Checks a request without a token, and adds when its session ends to its extensions.
    fn judge_cookie(&self, request: &mut Request) -> Result<(), Refusal> {
        let cookies = self.cookies.as_ref().filter(|_| takes_cookies(request));
        let Some(cookies) = cookies else { return Err(Refusal::NoToken) };
        match cookies.judge(request.headers()) {
            Shown::Nothing => return Err(Refusal::NoToken),
            Shown::Expired => return Err(Refusal::Expired),
            Shown::Forged => return Err(Refusal::ForgedCookie),
            Shown::Valid => {}
        }
        if let Some(rest) = cookies.rest(request.headers()) {
            request.extensions_mut().insert(SessionEnd(Instant::now() + rest));
        }
        match Page::of(request.uri(), request.headers()) {
            Page::Own => Ok(()),
            Page::Unknown if is_read(request.method()) => Ok(()),
            Page::Unknown | Page::Foreign => Err(Refusal::NotOwnPage),
        }
    }
}

/// Passes a request on, or rejects it.
pub(super) async fn stand<F: Future<Output = Response>>(
    door: &Door,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let judged = door.judge(&mut request);
    // Tests of single routes have no connection.
    let pass = request.extensions().get::<Pass>().cloned();
    let is_handshake = match request.uri().path() {
        // Anyone who overheard the proof can repeat this call, so it does not authenticate the
        // connection.
        grpc::PROVE => judged.is_ok() && request.extensions().get::<ExecutorProof>().is_some(),
        _ => judged == Err(Refusal::NoToken) && grpc::begins_handshake(&request),
    };
    if is_handshake {
        return shake(pass, next(request)).await;
    }
    let judged = judged.and_then(|()| match &pass {
        Some(pass) => pass.authenticate(peer(&request)).map_err(Refusal::NoRoom),
        None => Ok(()),
    });
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().copied();
    if judged.is_err_and(Refusal::is_wrong_token) {
        door.answer_late(address).await;
    }
    match judged {
        Ok(()) => {
            request.extensions_mut().insert(Trusted);
        }
        Err(_) if HEALTH.contains(&request.uri().path()) => {}
        Err(_) if matches!(door.guard, Guard::Token(_)) && is_open(&request) => {}
        Err(refusal) => {
            let mut answer = refusal.answer(request.headers());
            answer.extensions_mut().insert(Refused(refusal.name()));
            return answer;
        }
    }
    let response = next(request).await;
    if response.extensions().get::<WrongToken>().is_some() {
        door.answer_late(address).await;
    }
    response
}

impl Door {
    /// Logs a wrong token, and delays its answer.
    async fn answer_late(&self, address: Option<ConnectInfo<SocketAddr>>) {
        if let Some(ConnectInfo(peer)) = address {
            self.wrong_tokens.note(peer.ip());
        }
        tokio::time::sleep(WRONG_TOKEN_DELAY).await;
    }
}

/// Passes a handshake call on: one at a time per connection, with a timeout, because its sender is
/// not authenticated.
async fn shake(pass: Option<Pass>, call: impl Future<Output = Response>) -> Response {
    let turn = pass.as_ref().map(Pass::handshake);
    if matches!(turn, Some(None)) {
        let message = "a handshake is already in progress on this connection".to_owned();
        return grpc::refusal(tonic::Code::ResourceExhausted, message);
    }
    let answer = tokio::time::timeout(HANDSHAKE_TIME, call).await;
    answer.unwrap_or_else(|_| {
        let message = "the call did not arrive in time".to_owned();
        grpc::refusal(tonic::Code::DeadlineExceeded, message)
    })
}

/// The kind of client of a request that has passed.
fn peer(request: &Request) -> Peer {
    let extensions = request.extensions();
    if extensions.get::<Question>().is_some() {
        Peer::Node
    } else if extensions.get::<ExecutorProof>().is_some()
        || [grpc::JOIN, grpc::KEEP].contains(&request.uri().path())
    {
        Peer::Executor
    } else {
        Peer::Caller
    }
}

impl Guard {
    fn judge(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        match self {
            Self::Token(token) => match bearer(headers) {
                None => Err(Refusal::NoToken),
                Some(shown) if token.is(shown) => Ok(()),
                Some(_) => Err(Refusal::WrongToken),
            },
            Self::Local if OF_PROXIES.iter().any(|name| headers.contains_key(*name)) => {
                Err(Refusal::Proxied)
            }
            Self::Local if !is_asked_for_locally(uri, headers) => Err(Refusal::ForeignHost),
            Self::Local if Page::of(uri, headers) == Page::Foreign => Err(Refusal::ForeignPage),
            Self::Local => Ok(()),
        }
    }
}

impl Refusal {
    fn is_wrong_token(self) -> bool {
        matches!(
            self,
            Self::WrongToken | Self::ForgedCookie | Self::NotProven(NotProven::WrongToken)
        )
    }

    /// The reason as a value of a label.
    const fn name(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::WrongToken => "wrong_token",
            Self::ForeignHost => "foreign_host",
            Self::ForeignPage => "foreign_page",
            Self::Proxied => "proxied",
            Self::Expired => "expired_cookie",
            Self::ForgedCookie => "forged_cookie",
            Self::NotOwnPage => "not_own_page",
            Self::NoSession => "no_session",
            Self::NotProven(_) => "not_proven",
            Self::NoRoom(_) => "no_room",
        }
    }

    fn answer(self, headers: &HeaderMap) -> Response {
        let (kind, code) = match self {
            Self::NoToken | Self::NoSession | Self::Expired | Self::ForgedCookie => {
                (Kind::Unauthorized, tonic::Code::Unauthenticated)
            }
            Self::WrongToken | Self::NotProven(_) => {
                (Kind::WrongToken, tonic::Code::Unauthenticated)
            }
            Self::ForeignHost | Self::ForeignPage | Self::Proxied | Self::NotOwnPage => {
                (Kind::Forbidden, tonic::Code::PermissionDenied)
            }
            Self::NoRoom(_) => (Kind::Unavailable, tonic::Code::ResourceExhausted),
        };
        if grpc::is_spoken(headers) {
            return grpc::refusal(code, self.to_string());
        }
        let mut response = Problem::new(kind, self.to_string()).into_response();
        let challenge = match self {
            Self::NoToken | Self::Expired | Self::ForgedCookie => Some("Bearer realm=\"fastjob\""),
            Self::WrongToken => Some("Bearer realm=\"fastjob\", error=\"invalid_token\""),
            Self::NotProven(_)
            | Self::NoSession
            | Self::ForeignHost
            | Self::ForeignPage
            | Self::Proxied
            | Self::NotOwnPage
            | Self::NoRoom(_) => None,
        };
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// The value of a header that occurs exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut shown = headers.get_all(name).iter();
    let (Some(only), None) = (shown.next(), shown.next()) else { return None };
    Some(only.as_bytes())
}

/// The bearer token, if there is exactly one.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = only(headers, AUTHORIZATION)?.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

#[cfg(test)]
mod tests;
