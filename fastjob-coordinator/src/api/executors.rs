//! Connected executors.

use axum::{Json, extract::State};

use super::{
    Problem,
    read::{Params, RoomForPage},
};
use crate::ops::{ExecutorView, Ops, Page};

pub(super) async fn list(
    State(ops): State<Ops>,
    query: Params,
    room: RoomForPage,
) -> Result<(RoomForPage, Json<Page<ExecutorView>>), Problem> {
    let (cursor, limit) = query.read(|q| (q.text("cursor"), q.limit()))?;
    Ok((room, Json(ops.list_executors(cursor, limit).await?)))
}
