//! Handlers: what executors can run.

use axum::{Json, extract::State};

use super::{
    Problem,
    read::{Name, NoParams, Params, RoomForPage},
};
use crate::ops::{HandlerView, ListHandlers, Ops, Page};

pub(super) async fn list(
    State(ops): State<Ops>,
    query: Params,
    room: RoomForPage,
) -> Result<(RoomForPage, Json<Page<HandlerView>>), Problem> {
    let which = query.read(|q| ListHandlers {
        service: q.text("service"),
        text: q.text("text"),
        cursor: q.text("cursor"),
        limit: q.limit(),
    })?;
    Ok((room, Json(ops.list_handlers(which).await?)))
}

pub(super) async fn show(
    State(ops): State<Ops>,
    Name(name): Name,
    _: NoParams,
) -> Result<Json<HandlerView>, Problem> {
    Ok(Json(ops.handler(&name).await?))
}
