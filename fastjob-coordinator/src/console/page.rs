//! Answers requests for the console's files.

use axum::{
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{
        ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
        CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
    },
};

use super::files::{Found, Shared};
use crate::api::{Kind, Problem, shown_path, unknown_path};

/// Bytes of a nonce.
const NONCE: usize = 16;

/// Levels of the deepest path that gets the page, which each of them makes longer.
const LEVELS: usize = 8;

/// What a browser may load and do for the page. `style-src` gets the nonce.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'self'; \
                      form-action 'self'";

/// Features of browsers that the page does not use.
const NO_FEATURES: &str = "camera=(), display-capture=(), geolocation=(), hid=(), microphone=(), \
                           midi=(), payment=(), publickey-credentials-get=(), serial=(), usb=()";

/// Leads to the page. The address is relative, so that it is correct behind a proxy that adds a
/// prefix.
pub(super) async fn to_console() -> Response {
    let headers = [(LOCATION, "console/"), (CACHE_CONTROL, "no-cache")];
    (StatusCode::FOUND, headers).into_response()
}

/// The page.
pub(super) async fn index(State(files): State<Shared>, uri: Uri) -> Response {
    let text = match files.index().await {
        Ok(text) => text,
        Err(err) => {
            tracing::warn!(
                error = &err as &dyn std::error::Error,
                "could not read the console's page"
            );
            let detail = "the page of the console cannot be read: see coordinator.console.dir";
            return Problem::new(Kind::Internal, detail).into_response();
        }
    };
    let nonce = STANDARD.encode(rand::random::<[u8; NONCE]>());
    let depth = levels(&uri);
    let up = |levels: usize| vec![".."; levels].join("/");
    let console = if depth == 0 { ".".to_owned() } else { up(depth) };
    let text = text
        .replace("%BASE%", &up(depth + 1))
        .replace("%ASSETS%", &format!("{console}/a/{}", files.digest()))
        .replace("%NONCE%", &nonce);
    let policy = POLICY.replace("style-src 'self'", &format!("style-src 'self' 'nonce-{nonce}'"));
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // Without a tag: a page that a browser kept would have another nonce than the policy.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A path within the page, if it is a person who asks.
pub(super) async fn other(files: State<Shared>, uri: Uri, headers: HeaderMap) -> Response {
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let is_page = accepts.flat_map(|accept| accept.split(',')).any(|media| {
        media.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("text/html"))
    });
    if is_page && !uri.path().starts_with("/console/a/") && levels(&uri) <= LEVELS {
        return index(files, uri).await;
    }
    unknown_path(uri.path())
}

/// The segments after `/console/`, without the last one, which does not count for a browser either.
fn levels(uri: &Uri) -> usize {
    uri.path().matches('/').count().saturating_sub(2)
}

/// A file. Those of another release are not here: a page of that release loads itself again.
pub(super) async fn asset(
    State(files): State<Shared>,
    Path((digest, path)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let found = if digest == files.digest() { files.find(&path).await } else { None };
    match found {
        None => unknown_path(uri.path()),
        Some(Found::Changing { media, bytes }) => {
            ([(CONTENT_TYPE, media), (CACHE_CONTROL, "no-store")], bytes).into_response()
        }
        Some(Found::Stable(file)) => {
            let zipped = if accepts_gzip(&headers) { file.zipped().await } else { None };
            let tag = match zipped {
                Some(_) => format!("\"{}-gzip\"", file.tag()),
                None => format!("\"{}\"", file.tag()),
            };
            let is_known = is_among(&tag, &headers);
            let is_zipped = zipped.is_some();
            let mut response = match is_known {
                true => StatusCode::NOT_MODIFIED.into_response(),
                false => Body::from(zipped.unwrap_or_else(|| file.bytes())).into_response(),
            };
            let to = response.headers_mut();
            if !is_known {
                to.insert(CONTENT_TYPE, HeaderValue::from_static(file.media()));
            }
            if is_zipped && !is_known {
                to.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            if let Ok(tag) = HeaderValue::try_from(tag) {
                to.insert(ETAG, tag);
            }
            to.insert(VARY, HeaderValue::from_static("accept-encoding"));
            let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
            to.insert(CACHE_CONTROL, kept);
            response
        }
    }
}

pub(super) async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let path = shown_path(uri.path());
    Problem::new(Kind::WrongMethod, format!("{path} does not support {method}"))
}

/// Adds what every answer has.
pub(super) async fn protect(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), NO_FEATURES),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    }
    response
}

/// Whether gzip is accepted: named, and not with the weight 0.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let given = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        is_gzip && weight.is_none_or(|weight| weight > 0.0)
    })
}

/// Whether the client has the file with this tag.
fn is_among(tag: &str, headers: &HeaderMap) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    })
}
