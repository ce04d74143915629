//! Actions on many jobs or tasks.

use axum::{Json, extract::State};
use serde_json::{Map, Value};

use super::{
    Problem,
    jobs::which as which_jobs,
    problem::Field,
    read::{Caller, JsonBody, NoParams, Params, filter},
    tasks::which as which_tasks,
};
use crate::ops::{
    Bulk, BulkJob, BulkJobs, BulkTask, BulkTasks, JobsRequest, Ops, StartRequest, TasksRequest,
    Which,
};

pub(super) async fn jobs(
    State(ops): State<Ops>,
    _: NoParams,
    Caller(trace): Caller,
    JsonBody(ask): JsonBody<JobsRequest>,
) -> Result<Json<Bulk<BulkJob>>, Problem> {
    let JobsRequest { action, jobs, filter, param, key, cause, dry_run, expect } = ask;
    let start = StartRequest { param, key, cause, ..StartRequest::default() };
    let which = which("jobs", jobs, filter, which_jobs)?;
    let ask = BulkJobs { action, which, start, dry_run, expect, trace };
    Ok(Json(ops.bulk_jobs(ask).await?))
}

pub(super) async fn tasks(
    State(ops): State<Ops>,
    _: NoParams,
    Caller(trace): Caller,
    JsonBody(ask): JsonBody<TasksRequest>,
) -> Result<Json<Bulk<BulkTask>>, Problem> {
    let TasksRequest { action, tasks, filter, reason, cause, dry_run, expect } = ask;
    let which = which("tasks", tasks, filter, which_tasks)?;
    let ask = BulkTasks { action, which, reason, cause, dry_run, expect, trace };
    Ok(Json(ops.bulk_tasks(ask).await?))
}

/// Either names or a filter.
fn which<N, F>(
    field: &str,
    named: Option<Vec<N>>,
    matching: Option<Map<String, Value>>,
    take: impl FnOnce(&mut Params) -> F,
) -> Result<Which<N, F>, Problem> {
    match (named, matching) {
        (Some(named), None) => Ok(Which::Named(named)),
        (None, Some(matching)) => Ok(Which::Matching(filter(matching, take)?)),
        (Some(_), Some(_)) => {
            let message = format!("leave out either {field} or filter");
            Err(Problem::invalid(vec![Field::new("filter", message)]))
        }
        (None, None) => {
            let message = "is missing, and there is no filter either: an empty filter matches all";
            Err(Problem::invalid(vec![Field::new(field, message)]))
        }
    }
}
