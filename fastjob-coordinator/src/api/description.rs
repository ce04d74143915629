//! The description of this API: the committed `openapi.json`, which the tests compare with the code.

use std::sync::LazyLock;

use axum::{
    body::Bytes,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use sha2::{Digest, Sha256};

use super::read::NoParams;

static OPENAPI: &[u8] = include_bytes!("../../openapi.json");

/// Changes with each other description.
static TAG: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(OPENAPI);
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..16]))
});

/// Answers with the description, unless the caller has it.
pub(super) async fn openapi(_: NoParams, headers: HeaderMap) -> Response {
    // Callers ask each time: the next release has another one.
    let cache = (CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let tag: (HeaderName, &str) = (ETAG, TAG.as_str());
    if has(&headers, &TAG) {
        return (StatusCode::NOT_MODIFIED, [tag], [cache]).into_response();
    }
    let media = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ([tag], [cache, media], Bytes::from_static(OPENAPI)).into_response()
}

/// Whether the caller has what this tag names. Weak and strong tags are equal here (RFC 9110).
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|own| own == "*" || own.strip_prefix("W/").unwrap_or(own) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_that_has_the_description_does_not_get_it_again() {
        #[track_caller]
        fn check(sent: &[&'static str], expected: bool) {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append(IF_NONE_MATCH, HeaderValue::from_static(value));
            }
            assert_eq!(has(&headers, "\"a\""), expected, "{sent:?}");
        }
        check(&[], false);
        check(&["\"a\""], true);
        check(&["\"b\", W/\"a\""], true);
        check(&["\"b\"", "\"a\""], true);
        check(&["*"], true);
        check(&["a", "\"aa\""], false);
    }
}
