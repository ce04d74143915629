//! Alarms, channels and silences.

use axum::{Json, extract::State};
use http::StatusCode;

use super::{
    Problem,
    read::{Id, JsonBody, Name, NoParams, Params},
};
use crate::ops::{
    AlarmView, ChannelView, ListAlarms, Ops, Page, SilenceRequest, SilenceView, Tested,
};

pub(super) async fn list(
    State(ops): State<Ops>,
    query: Params,
) -> Result<Json<Page<AlarmView>>, Problem> {
    let which = query.read(|q| ListAlarms {
        job: q.text("job"),
        channel: q.text("channel"),
        text: q.text("text"),
        cursor: q.text("cursor"),
        limit: q.limit(),
    })?;
    Ok(Json(ops.list_alarms(which).await?))
}

pub(super) async fn channels(
    State(ops): State<Ops>,
    _: NoParams,
) -> Result<Json<Page<ChannelView>>, Problem> {
    Ok(Json(Page::new(ops.list_channels(), None)))
}

pub(super) async fn test(
    State(ops): State<Ops>,
    Name(name): Name,
    _: NoParams,
) -> Result<Json<Tested>, Problem> {
    Ok(Json(ops.test_channel(&name).await?))
}

pub(super) async fn silences(
    State(ops): State<Ops>,
    _: NoParams,
) -> Result<Json<Page<SilenceView>>, Problem> {
    Ok(Json(ops.list_silences().await?))
}

pub(super) async fn silence(
    State(ops): State<Ops>,
    _: NoParams,
    JsonBody(ask): JsonBody<SilenceRequest>,
) -> Result<(StatusCode, Json<SilenceView>), Problem> {
    Ok((StatusCode::CREATED, Json(ops.silence(ask).await?)))
}

pub(super) async fn unsilence(
    State(ops): State<Ops>,
    Id(silence): Id,
    _: NoParams,
) -> Result<StatusCode, Problem> {
    ops.unsilence(silence).await?;
    Ok(StatusCode::NO_CONTENT)
}
