//! Tasks: list, show, stop.

use axum::{Json, extract::State};

use super::{
    Problem,
    read::{Id, NoParams, Params},
};
use crate::ops::{ListTasks, Ops, Page, StopAnswer, TaskView};

pub(super) async fn list(
    State(ops): State<Ops>,
    query: Params,
) -> Result<Json<Page<TaskView>>, Problem> {
    let which = query.read(|q| ListTasks {
        job: q.text("job"),
        state: q.text("state"),
        since: q.text("since"),
        cursor: q.text("cursor"),
        limit: q.limit(),
    })?;
    Ok(Json(ops.list_tasks(which).await?))
}

pub(super) async fn show(
    State(ops): State<Ops>,
    Id(task): Id,
    _: NoParams,
) -> Result<Json<TaskView>, Problem> {
    Ok(Json(ops.task(task).await?))
}

pub(super) async fn stop(
    State(ops): State<Ops>,
    Id(task): Id,
    _: NoParams,
) -> Result<Json<StopAnswer>, Problem> {
    Ok(Json(ops.stop_task(task).await?))
}
