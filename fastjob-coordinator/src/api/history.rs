//! The versions of a job: list, show, save again.

use axum::{Json, extract::State, response::Response};

use super::{
    Problem,
    jobs::written,
    read::{JsonBody, Name, NameAndNumber, NoParams, Params, RoomForPage},
    version::OnlyIf,
};
use crate::ops::{JobVersion, Ops, Page, RestoreRequest, VersionView};

pub(super) async fn list(
    State(ops): State<Ops>,
    Name(name): Name,
    query: Params,
    room: RoomForPage,
) -> Result<(RoomForPage, Json<Page<VersionView>>), Problem> {
    let (limit, cursor) = query.read(|q| (q.number("limit"), q.text("cursor")))?;
    Ok((room, Json(ops.versions(&name, limit, cursor.as_deref()).await?)))
}

pub(super) async fn show(
    State(ops): State<Ops>,
    NameAndNumber(name, revision): NameAndNumber,
    _: NoParams,
) -> Result<Json<JobVersion>, Problem> {
    Ok(Json(ops.version(&name, revision).await?))
}

/// Saves a version again.
pub(super) async fn restore(
    State(ops): State<Ops>,
    Name(name): Name,
    OnlyIf(version): OnlyIf,
    _: NoParams,
    JsonBody(ask): JsonBody<RestoreRequest>,
) -> Result<Response, Problem> {
    let (saved, job) = ops.restore(&name, ask.revision, version).await?;
    Ok(written(saved, job))
}
