//! Redirects: the next request, and what it keeps of the previous one.
//!
//! A redirect to another origin (scheme, host or port) keeps nothing that the job supplied: no
//! header, no user, no body. The next host is checked like the first one.

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

/// Whether the response is a redirect.
pub(super) fn is_redirect(status: StatusCode, headers: &HeaderMap) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) && headers.contains_key(LOCATION)
}

impl Hop {
    /// The request that follows a redirect.
    pub(super) fn next(self, status: StatusCode, answer: &HeaderMap) -> Result<Self, Refused> {
        let Self { url, mut method, mut headers, mut body } = self;
        let wrong = || Refused("the redirect target is not a URL".to_owned());
        let location = answer.get(LOCATION).and_then(|value| value.to_str().ok());
        let mut next = url.join(location.ok_or_else(wrong)?).map_err(|_| wrong())?;
        if !["http", "https"].contains(&next.scheme()) {
            return Err(Refused(format!("the redirect target has the scheme {}:", next.scheme())));
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
        // The URL has a host, so setting a user cannot fail.
        next.set_username(user).and_then(|()| next.set_password(password)).map_err(|()| wrong())?;
        if !is_same {
            headers.clear();
            if body.is_some() {
                return Err(Refused(
                    "the redirect would send the body to another origin: call that URL directly"
                        .to_owned(),
                ));
            }
        }
        Ok(Self { url: next, method, headers, body })
    }
}
