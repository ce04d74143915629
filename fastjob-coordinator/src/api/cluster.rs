//! The cluster: its nodes, and the executors that are connected to them.

use axum::{Json, extract::State};

use super::{
    Problem,
    read::{Params, RoomForPage},
};
use crate::ops::{ExecutorView, NodeView, Ops, Page};

pub(super) async fn nodes(
    State(ops): State<Ops>,
    query: Params,
) -> Result<Json<Page<NodeView>>, Problem> {
    let (cursor, limit) = query.read(|q| (q.text("cursor"), q.limit()))?;
    Ok(Json(ops.list_nodes(cursor, limit)?))
}

pub(super) async fn executors(
    State(ops): State<Ops>,
    query: Params,
    room: RoomForPage,
) -> Result<(RoomForPage, Json<Page<ExecutorView>>), Problem> {
    let (cursor, limit) = query.read(|q| (q.text("cursor"), q.limit()))?;
    Ok((room, Json(ops.list_executors(cursor, limit).await?)))
}
