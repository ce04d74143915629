//! Handlers, the JSON schemas of their params, and params that do not fit.

use std::time::Duration;

use fastjob_tests::{
    eventually,
    process::{Coordinator, Process},
    rest::Rest,
};
use serde_json::{Value, json};

use crate::{EXECUTOR, coordinator};

const MONTHLY: &str = "/api/v1/jobs/reports.monthly";
const START: &str = "/api/v1/jobs/reports.monthly/start";

/// An executor with the handler `monthly`, whose param has a schema.
fn reports(coordinator: &Coordinator, name: &str) -> Process {
    coordinator.executor_with(EXECUTOR, name, &[("FASTJOB_SERVICE", "reports")])
}

/// Waits until the schema and the default job of `monthly` have arrived.
async fn arrived(rest: &Rest) -> Value {
    eventually("the handler has a schema", Duration::from_secs(20), || async {
        let (status, view) = rest.get("/api/v1/handlers/reports.monthly").await.ok()?;
        let is_whole = status == 200 && view["schema"].is_object() && view["jobs_total"] == 1;
        is_whole.then_some(view)
    })
    .await
}

async fn ask(rest: &Rest, method: &str, path: &str, body: Value) -> (u16, Value) {
    rest.ask(method, path, Some(body.to_string())).await.unwrap()
}

/// Checks that a request is refused because of these fields.
#[track_caller]
fn refused((status, problem): &(u16, Value), fields: &[&str]) {
    assert_eq!(*status, 422, "{problem}");
    let errors = problem["problems"].as_array().unwrap();
    let found: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(found, fields, "{problem}");
}

#[tokio::test]
async fn a_start_with_a_wrong_param_is_refused_before_it_is_dispatched() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let _executor = reports(&coordinator, "e1");
    arrived(&rest).await;

    let wrong = ask(&rest, "POST", START, json!({"param": {"month": 13}})).await;
    refused(&wrong, &["param.month"]);
    assert_eq!(wrong.1["problems"][0]["message"], "it must be at most 12, and is 13");
    let wrong = ask(&rest, "POST", START, json!({"param": {"mont": "May"}})).await;
    refused(&wrong, &["param.month", "param.mont"]);
    refused(&ask(&rest, "POST", START, json!({})).await, &["param"]);
    let start = ["start", "reports.monthly", "--param", "{\"month\": \"May\"}"];
    let output = coordinator.cli(&start);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("param.month") && said.contains("it must be a whole number"), "{said}");
    assert!(rest.tasks("reports.monthly").await.is_empty(), "nothing was started");

    let right = ask(&rest, "POST", START, json!({"param": {"month": 2, "note": "late"}})).await;
    let task = rest.ended(right.1["task"].as_i64().unwrap()).await;
    assert_eq!((&task["state"], &task["result"]), (&json!("succeeded"), &json!("month 2 late")));

    let rerun = format!("/api/v1/tasks/{}/rerun", task["id"]);
    refused(&ask(&rest, "POST", &rerun, json!({"param": {"month": 0}})).await, &["param.month"]);
    let again = ask(&rest, "POST", &rerun, json!({"param": {"month": 3}})).await;
    let again = rest.ended(again.1["task"].as_i64().unwrap()).await;
    assert_eq!(again["result"], "month 3 ");
}

#[tokio::test]
async fn a_job_whose_param_does_not_fit_is_not_saved() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let _executor = reports(&coordinator, "e1");
    arrived(&rest).await;
    let job = |param: Value| {
        json!({"service": "reports", "name": "monthly", "handler": "monthly",
            "schedule": {"cron": "0 0 1 1 *"}, "param": param})
    };
    refused(&ask(&rest, "PUT", MONTHLY, job(json!({"month": 13}))).await, &["param.month"]);
    let edit = json!({"param": {"month": []}});
    refused(&ask(&rest, "PATCH", MONTHLY, edit).await, &["param.month"]);
    let many = json!({"jobs": [job(json!({"month": 1})), {"service": "reports", "name": "other",
        "handler": "monthly", "param": {}}]});
    let many = ask(&rest, "PATCH", "/api/v1/jobs", many).await;
    refused(&many, &["jobs[1].param.month"]);
    let (_, view) = rest.get(MONTHLY).await.unwrap();
    assert_eq!(view["param"], Value::Null, "{view}");

    let backfill = format!("{MONTHLY}/backfill");
    let range = json!({"from": "2025-12-31T00:00:00Z", "until": "2026-01-02T00:00:00Z"});
    // A job without a param may be saved, because each start may have one; a backfill has none.
    assert_eq!(ask(&rest, "PUT", MONTHLY, job(Value::Null)).await.0, 200);
    refused(&ask(&rest, "POST", &backfill, range.clone()).await, &["param"]);
    assert_eq!(ask(&rest, "PUT", MONTHLY, job(json!({"month": 1}))).await.0, 200);
    let (status, done) = ask(&rest, "POST", &backfill, range.clone()).await;
    assert_eq!((status, done["tasks"].as_array().map(Vec::len)), (200, Some(1)), "{done}");

    let once = json!({"key": "once"});
    let (_, first) = ask(&rest, "POST", START, once.clone()).await;
    assert_eq!(ask(&rest, "PUT", MONTHLY, job(Value::Null)).await.0, 200);
    refused(&ask(&rest, "POST", START, json!({"key": "another"})).await, &["param"]);
    let (status, again) = ask(&rest, "POST", START, once).await;
    let (_, range) = ask(&rest, "POST", &backfill, range).await;
    assert_eq!(range["existing"], done["tasks"], "{range}");
    let expected = (200, &first["task"], &json!(false));
    assert_eq!((status, &again["task"], &again["created"]), expected, "{again}");
}

#[tokio::test]
async fn handlers_are_listed_with_their_schemas_executors_and_jobs() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let _reports = [reports(&coordinator, "e1"), reports(&coordinator, "e2")];
    let _other = coordinator.executor(EXECUTOR, "e3");
    rest.executors(3).await;
    rest.save(json!({"name": "lonely", "handler": "nowhere"})).await;
    let view = arrived(&rest).await;
    assert_eq!(
        (&view["service"], &view["handler"], &view["description"]),
        (&json!("reports"), &json!("monthly"), &json!("Writes the report of a month."))
    );
    assert_eq!((&view["executors"], &view["executors_total"]), (&json!(["e1", "e2"]), &json!(2)));
    assert_eq!((&view["jobs"], &view["jobs_total"]), (&json!(["monthly"]), &json!(1)));
    assert_eq!(view["schema"]["required"], json!(["month"]));
    assert_eq!(view["schema"]["properties"]["month"]["maximum"], 12);

    let (_, page) = rest.get("/api/v1/handlers?service=reports&text=MONTH").await.unwrap();
    assert_eq!(page["items"], json!([view]), "{page}");
    let (_, all) = rest.get("/api/v1/handlers").await.unwrap();
    let all = all["items"].as_array().unwrap();
    let find = |name: &str| {
        all.iter().find(|it| it["service"] == "default" && it["handler"] == name).unwrap()
    };
    assert_eq!(find("noop")["schema"], Value::Null);
    assert_eq!(
        (&find("nowhere")["jobs"], &find("nowhere")["executors_total"]),
        (&json!(["lonely"]), &json!(0))
    );
    assert_eq!(rest.get("/api/v1/handlers/gone").await.unwrap().0, 404);
    let (_, first) = rest.get("/api/v1/handlers?limit=1").await.unwrap();
    let next =
        format!("/api/v1/handlers?limit=1&cursor={}", first["next_cursor"].as_str().unwrap());
    let (_, second) = rest.get(&next).await.unwrap();
    assert_eq!(json!([first["items"][0], second["items"][0]]), json!(all[..2]));

    let cli = |words: &[&str]| String::from_utf8(coordinator.cli(words).stdout).unwrap();
    let list = cli(&["handler", "list"]);
    assert!(list.contains("reports.monthly") && list.contains("default.nowhere"), "{list}");
    let shown = cli(&["handler", "show", "monthly"]);
    assert!(shown.contains("e1, e2") && shown.contains("1 to 12."), "{shown}");
    let schema: Value =
        serde_json::from_str(&cli(&["handler", "show", "monthly", "--schema"])).unwrap();
    assert_eq!(schema, view["schema"]);
}

#[tokio::test]
async fn a_handler_without_a_schema_takes_every_param_and_the_last_known_schema_counts() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let _other = coordinator.executor(EXECUTOR, "e1");
    let mut executor = reports(&coordinator, "e2");
    rest.executors(2).await;
    arrived(&rest).await;
    let task = rest.ended(rest.start("reports.noop", json!({"param": {"month": 13}})).await).await;
    assert_eq!(task["state"], "succeeded");

    executor.kill();
    eventually("the executor is gone", Duration::from_secs(30), || async {
        let (_, view) = rest.get("/api/v1/handlers/reports.monthly").await.ok()?;
        (view["executors_total"] == 0).then_some(())
    })
    .await;
    refused(&ask(&rest, "POST", START, json!({"param": {"month": 13}})).await, &["param.month"]);
    let (status, _) = ask(&rest, "POST", START, json!({"param": {"month": 12}})).await;
    assert_eq!(status, 200);
}
