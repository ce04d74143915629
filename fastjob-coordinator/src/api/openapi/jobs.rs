//! Jobs.

use fastjob_client::types::{
    Applied, ApplyRequest, BackfillRequest, Backfilled, Fires, JobDraft, JobView, StartRequest,
    Started,
};
use serde_json::json;
use utoipa::openapi::ResponseBuilder;

use super::{
    call::{Call, header},
    examples,
    param::{flag, number, text, texts, word},
    schemas::JOB_EDIT,
};
use crate::{api::Kind, ops::ENDS_MAX};

/// What can be done with a job by its name.
const WITH_A_JOB: [&str; 6] =
    ["getJob", "startJob", "backfillJob", "enableJob", "disableJob", "getNextFires"];

const EXISTS: &str = "The definition conflicts with another one.";

pub(super) fn calls() -> Vec<Call> {
    vec![list(), create(), apply(), show(), replace(), edit(), delete(), release()]
        .into_iter()
        .chain([start(), backfill(), enable(), disable(), next()])
        .collect()
}

fn list() -> Call {
    Call::get("/api/v1/jobs", "listJobs", "List jobs")
        .query(text("service", "Only jobs of this service."))
        .query(texts(
            "label",
            "Only jobs with this label: `key=value`, or `key` with any value. Several are combined.",
        ))
        .query(text(
            "idle_since",
            "Only jobs without a task that ran since then: `ever`, an instant, or `release`, which \
             is when the newest connected executor with their handler started.",
        ))
        .query(text(
            "text",
            "Only jobs with this text in their name, handler, description or param. Upper and lower \
             case are equal.",
        ))
        .query(flag("enabled", "Only jobs that are enabled, or that are not."))
        .query(word("origin", &["code", "api"], "Only jobs whose definition has this owner."))
        .query(word(
            "schedule",
            &["none", "cron", "fixed_rate", "fixed_delay", "once"],
            "Only jobs with this kind of schedule.",
        ))
        .query(word(
            "last_state",
            &["succeeded", "failed", "stopped", "skipped", "none"],
            "Only jobs whose newest ended task ended so; `none` if none has ended.",
        ))
        .query(flag("running", "Only jobs with a running task, or without."))
        .query(word(
            "order",
            &["name", "next_fire", "changed"],
            "By `name`, which is the default, `next_fire`, or `changed`: the last saved first.",
        ))
        .query(ends())
        .paged()
        .lists::<JobView>("A page of jobs, by service and name.", examples::page(examples::job()))
        .leads_to("name", "$response.body#/items/0/name", &WITH_A_JOB)
}

fn ends() -> super::param::Param {
    number("ends", 0, ENDS_MAX, "Adds `activity`, with so many of the newest ends of each job.")
}

/// The answer that a job is new.
pub(super) fn created() -> ResponseBuilder {
    ResponseBuilder::new()
        .description("The job is new.")
        .header("fastjob-saved", header("`created`."))
        .header("etag", header("The version of the job."))
        .header("location", header("The path of the job."))
}

fn create() -> Call {
    Call::post("/api/v1/jobs", "createJob", "Create a job")
        .body::<JobDraft>(examples::draft())
        .answers_with::<JobView>("201", created(), examples::job())
        .leads_to("name", "$response.body#/name", &WITH_A_JOB)
        .fails_if(Kind::Conflict, "A job of this service has this name already.")
        .fails(Kind::OverQuota)
}

/// The answer with a job that was saved.
pub(super) fn saved() -> ResponseBuilder {
    shown("The job as it is now.")
        .header("fastjob-saved", header("`created`, `updated` or `unchanged`."))
}

/// The answer with a job.
fn shown(about: &str) -> ResponseBuilder {
    ResponseBuilder::new().description(about).header("etag", header("The version of the job."))
}

fn apply() -> Call {
    let request = json!({ "jobs": [examples::draft()], "replace": false, "dry_run": true });
    let applied = json!({
        "items": [{
            "job": "billing.report", "saved": "updated", "origin": "api",
            "changes": [{ "field": "retry.count", "from": 0, "to": 3 }],
        }],
    });
    Call::patch("/api/v1/jobs", "applyJobs", "Save several jobs: all of them, or none")
        .about("The body has at most 8 MiB.")
        .body::<ApplyRequest>(request)
        .answers::<Applied>("What was done, or would be done, with each job.", applied)
        .fails_if(Kind::Conflict, EXISTS)
        .fails(Kind::OverQuota)
}

fn show() -> Call {
    Call::get("/api/v1/jobs/{name}", "getJob", "Show a job")
        .of_job()
        .query(ends())
        .answers_with::<JobView>("200", shown("The job, with its defaults."), examples::job())
}

fn replace() -> Call {
    Call::put("/api/v1/jobs/{name}", "replaceJob", "Save a job, with all its fields")
        .about("Fields that are omitted get their defaults. A job that does not exist is created.")
        .of_job()
        .if_match()
        .body::<JobDraft>(examples::draft())
        .answers_with::<JobView>("200", saved(), examples::job())
        .answers_with::<JobView>("201", created(), examples::job())
        .fails_if(Kind::Conflict, EXISTS)
        .fails(Kind::OverQuota)
}

fn edit() -> Call {
    Call::patch("/api/v1/jobs/{name}", "editJob", "Change some fields of a job")
        .of_job()
        .if_match()
        .body_named(JOB_EDIT, json!({ "enabled": false, "retry": { "count": 5 }, "timeout": null }))
        .answers_with::<JobView>("200", saved(), examples::job())
        .fails_if(Kind::Conflict, EXISTS)
        .fails(Kind::OverQuota)
}

fn delete() -> Call {
    let id = super::param::long("id", "Deletes the job only if it has this id.");
    Call::delete("/api/v1/jobs/{name}", "deleteJob", "Delete a job")
        .about("Its history remains. Tasks that are open go on.")
        .of_job()
        .if_match()
        .query(id)
        .empty("204", "It is deleted.")
        .fails_if(Kind::Conflict, "The job has another id, or other jobs start it.")
}

fn release() -> Call {
    Call::post("/api/v1/jobs/{name}/release", "releaseJob", "Give a job back to its code")
        .about("The job follows the definition that its executors declare, from now on.")
        .of_job()
        .if_match()
        .answers_with::<JobView>("200", shown("The job as it is now."), examples::job())
        .fails_if(Kind::Conflict, "No executor declares the job.")
        .fails(Kind::OverQuota)
}

fn start() -> Call {
    Call::post("/api/v1/jobs/{name}/start", "startJob", "Start a task of a job")
        .about(
            "With a `key`, a repeated request starts nothing twice: repeat it if the answer was \
             lost. Without one, such a task may have been started.",
        )
        .of_job()
        .in_trace()
        .may_have::<StartRequest>(json!({ "param": { "month": "2026-11" }, "key": "2026-11" }))
        .answers::<Started>("The task.", json!({ "task": 42, "created": true }))
        .leads_to(
            "id",
            "$response.body#/task",
            &["getTask", "readTaskLog", "stopTask", "rerunTask"],
        )
        .fails_if(Kind::Conflict, "The task with this key has another param.")
        .fails(Kind::OverQuota)
}

fn backfill() -> Call {
    let request = json!({ "from": "2026-11-01T00:00:00Z", "until": "2026-11-08T00:00:00Z" });
    Call::post("/api/v1/jobs/{name}/backfill", "backfillJob", "Start past fires of a job")
        .about(
            "Repeated over the same range, it starts nothing twice unless `again` is set. With a `key`, \
             each fire is started once for that key.",
        )
        .of_job()
        .in_trace()
        .body::<BackfillRequest>(request)
        .answers::<Backfilled>("The tasks.", json!({ "tasks": [51, 52, 53], "more": false }))
        .fails(Kind::Conflict)
        .fails(Kind::OverQuota)
}

fn enable() -> Call {
    Call::post("/api/v1/jobs/{name}/enable", "enableJob", "Let a job's schedule fire")
        .of_job()
        .if_match()
        .answers_with::<JobView>("200", shown("The job as it is now."), examples::job())
        .fails_if(Kind::Conflict, EXISTS)
        .fails(Kind::OverQuota)
}

fn disable() -> Call {
    let mut job = examples::job();
    (job["enabled"], job["next_fire_at"]) = (false.into(), serde_json::Value::Null);
    Call::post("/api/v1/jobs/{name}/disable", "disableJob", "Stop a job's schedule")
        .about("The job can still be started.")
        .of_job()
        .if_match()
        .answers_with::<JobView>("200", shown("The job as it is now."), job)
        .fails_if(Kind::Conflict, EXISTS)
        .fails(Kind::OverQuota)
}

fn next() -> Call {
    let fires = json!({ "fires": ["2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"] });
    Call::get("/api/v1/jobs/{name}/next", "getNextFires", "Show when a job fires next")
        .of_job()
        .query(number("count", 1, 1_000, "How many fires; 5 if omitted."))
        .answers::<Fires>("The fires, in order.", fires)
}
