//! Alarm channels: which there are, and whether one works.

use axum::{Json, extract::State};

use super::{
    Problem,
    read::{Name, NoParams},
};
use crate::ops::{ChannelView, Ops, Page, Tested};

pub(super) async fn channels(
    State(ops): State<Ops>,
    _: NoParams,
) -> Result<Json<Page<ChannelView>>, Problem> {
    Ok(Json(Page { items: ops.list_channels(), next_cursor: None }))
}

pub(super) async fn test(
    State(ops): State<Ops>,
    Name(name): Name,
    _: NoParams,
) -> Result<Json<Tested>, Problem> {
    Ok(Json(ops.test_channel(&name).await?))
}
