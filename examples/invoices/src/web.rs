//! The HTTP API: it starts the job, and shows what has become of it.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use fastjob_client::{Client, ClientError};
use serde_json::json;
use sqlx::PgPool;

use crate::issue::{self, Purchase};

#[derive(Clone)]
struct Api {
    client: Client,
    db: PgPool,
}

pub(crate) fn routes(client: Client, db: PgPool) -> Router {
    Router::new()
        .route("/invoices", post(order))
        .route("/invoices/{task}", get(show))
        .with_state(Api { client, db })
}

/// Starts the job, and answers as soon as the task is recorded.
///
/// The caller's key is the key of the start: a caller that got no answer sends the request again,
/// with the same key, and gets the same task.
async fn order(
    State(api): State<Api>,
    headers: HeaderMap,
    Json(purchase): Json<Purchase>,
) -> Result<Response, Refusal> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let key = key.ok_or(Refusal::NoKey)?;
    let start = api.client.job(issue::JOB).start().key(key).param(&purchase);
    let task = start.send().await?.id();
    let place = [(header::LOCATION, format!("/invoices/{task}"))];
    Ok((StatusCode::ACCEPTED, place, Json(json!({"task": task}))).into_response())
}

/// The invoice, or the state of its task.
async fn show(State(api): State<Api>, Path(task): Path<i64>) -> Result<Response, Refusal> {
    if let Some(invoice) = issue::find(&api.db, task).await? {
        return Ok(Json(invoice).into_response());
    }
    let task = match api.client.task(task).get().await {
        Ok(task) if format!("{}.{}", task.service, task.job) == issue::JOB => task,
        Ok(_) | Err(ClientError::NotFound(_)) => return Err(Refusal::NotFound),
        Err(err) => return Err(err.into()),
    };
    let is_lost = task.has_ended() && !task.has_succeeded();
    let status = if is_lost { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::ACCEPTED };
    Ok((status, Json(json!({"task": task.id, "state": task.state}))).into_response())
}

/// Why a request is not answered as the caller wanted.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the header Idempotency-Key is missing: send a new one with each purchase")]
    NoKey,
    #[error("there is no such invoice")]
    NotFound,
    #[error(transparent)]
    Coordinator(#[from] ClientError),
    #[error("the database does not answer")]
    Database(#[from] sqlx::Error),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NoKey => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            // The purchase does not fit the schema that the job's handler has registered.
            Self::Coordinator(ClientError::Invalid(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            // The key was used for another purchase.
            Self::Coordinator(ClientError::Conflict(_)) => StatusCode::CONFLICT,
            // The job is created when the first executor of this service connects.
            Self::Coordinator(ClientError::NotFound(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Coordinator(err) if err.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Coordinator(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Database(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(json!({"error": self.to_string()}))).into_response()
    }
}
