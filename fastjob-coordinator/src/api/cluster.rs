//! The cluster: its nodes, and the executors that are connected to them.

use axum::{Json, extract::State};

use super::{
    Problem,
    read::{Name, NoParams, Params, RoomForPage},
};
use crate::ops::{AskExecutors, ExecutorView, NodeView, Ops, Page};

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
    let which = query.read(|q| AskExecutors {
        service: q.text("service"),
        text: q.text("text"),
        cursor: q.text("cursor"),
        limit: q.limit(),
    })?;
    Ok((room, Json(ops.list_executors(which).await?)))
}

pub(super) async fn executor(
    State(ops): State<Ops>,
    Name(name): Name,
    _: NoParams,
) -> Result<Json<ExecutorView>, Problem> {
    Ok(Json(ops.executor(&name).await?))
}

pub(super) async fn drain(
    State(ops): State<Ops>,
    Name(name): Name,
    _: NoParams,
) -> Result<Json<ExecutorView>, Problem> {
    Ok(Json(ops.drain_executor(&name).await?))
}

pub(super) async fn resume(
    State(ops): State<Ops>,
    Name(name): Name,
    _: NoParams,
) -> Result<Json<ExecutorView>, Problem> {
    Ok(Json(ops.resume_executor(&name).await?))
}
