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

use axum::{
    Router,
    response::Response,
    routing::{delete, get, post},
};
use http::{HeaderValue, Uri, header};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    problem::{Kind, Problem},
    read::unknown_path,
};
use crate::ops::{ASK_PATH, Ops};

/// Where `GET` tells whether the process lives, and whether it can do its work.
pub(crate) const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

/// Goes with every request that the server takes: answers without end are ended when it fires.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(pub(crate) CancellationToken);

/// Every path of the REST interface.
pub(crate) fn router(ops: Ops) -> Router {
    let v1 = Router::new()
        .route("/jobs", get(jobs::list).post(jobs::create))
        .route("/jobs/{name}", get(jobs::show).put(jobs::replace).delete(jobs::delete))
        .route("/jobs/{name}/start", post(jobs::start))
        .route("/jobs/{name}/backfill", post(jobs::backfill))
        .route("/jobs/{name}/enable", post(jobs::enable))
        .route("/jobs/{name}/disable", post(jobs::disable))
        .route("/jobs/{name}/next", get(schedule::next))
        .route("/tasks", get(tasks::list))
        .route("/tasks/{id}", get(tasks::show))
        .route("/tasks/{id}/stop", post(tasks::stop))
        .route("/tasks/{id}/log", get(log::show))
        .route("/executors", get(executors::list))
        .route("/nodes", get(nodes::list))
        .route("/alarms", get(alarms::list))
        .route("/alarms/silences", get(alarms::silences).post(alarms::silence))
        .route("/alarms/silences/{id}", delete(alarms::unsilence))
        .route("/alarms/channels", get(alarms::channels))
        .route("/alarms/channels/{name}/test", post(alarms::test))
        .route("/schedule/preview", get(schedule::preview));
    Router::new()
        .nest("/api/v1", v1)
        .route(&format!("{ASK_PATH}/{{partition}}"), post(ask::answer))
        .route(HEALTH[0], get(health::alive))
        .route(HEALTH[1], get(health::ready))
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
