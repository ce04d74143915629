//! Jobs: list, show, save, delete, enable, disable, and start tasks of one.

use std::fmt::Write as _;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use fastjob_core::JobDraft;
use http::{
    HeaderName, StatusCode,
    header::{ETAG, LOCATION},
};
use serde_json::{Map, Value};

use super::{
    Problem,
    read::{Caller, JsonBody, LargeBody, MaybeBody, Name, NoParams, Params, RoomForPage},
    version::{OnlyIf, Tagged},
};
use crate::ops::{
    Applied, AskJobFilters, BackfillRequest, Backfilled, IfMatch, JobView, ListJobs, Ops, Page,
    SaveMode, Saved, StartRequest, Started, tag_of,
};

/// The header that says what saving did.
const SAVED: HeaderName = HeaderName::from_static("fastjob-saved");

pub(super) async fn list(
    State(ops): State<Ops>,
    query: Params,
    room: RoomForPage,
) -> Result<(RoomForPage, Json<Page<JobView>>), Problem> {
    Ok((room, Json(ops.list_jobs(query.read(which)?).await?)))
}

/// Which jobs a list has, and an action on many.
pub(super) fn which(q: &mut Params) -> ListJobs {
    ListJobs {
        service: q.text("service"),
        labels: q.repeated("label"),
        idle_since: q.text("idle_since"),
        filters: AskJobFilters {
            text: q.text("text"),
            enabled: q.text("enabled"),
            origin: q.text("origin"),
            schedule: q.text("schedule"),
            last_state: q.text("last_state"),
            running: q.text("running"),
        },
        order: q.text("order"),
        ends: q.ends(),
        cursor: q.text("cursor"),
        limit: q.limit(),
    }
}

pub(super) async fn show(
    State(ops): State<Ops>,
    Name(name): Name,
    query: Params,
) -> Result<Tagged, Problem> {
    let ends = query.read(Params::ends)?;
    Ok(Tagged(ops.job(&name, ends).await?))
}

pub(super) async fn create(
    State(ops): State<Ops>,
    _: NoParams,
    JsonBody(draft): JsonBody<JobDraft>,
) -> Result<Response, Problem> {
    let (saved, job) = ops.save_job(draft, SaveMode::Create, IfMatch::Unconditional).await?;
    Ok(written(saved, job))
}

pub(super) async fn replace(
    State(ops): State<Ops>,
    Name(name): Name,
    OnlyIf(version): OnlyIf,
    _: NoParams,
    JsonBody(draft): JsonBody<JobDraft>,
) -> Result<Response, Problem> {
    let (saved, job) = ops.save_job(draft, SaveMode::Replace(name), version).await?;
    Ok(written(saved, job))
}

/// Changes fields of a job.
pub(super) async fn edit(
    State(ops): State<Ops>,
    Name(name): Name,
    OnlyIf(version): OnlyIf,
    _: NoParams,
    JsonBody(edit): JsonBody<Map<String, Value>>,
) -> Result<Response, Problem> {
    let (saved, job) = ops.edit_job(&name, edit, version).await?;
    Ok(written(saved, job))
}

/// Saves several jobs, all or none.
pub(super) async fn apply(
    State(ops): State<Ops>,
    _: NoParams,
    body: LargeBody,
) -> Result<Json<Applied>, Problem> {
    // Many large definitions in memory at the same time could exhaust it.
    let _turn = ops.turn_to_apply().await?;
    Ok(Json(ops.apply(body.read()?).await?))
}

pub(super) async fn delete(
    State(ops): State<Ops>,
    Name(name): Name,
    OnlyIf(version): OnlyIf,
    query: Params,
) -> Result<StatusCode, Problem> {
    let only = query.read(|q| q.number("id"))?;
    ops.delete_job(&name, only, version).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn enable(
    State(ops): State<Ops>,
    Name(name): Name,
    OnlyIf(version): OnlyIf,
    _: NoParams,
) -> Result<Tagged, Problem> {
    Ok(Tagged(ops.enable_job(&name, version).await?))
}

pub(super) async fn disable(
    State(ops): State<Ops>,
    Name(name): Name,
    OnlyIf(version): OnlyIf,
    _: NoParams,
) -> Result<Tagged, Problem> {
    Ok(Tagged(ops.disable_job(&name, version).await?))
}

pub(super) async fn release(
    State(ops): State<Ops>,
    Name(name): Name,
    OnlyIf(version): OnlyIf,
    _: NoParams,
) -> Result<Tagged, Problem> {
    Ok(Tagged(ops.release_job(&name, version).await?))
}

pub(super) async fn start(
    State(ops): State<Ops>,
    Name(name): Name,
    _: NoParams,
    Caller(trace): Caller,
    MaybeBody(ask): MaybeBody<StartRequest>,
) -> Result<Json<Started>, Problem> {
    Ok(Json(ops.start(&name, ask, trace).await?))
}

pub(super) async fn backfill(
    State(ops): State<Ops>,
    Name(name): Name,
    _: NoParams,
    Caller(trace): Caller,
    JsonBody(ask): JsonBody<BackfillRequest>,
) -> Result<Json<Backfilled>, Problem> {
    Ok(Json(ops.backfill(&name, ask, trace).await?))
}

pub(super) fn written(saved: Saved, job: JobView) -> Response {
    let headers = [(SAVED, saved.as_str().to_owned()), (ETAG, tag_of(&job))];
    match saved {
        Saved::Created => {
            let at = location(&job.job);
            (StatusCode::CREATED, headers, [(LOCATION, at)], Json(job)).into_response()
        }
        Saved::Updated | Saved::Unchanged => (headers, Json(job)).into_response(),
    }
}

/// The URL of a job, which stays valid if another service gets a job with the same name.
fn location(job: &JobDraft) -> String {
    let mut at = "/api/v1/jobs/".to_owned();
    for part in [job.service.as_deref().map(|s| [s, "."]), Some([job.name.as_str(), ""])] {
        for byte in part.into_iter().flatten().flat_map(str::bytes) {
            if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
                at.push(char::from(byte));
            } else {
                write!(at, "%{byte:02X}").expect("a string takes every text");
            }
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_location_of_a_new_job_has_its_service_and_name() {
        #[track_caller]
        fn check(service: Option<&str>, name: &str, at: &str) {
            let service = service.map(str::to_owned);
            let job = JobDraft { service, name: name.to_owned(), ..JobDraft::default() };
            assert_eq!(location(&job), at);
        }
        check(None, "a-1", "/api/v1/jobs/a-1");
        check(Some("billing"), "mail:x", "/api/v1/jobs/billing.mail:x");
        check(Some("default"), "报 表", "/api/v1/jobs/default.%E6%8A%A5%20%E8%A1%A8");
    }
}
