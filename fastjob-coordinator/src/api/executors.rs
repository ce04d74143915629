//! Executors: who is connected.

use axum::{Json, extract::State};

use super::{Problem, read::Params};
use crate::ops::{ExecutorView, Ops, Page};

pub(super) async fn list(
    State(ops): State<Ops>,
    query: Params,
) -> Result<Json<Page<ExecutorView>>, Problem> {
    let (cursor, limit) = query.read(|q| (q.text("cursor"), q.limit()))?;
    Ok(Json(ops.list_executors(cursor, limit).await?))
}
