//! Where an answer sends a request next, and what it takes along.
//!
//! To another origin (scheme, host or port) goes nothing that the job gave: no header, no user, no
//! body. Whether the next host may be called is judged like the first one.

use reqwest::{
    Method, StatusCode, Url,
    header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, LOCATION},
};

use super::hosts::Refused;

/// One request of a call.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<String>,
}

/// Whether the answer sends the request elsewhere.
pub(super) fn is_redirect(status: StatusCode, headers: &HeaderMap) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) && headers.contains_key(LOCATION)
}

impl Hop {
    /// The request after an answer that is a redirect.
    pub(super) fn next(self, status: StatusCode, answer: &HeaderMap) -> Result<Self, Refused> {
        let Self { url, mut method, mut headers, mut body } = self;
        let wrong = || Refused("the redirect leads to something that is not a URL".to_owned());
        let location = answer.get(LOCATION).and_then(|value| value.to_str().ok());
        let mut next = url.join(location.ok_or_else(wrong)?).map_err(|_| wrong())?;
        if !["http", "https"].contains(&next.scheme()) {
            return Err(Refused(format!("the redirect leads to {}:", next.scheme())));
        }
        // As browsers do.
        let drops_body = match status.as_u16() {
            303 => method != Method::HEAD,
            301 | 302 => method == Method::POST,
            _ => false,
        };
        if drops_body {
            (method, body) = (Method::GET, None);
            for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE] {
                headers.remove(name);
            }
        }
        let is_same = url.origin() == next.origin();
        let (user, password) = if is_same { (url.username(), url.password()) } else { ("", None) };
        // It has a host, and so can have a user.
        next.set_username(user).and_then(|()| next.set_password(password)).map_err(|()| wrong())?;
        if !is_same {
            headers.clear();
            if body.is_some() {
                return Err(Refused(
                    "the redirect would take the body to another origin: call that URL itself"
                        .to_owned(),
                ));
            }
        }
        Ok(Self { url: next, method, headers, body })
    }
}
