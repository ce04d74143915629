//! The cookie with which a browser shows that its user had the token.
//!
//! A browser cannot send a token with an event stream, and must not keep it where scripts can read
//! it. So it sends the token once, and gets a cookie that scripts cannot read. The cookie contains
//! when the user signed in, when the cookie expires, whether it may only be sent by `https`, and a MAC
//! of these. Its key is derived from the token, so that no node keeps a list of sessions, all nodes of
//! a cluster accept the cookie, and it becomes invalid when the token changes.
//!
//! A browser sends the cookies of a host to all ports of it. The name of the cookie is derived from
//! the token too: coordinators with different tokens on one host do not overwrite each other's
//! cookies, and never receive one of their own name with the MAC of another token.

use std::{fmt, sync::Arc, time::Duration};

use fastjob_core::wire::{ExecutorKey, hex, is_mac, mac, unhex};
use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::clock::Clock;

/// How long a cookie is valid.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// A cookie is renewed once this much of its lifetime has passed.
const RENEWED_AFTER: Duration = Duration::from_secs(12 * 3600);
/// How long after the user signed in cookies are renewed.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// Longest value of a cookie, and the number of cookies of the name that are looked at.
const VALUE_MAX: usize = 128;
const LOOKED_AT: usize = 4;

/// Whether browsers reach the coordinator by `https`, so that the cookie must never be sent in plain
/// text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secure {
    Yes,
    No,
}

impl Secure {
    /// The word in a cookie.
    const fn word(self) -> &'static str {
        match self {
            Self::Yes => "s",
            Self::No => "p",
        }
    }
}

/// Issues and checks cookies. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cookies(Arc<Shared>);

struct Shared {
    key: [u8; 32],
    name: String,
    clock: Arc<Clock>,
}

/// A valid cookie, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session {
    since: u64,
    until: u64,
    secure: Secure,
}

/// What the cookies of a request are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    Valid,
    Expired,
    /// It has the name, but another MAC.
    Forged,
}

impl Cookies {
    /// Cookies that are valid as long as the token has this key.
    pub(crate) fn new(key: &ExecutorKey, clock: Arc<Clock>) -> Self {
        let key = key.derive("console cookie");
        let name = format!("fastjob-{}", hex(&mac(&key, &[b"name"])[..8]));
        Self(Arc::new(Shared { key, name, clock }))
    }

    /// The header `set-cookie` for a user who has just signed in.
    pub(crate) fn issue(&self, secure: Secure) -> Option<HeaderValue> {
        let now = self.now();
        self.set(Session { since: now, until: now + LIFETIME.as_secs(), secure })
    }

    /// The header `set-cookie` for a session that should last longer; `None` if it need not, or may
    /// not. What was to be sent by `https` only stays so: a browser says its origin when it signs in,
    /// and not with each request after that.
    pub(crate) fn renew(&self, headers: &HeaderMap, secure: Secure) -> Option<HeaderValue> {
        let session = self.sessions(headers).find_map(Result::ok)?;
        let now = self.now();
        let until = (now + LIFETIME.as_secs()).min(session.since + LONGEST.as_secs());
        let is_due = session.until - now + RENEWED_AFTER.as_secs() <= LIFETIME.as_secs();
        let secure = if session.secure == Secure::Yes { Secure::Yes } else { secure };
        let renewed = Session { until, secure, ..session };
        (is_due && until > session.until).then(|| self.set(renewed))?
    }

    /// The header `set-cookie` that makes a browser forget the cookie.
    pub(crate) fn forget(&self) -> Option<HeaderValue> {
        let name = &self.0.name;
        HeaderValue::try_from(format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")).ok()
    }

    /// Checks the cookies of a request. One that is valid is enough.
    pub(super) fn judge(&self, headers: &HeaderMap) -> Shown {
        self.sessions(headers).fold(Shown::Nothing, |judged, session| match (judged, session) {
            (Shown::Valid, _) | (_, Ok(_)) => Shown::Valid,
            (Shown::Forged, _) | (_, Err(Shown::Forged)) => Shown::Forged,
            (_, Err(shown)) => shown,
        })
    }

    /// How long the cookies of a request are still valid; `None` if they are not.
    pub(super) fn rest(&self, headers: &HeaderMap) -> Option<Duration> {
        let until =
            self.sessions(headers).filter_map(Result::ok).map(|session| session.until).max();
        Some(Duration::from_secs(until?.saturating_sub(self.now())))
    }

    fn sessions<'a>(
        &'a self,
        headers: &'a HeaderMap,
    ) -> impl Iterator<Item = Result<Session, Shown>> + 'a {
        let now = self.now();
        values(headers, &self.0.name).take(LOOKED_AT).map(move |value| self.read(value, now))
    }

    fn read(&self, value: &str, now: u64) -> Result<Session, Shown> {
        let parse = || {
            let value = Some(value).filter(|value| value.len() <= VALUE_MAX)?;
            let mut parts = value.split('.');
            let [since, until] = [parts.next()?, parts.next()?];
            let [secure, given] = [parts.next()?, parts.next()?];
            parts.next().is_none().then_some(())?;
            let is_ours = is_mac(&self.0.key, &parts_of(since, until, secure), &unhex(given)?);
            is_ours.then_some(())?;
            let secure = [Secure::Yes, Secure::No].into_iter().find(|it| it.word() == secure)?;
            Some(Session { since: since.parse().ok()?, until: until.parse().ok()?, secure })
        };
        let session = parse().ok_or(Shown::Forged)?;
        if session.until <= now { Err(Shown::Expired) } else { Ok(session) }
    }

    fn set(&self, session: Session) -> Option<HeaderValue> {
        let (name, now) = (&self.0.name, self.now());
        let [since, until] = [session.since, session.until].map(|at| at.to_string());
        let word = session.secure.word();
        let mac = hex(&mac(&self.0.key, &parts_of(&since, &until, word)));
        let lasts = session.until.saturating_sub(now);
        let secure = if session.secure == Secure::Yes { "; Secure" } else { "" };
        let text = format!(
            "{name}={since}.{until}.{word}.{mac}; Path=/; Max-Age={lasts}; HttpOnly; \
             SameSite=Strict{secure}"
        );
        // Digits and letters only.
        HeaderValue::try_from(text).ok()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.clock.now().wall.as_second()).unwrap_or(0)
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookies").field("name", &self.0.name).finish_non_exhaustive()
    }
}

fn parts_of<'a>(since: &'a str, until: &'a str, secure: &'a str) -> [&'a [u8]; 4] {
    [b"session", since.as_bytes(), until.as_bytes(), secure.as_bytes()]
}

/// The values of the cookies of a name. A header that is not text has none.
fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    texts.flat_map(|text| text.split(';')).filter_map(move |cookie| {
        let (of, value) = cookie.trim().split_once('=')?;
        (of == name).then_some(value)
    })
}

#[cfg(test)]
mod tests;
