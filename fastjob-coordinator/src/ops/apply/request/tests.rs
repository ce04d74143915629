use fastjob_core::{JobId, job::differences};
use jiff::Timestamp;
use serde_json::json;

use super::{super::in_order, *};
use crate::store;

fn row(definition: Value) -> JobRow {
    let draft: JobDraft = serde_json::from_value(definition).unwrap();
    let at = Timestamp::UNIX_EPOCH;
    JobRow {
        id: JobId(1),
        job: Arc::new(draft.try_into().unwrap()),
        declared: None,
        children: Arc::default(),
        origin: Origin::Code,
        overrides: store::Overrides::default(),
        revision: 7,
        anchor: at,
        created_at: at,
        updated_at: at,
        deleted_at: None,
    }
}

fn request(jobs: Value, replace: bool) -> ApplyRequest {
    let raw = |job| serde_json::value::to_raw_value(job).unwrap();
    ApplyRequest {
        jobs: jobs.as_array().unwrap().iter().map(raw).collect(),
        replace,
        dry_run: false,
        ..ApplyRequest::default()
    }
}

/// Merges the request into the row, if there is one.
fn merge(request: &ApplyRequest, before: Option<&JobRow>) -> (Vec<Planned>, Vec<Problem>) {
    let names = names(request).unwrap();
    let rows = vec![before.cloned(); names.len()];
    merge_all(request, names, rows)
}

fn fields(err: Error) -> Vec<String> {
    let Error::Invalid { problems, .. } = err else { panic!("{err}") };
    problems.into_iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect()
}

#[test]
fn a_field_that_a_request_omits_keeps_its_value_unless_jobs_are_replaced() {
    let before = row(json!({
        "name": "a", "retry": 3, "timeout": "5s", "enabled": false,
        "schedule": {"cron": "0 2 * * *", "zone": "Asia/Shanghai"},
    }));
    let edit = json!([{"name": "a", "schedule": {"cron": "0 3 * * *"}, "timeout": null}]);
    let (planned, problems) = merge(&request(edit.clone(), false), Some(&before));
    assert_eq!(problems, []);
    let changes = differences(&before.job, &planned[0].job);
    let changed: Vec<_> = changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(changed, ["schedule.cron", "timeout"]);

    let (planned, _) = merge(&request(edit, true), Some(&before));
    let job = &planned[0].job;
    assert_eq!((job.retry.count, job.enabled, job.timeout), (0, true, None));
    let zone = json!("UTC");
    assert_eq!(serde_json::to_value(JobDraft::from(&**job)).unwrap()["schedule"]["zone"], zone);
}

#[test]
fn every_problem_of_every_job_is_reported() {
    let jobs = json!([
        {"name": "a", "retrys": 3, "timeout": "soon"},
        {"name": "b"},
        {"name": "c", "retry": {"count": "many"}, "origin": "cron"},
    ]);
    let (_, problems) = merge(&request(jobs, false), None);
    let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(
        fields,
        ["jobs[0].retrys", "jobs[0].timeout", "jobs[2].origin", "jobs[2].retry.count"]
    );
}

#[test]
fn each_job_of_a_request_has_a_name_of_its_own() {
    let jobs = json!([
        {"name": "a"}, {"service": "mail", "name": "a"}, {"service": "default", "name": "a"},
        {"service": null, "name": "b"}, {"service": 7}, {"name": "c d"},
    ]);
    let found = fields(names(&request(jobs, false)).unwrap_err());
    let begins = [
        "jobs[2].name: `default.a` is jobs[0] already",
        "jobs[4].service: it is not a text",
        "jobs[4].name: it is missing",
        "jobs[5].name: ",
    ];
    assert_eq!(found.len(), begins.len(), "{found:?}");
    for (found, begin) in found.iter().zip(begins) {
        assert!(found.starts_with(begin), "{found}");
    }
}

#[test]
fn children_in_a_cycle_are_rejected() {
    let jobs = json!([
        {"name": "x"},
        {"name": "a", "children": [{"job": "b"}]},
        {"name": "b", "children": [{"job": "a"}]},
    ]);
    let (planned, _) = merge(&request(jobs, false), None);
    let found = fields(in_order(planned).unwrap_err());
    assert!(found[0].starts_with("jobs[1].children: these children form a cycle"), "{found:?}");
    assert!(found[0].ends_with("default.a -> default.b -> default.a"), "{found:?}");
}

#[test]
fn the_error_of_one_job_does_not_count_jobs() {
    let err = invalid(vec![of_job(0, Problem { field: "timeout".into(), message: "no".into() })]);
    assert_eq!(fields(of_one_job(err)), ["timeout: no"]);
}
