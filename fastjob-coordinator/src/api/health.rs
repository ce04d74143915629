//! Whether the process is alive, and whether it is ready.
//!
//! Neither needs a token, so anonymous callers learn nothing else. The reason why the coordinator
//! is not ready is returned only to callers that the guard trusts.

use axum::{Extension, Json, extract::State};
use fastjob_client::types::Health;

use super::{Kind, Problem, Trusted};
use crate::ops::Ops;

pub(super) async fn alive() -> Json<Health> {
    Json(Health { status: "alive".to_owned() })
}

pub(super) async fn ready(
    State(ops): State<Ops>,
    trusted: Option<Extension<Trusted>>,
) -> Result<Json<Health>, Problem> {
    match ops.ready() {
        Ok(()) => Ok(Json(Health { status: "ready".to_owned() })),
        Err(reason) if trusted.is_some() => Err(reason.into()),
        Err(_) => {
            let detail = "not ready; send the token to get the reason";
            Err(Problem::new(Kind::Unavailable, detail))
        }
    }
}
