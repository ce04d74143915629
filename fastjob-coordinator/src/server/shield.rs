//! The layers around every request, REST and gRPC: the guard, memory bounds, and panic handling.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::{
    grpc,
    guard::{self, Door},
    nodes, responses,
};
use crate::{
    api::{self, Kind, Problem},
    bounds::Bounds,
    metrics::{Metrics, Refused},
    ops::{Credential, Ops},
};

/// Maximum length of path and query in bytes.
const URI_MAX: usize = 8 * 1024;

/// Everything that the port serves: REST, the gRPC services and the console, behind `door` and within
/// `bounds`.
pub(crate) fn app(ops: Ops, grpc: Router, console: Router, door: Door, bounds: Bounds) -> Router {
    let credential = Some(Arc::clone(ops.peers.credential()));
    let metrics = ops.metrics.clone();
    // Two routers with fallbacks cannot be merged, and tonic's has one.
    let routes = api::router(ops).merge(grpc.reset_fallback()).merge(console);
    Shield { credential, door, bounds, metrics }.around(routes)
}

/// What is around every route. It is one layer: the router copies all layers for each request.
pub(super) struct Shield {
    /// With which nodes authenticate; `None` if there are no routes for nodes.
    pub(super) credential: Option<Arc<Credential>>,
    pub(super) door: Door,
    pub(super) bounds: Bounds,
    pub(super) metrics: Metrics,
}

impl Shield {
    pub(super) fn around(self, routes: Router) -> Router {
        let shield = middleware::from_fn_with_state(Arc::new(self), Self::pass);
        routes.fallback(nothing_here).layer(shield)
    }

    async fn pass(State(shield): State<Arc<Self>>, request: Request, next: Next) -> Response {
        let began = Instant::now();
        let route = request.extensions().get::<MatchedPath>().cloned();
        let method = request.method().clone();
        let response = shield.answer(request, next).await;
        if let Some(refused) = response.extensions().get::<Refused>() {
            shield.metrics.requests.refused(*refused);
        }
        let route = route.as_ref().map(MatchedPath::as_str);
        let (status, took) = (response.status().as_u16(), began.elapsed());
        shield.metrics.requests.answered(route, method.as_str(), status, took);
        response
    }

    async fn answer(&self, mut request: Request, next: Next) -> Response {
        // Runs before the guard, which requires a token.
        let credential = self.credential.as_ref();
        if let Some(Err(problem)) = credential.map(|own| nodes::judge(own, &mut request)) {
            return problem.into_response();
        }
        let run = |request| bound_uri(request, next);
        let bounded = |request| responses::bound(&self.bounds, request, run);
        let guarded = |request| guard::stand(&self.door, request, bounded);
        let mut response = catch_panic(request, guarded).await;
        // Makes browsers hide responses from pages of other sites, even if a page only embeds them.
        let name = HeaderName::from_static("cross-origin-resource-policy");
        response.headers_mut().insert(name, HeaderValue::from_static("same-origin"));
        response
    }
}

/// Routes behind a door, as on the port.
#[cfg(test)]
pub(crate) fn behind(door: Door, routes: Router) -> Router {
    let metrics = Metrics::default();
    Shield { credential: None, door, bounds: Bounds::of_tests(), metrics }.around(routes)
}

async fn nothing_here(uri: Uri, headers: HeaderMap) -> Response {
    if grpc::is_spoken(&headers) {
        let message = format!("there is no method {}", uri.path());
        return grpc::refusal(tonic::Code::Unimplemented, message);
    }
    api::unknown_path(uri.path())
}

async fn bound_uri(request: Request, next: Next) -> Response {
    let length = request.uri().path_and_query().map_or(0, |whole| whole.as_str().len());
    if length > URI_MAX {
        let detail = format!("the URI has {length} bytes, at most {URI_MAX} are allowed");
        return Problem::new(Kind::UriTooLong, detail).into_response();
    }
    next.run(request).await
}

async fn catch_panic<F: Future<Output = Response>>(
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let is_grpc = grpc::is_spoken(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let panic = match AssertUnwindSafe(next(request)).catch_unwind().await {
        Ok(response) => return response,
        Err(panic) => panic,
    };
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(%method, path, panic = text, "request handler panicked");
    let detail = "internal error in the coordinator, see its log";
    if is_grpc {
        return grpc::refusal(tonic::Code::Internal, detail.to_owned());
    }
    Problem::new(Kind::Internal, detail).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::get};
    use http::header::{CONTENT_TYPE, HOST};
    use tower::ServiceExt;

    use super::*;
    use crate::server::Guard;

    async fn ask(uri: &str, media: &str) -> Response {
        async fn mistaken() -> &'static str {
            panic!("secret")
        }
        let routes =
            Router::new().route("/panic", get(mistaken)).route("/{any}", get(|| async { "here" }));
        let request = Request::get(uri).header(HOST, "localhost").header(CONTENT_TYPE, media);
        let request = request.body(Body::empty()).unwrap();
        let (door, bounds) = (Guard::Local.into(), Bounds::of_tests());
        let metrics = Metrics::default();
        let shield = Shield { credential: None, door, bounds, metrics };
        shield.around(routes).oneshot(request).await.unwrap()
    }

    async fn text(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 64 * 1024).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_panic_becomes_a_problem_without_its_message() {
        let answer = ask("/panic", "application/json").await;
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()["cross-origin-resource-policy"], "same-origin");
        let body = text(answer).await;
        assert!(body.contains("urn:fastjob:problem:internal") && !body.contains("secret"));
        assert_eq!(ask("/panic", "application/grpc").await.headers()["grpc-status"], "13");
    }

    #[tokio::test]
    async fn a_wrong_path_is_answered_with_the_available_ones() {
        let answer = ask("/api/v1/nowhere", "application/json").await;
        assert_eq!(answer.status(), 404);
        assert!(text(answer).await.contains("/api/v1/jobs"));
        let answer = ask("/fastjob.v1.ExecutorLink/No", "application/grpc+proto").await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["grpc-status"], "12");
    }

    #[tokio::test]
    async fn the_length_of_a_uri_is_bounded() {
        let just = format!("/{}", "a".repeat(URI_MAX - 1));
        assert_eq!(ask(&just, "application/json").await.status(), 200);
        assert_eq!(ask(&format!("{just}a"), "application/json").await.status(), 414);
    }
}
