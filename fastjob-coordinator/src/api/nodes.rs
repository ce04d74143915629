//! Nodes: the coordinators of the cluster.

use axum::{Json, extract::State};

use super::{Problem, read::Params};
use crate::ops::{NodeView, Ops, Page};

pub(super) async fn list(
    State(ops): State<Ops>,
    query: Params,
) -> Result<Json<Page<NodeView>>, Problem> {
    let (cursor, limit) = query.read(|q| (q.text("cursor"), q.limit()))?;
    Ok(Json(ops.list_nodes(cursor, limit)?))
}
