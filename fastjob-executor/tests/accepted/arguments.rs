//! Every argument, in every form.

use fastjob_core::Job;
use fastjob_executor::{__private::Declared, JobContext, JobHandler, JobResult, job};
use serde_json::{Value, json};

#[job(
    "all:of.them-1",
    description = "says \"hello\"",
    service = "billing",
    cron = r"0/10 * * * * ?",
    zone = "Europe/Paris",
    param = r#"{"name": "ann"}"#,
    retry = 3,
    retry_delay = "5s",
    timeout = "10m",
    grace = "10s",
    misfire = "fire_once",
    route = "round_robin",
    block = "serial",
    no_executor = "60s",
    enabled = false,
    labels(team = "billing", type = "nightly", "cost-centre" = "7"),
)]
struct All;

#[job("rate", fixed_rate = "1h 30m", retry = 3u64)]
async fn rate() {}

#[job("delay", fixed_delay = "250ms", misfire = "skip", block = "parallel")]
async fn delay() {}

#[job("once", once = "2030-01-01T00:00:00Z", misfire = "fire_all", labels())]
async fn once() {}

#[job("daily", cron = "@daily", block = "skip_new")]
async fn daily() {}

#[job("报表", cron = "*/5 * * * *", block = "replace_running", labels(a = "1",))]
async fn r#async() {}

/// Arguments with fields have the same fields as a job in a file.
#[job(
    "tables",
    fixed_rate = "1m",
    start_at = "2030-01-01T00:00:00Z",
    end_at = "2031-01-01T00:00:00Z",
    jitter = "10s",
    exclude(days = ["sun", "12-25"], hours = ["22-6"], zone = "Europe/Paris"),
    retry(count = 3, delay = "1s", factor = 1.5, max_delay = "1m", jitter = 0),
    misfire(fire_all(max = 10, window = "1h")),
    block(strategy = "parallel", scope = "cluster", max_waiting = 10, max_running = 4),
    route(specific = "executor-1"),
    shard(dynamic = "region in (eu, us)"),
)]
struct Tables;

#[job("parent", children = ["a", "service.b"], alarms = ["ops"], alarm_when(runs_longer = "1h"))]
struct Parent;

#[job(
    "parents",
    children(success = ["a"], failure = ["b"], always = ["c"], pass_result = true),
    alarms = ["ops", "mail"],
    alarm_when(starts_later = "5m"),
)]
struct Parents;

#[job("parts", shard(count = 8), route = "idle_first", retry(count = 2))]
struct Parts;

#[job("everywhere", shard = "all", misfire(fire_all(window = "1h")), block(scope = "cluster"))]
struct Everywhere;

macro_rules! handlers {
    ($($name:ident)*) => {$(
        impl JobHandler for $name {
            async fn execute(&self, _: &JobContext) -> JobResult {
                Ok("done".into())
            }
        }
    )*};
}
handlers!(All Tables Parts Everywhere Parent Parents);

macro_rules! named {
    ($name:literal, $every:expr, $item:ident) => {
        #[job($name, fixed_rate = $every)]
        async fn $item() {}
    };
}
macro_rules! typed {
    ($name:ident, $context:ty, $state:ty) => {
        #[job("typed")]
        async fn $name(_: $context, _: $state, _: u8) {}
    };
}
typed!(typed, &JobContext, fastjob_executor::State<String>);
named!("passed", "1m", passed);
named!("passed-too", "2m", passed_too);

#[test]
fn a_draft_has_the_values_of_the_arguments() {
    let draft = (All::DECLARATION.draft)();
    let retry = draft.retry.as_ref().unwrap();
    assert_eq!(
        (draft.name.as_str(), draft.handler.as_deref()),
        ("all:of.them-1", Some("all:of.them-1"))
    );
    assert_eq!(draft.description.as_deref(), Some("says \"hello\""));
    assert_eq!((retry.count, retry.delay.as_deref()), (Some(3), Some("5s")));
    assert_eq!(draft.enabled, Some(false));
    assert_eq!(draft.labels.len(), 3);
    assert_eq!(draft.labels["cost-centre"], "7");
    assert_eq!(All::DECLARATION.service, Some("billing"));
}

/// The draft as JSON.
fn written<H: Declared>() -> Value {
    let draft = (H::DECLARATION.draft)();
    Job::try_from(draft.clone()).unwrap();
    serde_json::to_value(draft).unwrap()
}

#[test]
fn fields_are_those_of_a_job_in_a_file() {
    let expected = json!({
        "name": "tables", "handler": "tables",
        "description": "Arguments with fields have the same fields as a job in a file.",
        "schedule": {"fixed_rate": "1m"},
        "start_at": "2030-01-01T00:00:00Z", "end_at": "2031-01-01T00:00:00Z", "jitter": "10s",
        "exclude": {"days": ["sun", "12-25"], "hours": ["22-6"], "zone": "Europe/Paris"},
        "retry":
            {"count": 3, "delay": "1s", "factor": 1.5, "max_delay": "1m", "jitter": 0.0},
        "misfire": {"fire_all": {"max": 10, "window": "1h"}},
        "block": {"strategy": "parallel", "scope": "cluster", "max_waiting": 10, "max_running": 4},
        "route": {"specific": "executor-1"},
        "shard": {"dynamic": "region in (eu, us)"},
    });
    assert_eq!(written::<Tables>(), expected);
    let parent = written::<Parent>();
    assert_eq!(parent["children"], json!([{"job": "a"}, {"job": "service.b"}]));
    assert_eq!(parent["alarm_when"], json!({"runs_longer": "1h"}));
    let parents = written::<Parents>();
    assert_eq!(
        parents["children"],
        json!([
            {"job": "a", "on": "success", "pass_result": true},
            {"job": "b", "on": "failure", "pass_result": true},
            {"job": "c", "on": "always", "pass_result": true},
        ])
    );
    assert_eq!(
        (&parents["alarms"], &parents["alarm_when"]),
        (&json!(["ops", "mail"]), &json!({"starts_later": "5m"}))
    );
    let parts = written::<Parts>();
    assert_eq!(parts["shard"], json!({"count": 8}));
    assert_eq!((&parts["route"], &parts["retry"]), (&json!("idle_first"), &json!({"count": 2})));
    let everywhere = written::<Everywhere>();
    assert_eq!(everywhere["shard"], "all");
    assert_eq!(everywhere["misfire"], json!({"fire_all": {"window": "1h"}}));
    assert_eq!(everywhere["block"], json!({"scope": "cluster"}));
}
