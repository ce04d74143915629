//! Actions on many jobs or tasks.

use fastjob_client::types::{Bulk, BulkJob, BulkTask, JobsRequest, TasksRequest};
use serde_json::json;

use super::call::Call;
use crate::api::Kind;

const ABOUT: &str = "Each is changed by itself: that one fails does not affect the others. What was \
                     not tried within 20 s is `not_done`: repeat the request. The filter has the \
                     parameters of the list, by name, without `cursor`, `limit` and `order`.";

const EXPECTED: &str = "Another number matches than `expect` says, or more than 10,000.";

pub(super) fn jobs() -> Call {
    let request =
        json!({ "action": "disable", "filter": { "label": ["team=billing"] }, "expect": 12 });
    let done = json!({
        "matched": 12, "done": 11, "failed": 1, "not_done": 0, "dry_run": false,
        "items": [
            { "job": "billing.report", "error": "the store failed" },
            { "job": "billing.invoices" },
        ],
    });
    Call::post("/api/v1/jobs/bulk", "changeJobs", "Change, start or delete many jobs")
        .about(ABOUT)
        .in_trace()
        .body::<JobsRequest>(request)
        .answers_as::<Bulk<BulkJob>, BulkJob>("BulkJobs", "What was done.", done)
        .fails_if(Kind::Conflict, EXPECTED)
        .fails(Kind::OverQuota)
}

pub(super) fn tasks() -> Call {
    let request = json!({ "action": "rerun", "filter": { "job": "report", "state": "failed" } });
    let done = json!({
        "matched": 2, "done": 2, "failed": 0, "not_done": 0, "dry_run": false,
        "items": [{ "task": 40, "new_task": 57 }, { "task": 41, "new_task": 58 }],
    });
    Call::post("/api/v1/tasks/bulk", "changeTasks", "Stop many tasks, or run them again")
        .about(ABOUT)
        .in_trace()
        .body::<TasksRequest>(request)
        .answers_as::<Bulk<BulkTask>, BulkTask>("BulkTasks", "What was done.", done)
        .fails(Kind::NotFound)
        .fails(Kind::AmbiguousName)
        .fails_if(Kind::Conflict, EXPECTED)
        .fails(Kind::OverQuota)
}
