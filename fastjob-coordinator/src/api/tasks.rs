//! Tasks: list, show, stop.

use axum::{Json, extract::State};

use super::{
    Problem,
    read::{Id, NoParams, Params, RoomForPage},
};
use crate::ops::{ListTasks, Ops, Page, StopAnswer, TaskView};

pub(super) async fn list(
    State(ops): State<Ops>,
    query: Params,
    room: RoomForPage,
) -> Result<(RoomForPage, Json<Page<TaskView>>), Problem> {
    let which = query.read(|q| ListTasks {
        job: q.text("job"),
        state: q.text("state"),
        since: q.text("since"),
        cursor: q.text("cursor"),
        limit: q.limit(),
    })?;
    Ok((room, Json(ops.list_tasks(which).await?)))
}

pub(super) async fn show(
    State(ops): State<Ops>,
    Id(task): Id,
    _: NoParams,
    room: RoomForPage,
) -> Result<(RoomForPage, Json<TaskView>), Problem> {
    Ok((room, Json(ops.task(task).await?)))
}

pub(super) async fn stop(
    State(ops): State<Ops>,
    Id(task): Id,
    _: NoParams,
) -> Result<Json<StopAnswer>, Problem> {
    Ok(Json(ops.stop_task(task).await?))
}
