//! Whether the process lives, and whether it can do its work.
//!
//! Neither needs a token, so neither says more than that.

use axum::{Json, extract::State};
use serde::Serialize;

use super::Problem;
use crate::ops::Ops;

#[derive(Serialize)]
pub(super) struct Health {
    status: &'static str,
}

pub(super) async fn alive() -> Json<Health> {
    Json(Health { status: "alive" })
}

pub(super) async fn ready(State(ops): State<Ops>) -> Result<Json<Health>, Problem> {
    ops.ready()?;
    Ok(Json(Health { status: "ready" }))
}
