//! Tasks: list, show, stop, run again.

use std::time::Duration;

use axum::{Json, extract::State};

use super::{
    Problem,
    read::{Caller, Id, MaybeBody, NoParams, Params, RoomForPage},
};
use crate::ops::{ListTasks, Ops, Page, RerunRequest, Started, StopAnswer, TaskView};

/// The longest run time that is asked for.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

pub(super) async fn list(
    State(ops): State<Ops>,
    query: Params,
    room: RoomForPage,
) -> Result<(RoomForPage, Json<Page<TaskView>>), Problem> {
    Ok((room, Json(ops.list_tasks(query.read(which)?).await?)))
}

/// Which tasks a list has, and an action on many.
pub(super) fn which(q: &mut Params) -> ListTasks {
    ListTasks {
        job: q.text("job"),
        service: q.text("service"),
        labels: q.repeated("label"),
        states: q.texts("state"),
        causes: q.texts("cause"),
        executor: q.text("executor"),
        since: q.text("since"),
        until: q.text("until"),
        text: q.text("text"),
        key: q.text("key"),
        min_run_time: q.duration("min_run_time", LONGEST),
        late: q.duration("late", LONGEST),
        reasons: q.texts("reason"),
        order: q.text("order"),
        cursor: q.text("cursor"),
        limit: q.limit(),
    }
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
    Ok(Json(ops.stop_task(task, None).await?))
}

pub(super) async fn rerun(
    State(ops): State<Ops>,
    Id(task): Id,
    _: NoParams,
    Caller(trace): Caller,
    MaybeBody(ask): MaybeBody<RerunRequest>,
) -> Result<Json<Started>, Problem> {
    Ok(Json(ops.rerun(task, ask, trace).await?))
}
