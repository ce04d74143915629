//! What happens at the moment: the overview, the services, and the coordinator itself.

use axum::{Json, extract::State};
use fastjob_client::types::{About, Overview, ServiceView};

use super::{
    Problem,
    read::{NoParams, Params, RoomForPage},
};
use crate::ops::{Ops, Page};

pub(super) async fn overview(
    State(ops): State<Ops>,
    query: Params,
) -> Result<Json<Overview>, Problem> {
    let service = query.read(|q| q.text("service"))?;
    Ok(Json(ops.overview(service).await?))
}

pub(super) async fn services(
    State(ops): State<Ops>,
    query: Params,
    room: RoomForPage,
) -> Result<(RoomForPage, Json<Page<ServiceView>>), Problem> {
    // All are on one page, but clients of lists send these.
    query.read(|q| (q.text("cursor"), q.limit()))?;
    Ok((room, Json(ops.list_services().await?)))
}

pub(super) async fn about(State(ops): State<Ops>, _: NoParams) -> Json<About> {
    Json(ops.about())
}
