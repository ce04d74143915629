//! Schedules: the fires of a job, of all jobs, and of a schedule that is not saved yet.

use axum::{Json, extract::State};

use super::{
    Problem,
    read::{Name, Params},
};
use crate::ops::{AskSchedule, Fires, Ops, ScheduleView};

pub(super) async fn next(
    State(ops): State<Ops>,
    Name(name): Name,
    query: Params,
) -> Result<Json<Fires>, Problem> {
    let count = query.read(|q| q.number("count"))?;
    Ok(Json(ops.next_fires(&name, count).await?))
}

pub(super) async fn preview(State(ops): State<Ops>, query: Params) -> Result<Json<Fires>, Problem> {
    let (cron, zone, after, count) =
        query.read(|q| (q.must("cron"), q.text("zone"), q.text("after"), q.number("count")))?;
    Ok(Json(ops.preview(&cron, zone.as_deref(), after.as_deref(), count)?))
}

pub(super) async fn all(
    State(ops): State<Ops>,
    query: Params,
) -> Result<Json<ScheduleView>, Problem> {
    let which = query.read(|q| AskSchedule {
        service: q.text("service"),
        labels: q.repeated("label"),
        from: q.text("from"),
        until: q.text("until"),
        per_job: q.number("per_job"),
        limit: q.number("limit"),
    })?;
    Ok(Json(ops.schedule(which).await?))
}
