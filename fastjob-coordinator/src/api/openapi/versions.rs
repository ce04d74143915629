//! The versions of a job.

use fastjob_client::types::{JobVersion, JobView, RestoreRequest, VersionView};
use serde_json::json;

use super::{
    call::Call,
    examples,
    jobs::saved,
    param::{number, text},
};
use crate::api::Kind;

pub(super) fn calls() -> Vec<Call> {
    vec![list(), show(), restore()]
}

fn list() -> Call {
    let version = json!({
        "revision": 3, "saved_at": "2026-11-24T09:30:00Z", "origin": "api",
        "changes": [{ "field": "timeout", "from": "5m", "to": "10m" }],
    });
    Call::get("/api/v1/jobs/{name}/versions", "listJobVersions", "List the versions of a job")
        .about("The last 100 are kept.")
        .of_job()
        .query(text("cursor", "`next_cursor` of the page before."))
        .query(number("limit", 1, 100, "The size of the page; 20 if omitted."))
        .lists::<VersionView>("A page of versions, newest first.", examples::page(version))
}

fn show() -> Call {
    let version = json!({
        "revision": 2, "saved_at": "2026-11-24T09:30:00Z", "origin": "api",
        "job": examples::draft(),
    });
    Call::get("/api/v1/jobs/{name}/versions/{revision}", "getJobVersion", "Show a version of a job")
        .of_job()
        .of("revision", "The revision.")
        .answers::<JobVersion>("The version, with its definition.", version)
}

fn restore() -> Call {
    Call::post(
        "/api/v1/jobs/{name}/restore",
        "restoreJob",
        "Save an earlier version of a job again",
    )
    .about("It becomes the next revision. A deleted job is created again, with another id.")
    .of_job()
    .if_match()
    .body::<RestoreRequest>(json!({ "revision": 2 }))
    .answers_with::<JobView>("200", saved(), examples::job())
    .answers_with::<JobView>("201", super::jobs::created(), examples::job())
    .fails_if(Kind::Conflict, "The definition conflicts with another one.")
    .fails(Kind::OverQuota)
}
