//! The service's own HTTP API, on a port of its own. It calls the coordinator without HTTP: through
//! its handle.
//!
//! A reminder is a task, and nothing else: the store of the coordinator is the only one.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use fastjob_coordinator::{
    Handle,
    client::{ClientError, TaskHandle, types::TaskView},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::jobs::{REMIND, Reminder};

#[derive(Deserialize)]
struct Order {
    /// In how many seconds.
    #[serde(default)]
    after: u64,
    #[serde(flatten)]
    reminder: Reminder,
}

pub(crate) fn routes(jobs: Handle) -> Router {
    Router::new()
        .route("/reminders", post(add))
        .route("/reminders/{number}", get(show).delete(cancel))
        .with_state(jobs)
}

/// Starts a task that is due later. It is recorded before this answers, and survives restarts.
async fn add(
    State(jobs): State<Handle>,
    headers: HeaderMap,
    Json(order): Json<Order>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let start = jobs.job(REMIND).start().param(&order.reminder);
    let mut start = start.delay(Duration::from_secs(order.after));
    if let Some(key) = headers.get("idempotency-key").and_then(|key| key.to_str().ok()) {
        start = start.key(key);
    }
    Ok((StatusCode::CREATED, Json(json!({"reminder": start.send().await?.id()}))))
}

async fn show(State(jobs): State<Handle>, Path(number): Path<i64>) -> Result<Json<Value>, Refusal> {
    let (_, task) = reminder(&jobs, number).await?;
    Ok(Json(json!({"reminder": number, "state": task.state, "attempts": task.attempts.len()})))
}

async fn cancel(
    State(jobs): State<Handle>,
    Path(number): Path<i64>,
) -> Result<Json<Value>, Refusal> {
    let (task, _) = reminder(&jobs, number).await?;
    Ok(Json(json!({"reminder": number, "state": task.stop().await?.state})))
}

/// Finds a reminder among the tasks, which are also those of other jobs.
async fn reminder(jobs: &Handle, number: i64) -> Result<(TaskHandle<Handle>, TaskView), Refusal> {
    let handle = jobs.task(number);
    let task = handle.get().await?;
    let is_reminder = format!("{}.{}", task.service, task.job) == REMIND;
    if is_reminder { Ok((handle, task)) } else { Err(Refusal::NotFound) }
}

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("there is no such reminder")]
    NotFound,
    #[error(transparent)]
    Coordinator(#[from] ClientError),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NotFound => StatusCode::NOT_FOUND,
            // As the coordinator says: 404, 409, 422 and so on; none if it is about to stop.
            Self::Coordinator(err) => err
                .problem()
                .and_then(|problem| StatusCode::from_u16(problem.status).ok())
                .unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
        };
        (status, Json(json!({"error": self.to_string()}))).into_response()
    }
}
