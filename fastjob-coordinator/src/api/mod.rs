//! REST: parses requests, calls `ops`, and formats responses.
//!
//! The handlers decide nothing: `ops` decides what is allowed. Errors are returned as a
//! [`Problem`].

mod alarms;
mod bulk;
mod cluster;
mod description;
mod docs;
mod events;
mod handlers;
mod health;
mod history;
mod jobs;
mod live;
mod log;
mod metrics;
mod node_calls;
#[cfg(test)]
mod openapi;
mod problem;
mod read;
mod schedule;
mod stats;
mod tasks;
mod version;

use std::{convert::Infallible, sync::LazyLock};

use axum::{
    Router,
    extract::FromRequestParts,
    response::Response,
    routing::{MethodRouter, delete, get, post},
};
use http::{HeaderValue, Method, Uri, header, request::Parts};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use self::node_calls::CALL_MAX;
use self::problem::Field;
use self::read::{BODY_MAX, LARGE_BODY_MAX};
#[cfg(feature = "console")]
pub(crate) use self::read::{collect, json};
pub(crate) use self::{
    problem::{Kind, Problem},
    read::{shown_path, unknown_path},
};
use crate::ops::{CALLS, Ops};

/// The paths that report whether the process is alive, and whether it is ready.
pub(crate) const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

/// Whether a path is that of a file of a page, which shows nothing of this coordinator.
pub(crate) fn is_page(path: &str) -> bool {
    docs::PATHS.contains(&path)
}

/// The path of all jobs.
const JOBS: &str = "/api/v1/jobs";

/// The path of actions on many jobs.
const BULK: &str = "/api/v1/jobs/bulk";

/// The longest body of a request for this path.
pub(crate) fn longest_body(method: &Method, path: &str) -> usize {
    if *method == Method::PATCH && path == JOBS { LARGE_BODY_MAX } else { BODY_MAX }
}

/// Attached to every accepted request: endless responses end when it is cancelled.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(pub(crate) CancellationToken);

/// Attached to a request of a browser that shows its cookie: endless responses end at this instant,
/// when the cookie has expired. The browser asks again, with the cookie that it has then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionEnd(pub(crate) Instant);

/// When an endless response ends: the server stops, or the session of the browser is over.
#[derive(Clone, Debug, Default)]
struct Until {
    stopping: Option<Stopping>,
    session: Option<SessionEnd>,
}

impl<S: Send + Sync> FromRequestParts<S> for Until {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let stopping = parts.extensions.get::<Stopping>().cloned();
        Ok(Self { stopping, session: parts.extensions.get::<SessionEnd>().copied() })
    }
}

impl Until {
    async fn reached(&self) {
        let stopped = async {
            match &self.stopping {
                Some(Stopping(stop)) => stop.cancelled().await,
                None => std::future::pending().await,
            }
        };
        let expired = async {
            match self.session {
                Some(SessionEnd(at)) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stopped => {}
            () = expired => {}
        }
    }
}

/// Attached to a request that has passed the guard. Health checks are answered without it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trusted;

/// Every path of the API, with its handlers.
fn routes() -> Vec<(&'static str, MethodRouter<Ops>)> {
    vec![
        (JOBS, get(jobs::list).post(jobs::create).patch(jobs::apply)),
        (
            "/api/v1/jobs/{name}",
            get(jobs::show).put(jobs::replace).patch(jobs::edit).delete(jobs::delete),
        ),
        (
            // A job may have this name, too.
            BULK,
            get(jobs::show)
                .put(jobs::replace)
                .patch(jobs::edit)
                .delete(jobs::delete)
                .post(bulk::jobs),
        ),
        ("/api/v1/jobs/{name}/release", post(jobs::release)),
        ("/api/v1/jobs/{name}/start", post(jobs::start)),
        ("/api/v1/jobs/{name}/backfill", post(jobs::backfill)),
        ("/api/v1/jobs/{name}/enable", post(jobs::enable)),
        ("/api/v1/jobs/{name}/disable", post(jobs::disable)),
        ("/api/v1/jobs/{name}/next", get(schedule::next)),
        ("/api/v1/jobs/{name}/versions", get(history::list)),
        ("/api/v1/jobs/{name}/versions/{revision}", get(history::show)),
        ("/api/v1/jobs/{name}/restore", post(history::restore)),
        ("/api/v1/tasks", get(tasks::list)),
        ("/api/v1/tasks/bulk", post(bulk::tasks)),
        ("/api/v1/tasks/{id}", get(tasks::show)),
        ("/api/v1/tasks/{id}/stop", post(tasks::stop)),
        ("/api/v1/tasks/{id}/rerun", post(tasks::rerun)),
        ("/api/v1/tasks/{id}/log", get(log::show)),
        ("/api/v1/overview", get(live::overview)),
        ("/api/v1/events", get(events::follow)),
        ("/api/v1/services", get(live::services)),
        ("/api/v1/about", get(live::about)),
        ("/api/v1/stats", get(stats::show)),
        ("/api/v1/stats/jobs", get(stats::jobs)),
        ("/api/v1/executors", get(cluster::executors)),
        ("/api/v1/executors/{name}", get(cluster::executor)),
        ("/api/v1/executors/{name}/drain", post(cluster::drain)),
        ("/api/v1/executors/{name}/resume", post(cluster::resume)),
        ("/api/v1/handlers", get(handlers::list)),
        ("/api/v1/handlers/{name}", get(handlers::show)),
        ("/api/v1/nodes", get(cluster::nodes)),
        ("/api/v1/alarms", get(alarms::list)),
        ("/api/v1/alarms/silences", get(alarms::silences).post(alarms::silence)),
        ("/api/v1/alarms/silences/{id}", delete(alarms::unsilence)),
        ("/api/v1/alarms/channels", get(alarms::channels)),
        ("/api/v1/alarms/channels/{name}/test", post(alarms::test)),
        ("/api/v1/schedule", get(schedule::all)),
        ("/api/v1/schedule/preview", get(schedule::preview)),
        ("/metrics", get(metrics::show)),
        ("/api/v1/openapi.json", get(description::openapi)),
        (HEALTH[0], get(health::alive)),
        (HEALTH[1], get(health::ready)),
    ]
}

/// Every path of the API, as text.
pub(crate) static PATHS: LazyLock<String> = LazyLock::new(|| {
    let paths: Vec<_> = routes().into_iter().map(|(path, _)| path).collect();
    paths.join(", ")
});

/// The REST interface, and the interface between the nodes of a cluster.
pub(crate) fn router(ops: Ops) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .merge(docs::router())
        .route(&format!("{CALLS}/{{partition}}/{{call}}"), post(node_calls::answer))
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::map_response(for_no_cache))
        .with_state(ops)
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let path = shown_path(uri.path());
    Problem::new(Kind::WrongMethod, format!("{path} does not support {method}"))
}

async fn for_no_cache(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Parses a query like that of a list.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_query(uri: &Uri) {
    read::fuzz_query(uri);
}

/// Parses a body.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_body<T: serde::de::DeserializeOwned>(bytes: &[u8]) {
    drop(read::json::<T>(&http::HeaderMap::new(), bytes));
}
