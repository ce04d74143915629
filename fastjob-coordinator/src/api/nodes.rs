//! Nodes: the coordinators of the cluster.

use axum::{Json, extract::State};

use super::Problem;
use crate::ops::{NodeView, Ops, Page};

pub(super) async fn list(State(ops): State<Ops>) -> Result<Json<Page<NodeView>>, Problem> {
    Ok(Json(ops.list_nodes()?))
}
