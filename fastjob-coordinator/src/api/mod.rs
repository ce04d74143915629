//! REST: words in, calls to `ops`, words out.
//!
//! Each call reads, calls and writes, and decides nothing: what is possible and what is not is
//! said by `ops`. What goes wrong is answered as a [`Problem`].

mod alarms;
mod ask;
mod executors;
mod health;
mod jobs;
mod log;
mod nodes;
mod problem;
mod read;
mod schedule;
mod tasks;

use std::sync::LazyLock;

use axum::{
    Router,
    response::Response,
    routing::{MethodRouter, delete, get, post},
};
use http::{HeaderValue, Uri, header};
use tokio_util::sync::CancellationToken;

pub(crate) use self::ask::ASK_MAX;
pub(crate) use self::{
    problem::{Kind, Problem},
    read::{BODY_MAX, unknown_path},
};
use crate::ops::{ASK_PATH, Ops};

/// Where `GET` tells whether the process lives, and whether it can do its work.
pub(crate) const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

/// Goes with every request that the server takes: answers without end are ended when it fires.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(pub(crate) CancellationToken);

/// Goes with a request that has passed the guard. Questions about the health go on without it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trusted;

/// Every path that callers can ask, with what answers there.
fn routes() -> Vec<(&'static str, MethodRouter<Ops>)> {
    vec![
        ("/api/v1/jobs", get(jobs::list).post(jobs::create)),
        ("/api/v1/jobs/{name}", get(jobs::show).put(jobs::replace).delete(jobs::delete)),
        ("/api/v1/jobs/{name}/start", post(jobs::start)),
        ("/api/v1/jobs/{name}/backfill", post(jobs::backfill)),
        ("/api/v1/jobs/{name}/enable", post(jobs::enable)),
        ("/api/v1/jobs/{name}/disable", post(jobs::disable)),
        ("/api/v1/jobs/{name}/next", get(schedule::next)),
        ("/api/v1/tasks", get(tasks::list)),
        ("/api/v1/tasks/{id}", get(tasks::show)),
        ("/api/v1/tasks/{id}/stop", post(tasks::stop)),
        ("/api/v1/tasks/{id}/log", get(log::show)),
        ("/api/v1/executors", get(executors::list)),
        ("/api/v1/nodes", get(nodes::list)),
        ("/api/v1/alarms", get(alarms::list)),
        ("/api/v1/alarms/silences", get(alarms::silences).post(alarms::silence)),
        ("/api/v1/alarms/silences/{id}", delete(alarms::unsilence)),
        ("/api/v1/alarms/channels", get(alarms::channels)),
        ("/api/v1/alarms/channels/{name}/test", post(alarms::test)),
        ("/api/v1/schedule/preview", get(schedule::preview)),
        (HEALTH[0], get(health::alive)),
        (HEALTH[1], get(health::ready)),
    ]
}

/// Every path that callers can ask, in words.
pub(crate) static PATHS: LazyLock<String> = LazyLock::new(|| {
    let paths: Vec<_> = routes().into_iter().map(|(path, _)| path).collect();
    paths.join(", ")
});

/// The REST interface, and what the nodes of a cluster ask each other.
pub(crate) fn router(ops: Ops) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .route(&format!("{ASK_PATH}/{{partition}}"), post(ask::answer))
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::map_response(for_no_cache))
        .with_state(ops)
}

async fn wrong_method(method: http::Method, uri: Uri) -> Problem {
    Problem::new(Kind::WrongMethod, format!("{} does not know {method}", uri.path()))
}

async fn for_no_cache(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Reads a query as the lists do.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_query(uri: &Uri) {
    read::fuzz_query(uri);
}

/// Reads a body.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_body<T: serde::de::DeserializeOwned>(bytes: &[u8]) {
    drop(read::json::<T>(&http::HeaderMap::new(), bytes));
}
