//! A page on which people browse the description of the API, and send requests.
//!
//! Its files are parts of the program and the same everywhere, so they need no token; what the page
//! shows, it reads with the token of its reader or with the session of the console. It loads nothing
//! from elsewhere, and its policy forbids that.

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS,
    },
};

use crate::ops::Ops;

/// The page, and its files.
pub(super) const PATHS: [&str; 3] =
    ["/api/v1/docs", "/api/v1/docs/page.css", "/api/v1/docs/page.js"];

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

pub(super) fn router() -> Router<Ops> {
    let [page, style, script] = PATHS;
    Router::new()
        .route(
            page,
            get(|| async { file("text/html; charset=utf-8", include_str!("docs/page.html")) }),
        )
        .route(
            style,
            get(|| async { file("text/css; charset=utf-8", include_str!("docs/page.css")) }),
        )
        .route(
            script,
            get(|| async { file("text/javascript; charset=utf-8", include_str!("docs/page.js")) }),
        )
}

fn file(media: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &'static str); 5] = [
        (CONTENT_TYPE, media),
        // The next release has other files.
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_refers_to_its_own_files_only() {
        let page = include_str!("docs/page.html");
        let own = ["#calls", "openapi.json", "docs/page.css", "docs/page.js"];
        for target in ["href=\"", "src=\""].into_iter().flat_map(|name| page.split(name).skip(1)) {
            let (target, _) = target.split_once('"').unwrap();
            assert!(own.contains(&target), "{target}");
        }
        assert!(!page.contains("<script>") && !page.contains("style="));
        let script = include_str!("docs/page.js");
        assert!(!script.contains("innerHTML") && !script.contains("http"));
    }
}
