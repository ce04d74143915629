//! `openapi.json` describes what a running coordinator does: its paths, their methods and parameters,
//! and its answers. Whether the file is what the code says, the unit tests check.
//!
//! One file, because each test asks the same coordinator about another part of the description.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::collections::BTreeSet;

use fastjob_coordinator::{
    CancellationToken, Coordinator,
    alarm::{Alarm, Error, Message, async_trait},
};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A coordinator, and the description with which its answers are compared.
struct Described {
    address: String,
    client: Client,
    document: Value,
    schemas: boon::Schemas,
    compiler: boon::Compiler,
    /// The operations that have succeeded.
    succeeded: BTreeSet<String>,
    stop: CancellationToken,
    running: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

/// A channel that accepts all alarms.
struct Accepts;

#[async_trait]
impl Alarm for Accepts {
    async fn send(&self, _: &Message) -> Result<(), Error> {
        Ok(())
    }
}

const DOCUMENT: &str = "file:///openapi.json";

impl Described {
    async fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let coordinator = Coordinator::builder()
            .listen("127.0.0.1:0".parse().unwrap())
            .sqlite(folder.path().join("fastjob.db"))
            .alarm("ops", Accepts)
            .bind()
            .await
            .unwrap();
        let address = format!("http://{}", coordinator.local_addr());
        let stop = CancellationToken::new();
        let run = coordinator.run(stop.clone());
        let running = tokio::spawn(async move { run.await.unwrap() });
        let client = Client::builder().no_proxy().build().unwrap();
        let text = include_str!("../openapi.json");
        let document: Value = serde_json::from_str(text).unwrap();
        let mut compiler = boon::Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource(DOCUMENT, closed(document.clone())).unwrap();
        let (schemas, succeeded) = (boon::Schemas::new(), BTreeSet::new());
        let mut described = Self {
            address,
            client,
            document,
            schemas,
            compiler,
            succeeded,
            stop,
            running,
            _folder: folder,
        };
        described.until_ready().await;
        described
    }

    async fn until_ready(&mut self) {
        loop {
            let ready = self.client.get(format!("{}/readyz", self.address)).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }

    /// Each operation, with its path and method.
    fn operations(&self) -> Vec<(String, Method, Value)> {
        let paths = self.document["paths"].as_object().unwrap();
        let all = paths.iter().flat_map(|(path, item)| {
            let operations = item.as_object().unwrap().iter();
            operations.map(|(method, operation)| {
                let method = method.to_uppercase().parse().unwrap();
                (path.clone(), method, operation.clone())
            })
        });
        all.collect()
    }

    /// Calls an operation, and compares the answer with its description.
    async fn call(&mut self, id: &str, rest: &str, body: Option<Value>) -> (StatusCode, Value) {
        let (path, method, operation) = self
            .operations()
            .into_iter()
            .find(|(_, _, operation)| operation["operationId"] == id)
            .unwrap_or_else(|| panic!("no operation is named {id}"));
        // `rest` is what the path parameters are, with a query behind them.
        let (values, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut values = values.split('/');
        let parts = path.split('/').map(|part| match part.starts_with('{') {
            true => values.next().unwrap_or_default(),
            false => part,
        });
        let filled = parts.collect::<Vec<_>>().join("/");
        let url = format!("{}{filled}?{query}", self.address);
        let mut request = self.client.request(method, url.trim_end_matches('?'));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let mut described = operation["responses"][status.as_str()].clone();
        assert!(!described.is_null(), "{id} answered {status}, which is not described: {text}");
        if let Some(target) = described["$ref"].as_str() {
            described = self.document.pointer(&target[1..]).unwrap().clone();
        }
        let json = serde_json::from_str(&text).unwrap_or_default();
        match headers.get("content-type").map(|media| media.to_str().unwrap()) {
            None => assert!(described["content"].is_null() && text.is_empty(), "{id}: {text}"),
            Some(media) => {
                let media = media.split(';').next().unwrap();
                let content = &described["content"][media];
                assert!(!content.is_null(), "{id} answered {media}, which is not described");
                if let Some(target) = content["schema"]["$ref"].as_str() {
                    self.check(id, target, &json);
                }
            }
        }
        if status.is_success() {
            self.succeeded.insert(id.to_owned());
        }
        (status, json)
    }

    fn check(&mut self, id: &str, target: &str, json: &Value) {
        let place = format!("{DOCUMENT}{target}");
        let schema = self.compiler.compile(&place, &mut self.schemas).unwrap();
        if let Err(err) = self.schemas.validate(json, schema) {
            panic!("the answer of {id} is not {target}: {err:#}\n{json:#}");
        }
    }

    #[track_caller]
    fn assert_succeeded(&self, except: &[&str]) {
        let all = self.operations().into_iter();
        let ids =
            all.map(|(_, _, operation)| operation["operationId"].as_str().unwrap().to_owned());
        let missing: Vec<_> = ids
            .filter(|id| !self.succeeded.contains(id) && !except.contains(&id.as_str()))
            .collect();
        assert!(missing.is_empty(), "these were not called with success: {missing:?}");
    }
}

/// The description, but with schemas that allow no field which they do not name.
fn closed(mut document: Value) -> Value {
    for (_, schema) in document["components"]["schemas"].as_object_mut().unwrap() {
        let Value::Object(schema) = schema else { continue };
        if schema.contains_key("properties") && !schema.contains_key("additionalProperties") {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
    }
    document
}

/// A path with values for its parameters.
fn filled(path: &str) -> String {
    path.replace("{id}", "1").replace("{revision}", "1").replace("{name}", "none")
}

#[tokio::test]
async fn the_methods_of_every_path_are_those_that_are_described() {
    let it = Described::begin().await;
    let paths = it.document["paths"].as_object().unwrap();
    for (path, item) in paths {
        let url = format!("{}{}", it.address, filled(path));
        let answer = it.client.request(Method::OPTIONS, url).send().await.unwrap();
        assert_eq!(answer.status(), 405, "OPTIONS {path}");
        let allowed = answer.headers()["allow"].to_str().unwrap().to_lowercase();
        let mut allowed: BTreeSet<_> = allowed.split(',').map(|method| method.trim()).collect();
        if path == "/api/v1/jobs/bulk" {
            // A job may have this name, too.
            let of_a_job = paths["/api/v1/jobs/{name}"].as_object().unwrap();
            allowed.retain(|method| !of_a_job.contains_key(*method));
        }
        // What supports GET supports HEAD.
        allowed.remove("head");
        let described = item.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(allowed, described, "{path}");
    }
    it.end().await;
}

#[tokio::test]
async fn the_parameters_of_every_operation_are_those_that_are_described() {
    let it = Described::begin().await;
    for (path, method, operation) in it.operations() {
        if !path.starts_with("/api/") {
            continue; // health checks and metrics ignore the query
        }
        let url = format!("{}{}?not_a_parameter=1", it.address, filled(&path));
        let answer = it.client.request(method.clone(), url).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{method} {path}");
        let problem: Value = answer.json().await.unwrap();
        let problems = problem["problems"].as_array().unwrap().iter();
        let message = problems
            .filter(|problem| problem["field"] == "not_a_parameter")
            .find_map(|problem| problem["message"].as_str())
            .unwrap_or_else(|| panic!("{method} {path} accepts any parameter: {problem}"));
        let read: BTreeSet<_> = match message.split_once("there are ") {
            Some((_, "none here")) => BTreeSet::new(),
            Some((_, names)) => names.split(", ").collect(),
            None => panic!("{method} {path}: {message}"),
        };
        let described = operation["parameters"].as_array().into_iter().flatten();
        let described: BTreeSet<_> = described
            .filter(|param| param["in"] == "query")
            .map(|param| param["name"].as_str().unwrap())
            .collect();
        assert_eq!(read, described, "{method} {path}");
    }
    it.end().await;
}

#[tokio::test]
async fn the_answers_of_every_operation_fit_the_description() {
    let mut it = Described::begin().await;
    jobs(&mut it).await;
    tasks(&mut it).await;
    alarms(&mut it).await;
    for (id, rest) in [
        ("isAlive", ""),
        ("isReady", ""),
        ("getOpenApi", ""),
        ("listNodes", "?limit=1"),
        ("listExecutors", ""),
        ("getSchedule", "?per_job=2"),
        ("previewCron", "?cron=0%208%20*%20*%20*&count=2"),
        ("getStats", "?bucket=1h"),
        ("getJobStats", "?order=tasks"),
        ("getOverview", ""),
        ("listServices", ""),
        ("getAbout", ""),
        ("getMetrics", ""),
        ("listHandlers", ""),
        ("getHandler", "billing.report"),
    ] {
        let (status, answer) = it.call(id, rest, None).await;
        assert_eq!(status, 200, "{id}: {answer}");
    }
    for id in ["getExecutor", "drainExecutor", "resumeExecutor"] {
        assert_eq!(it.call(id, "none", None).await.0, 404, "{id}");
    }
    // These need an executor, and the others a declaration of its code.
    let of_executors = ["getExecutor", "drainExecutor", "resumeExecutor", "releaseJob"];
    // The next test follows events, which do not end.
    it.assert_succeeded(&[&of_executors[..], &["followEvents"]].concat());
    it.end().await;
}

async fn jobs(it: &mut Described) {
    let full = json!({
        "name": "full", "service": "billing", "handler": "report", "description": "Reports",
        "param": { "month": 11 }, "labels": { "team": "a" },
        "schedule": { "cron": "0 8 * * mon-fri", "zone": "Asia/Shanghai" },
        "start_at": "2026-01-01T00:00:00Z", "end_at": "2036-01-01T00:00:00Z", "jitter": "1m",
        "exclude": { "days": ["12-25"], "hours": ["22-6"] },
        "misfire": { "fire_all": { "max": 3, "window": "1h" } }, "route": { "specific": "e1" },
        "shard": { "count": 2 }, "block": { "strategy": "serial", "max_waiting": 3 },
        "timeout": "10m", "grace": "5s", "retry": 2, "no_executor": "10m",
        "children": [{ "job": "plain", "on": "failure", "pass_result": true }],
        "alarms": ["ops"], "alarm_when": { "runs_longer": "5m", "starts_later": "30s" },
    });
    let schedules = [
        ("once", json!({ "once": "2036-01-01T00:00:00Z" })),
        ("rate", json!({ "fixed_rate": "1h" })),
        ("delay", json!({ "fixed_delay": "1h" })),
    ];
    let plain = json!({ "name": "plain", "no_executor": "10m" });
    assert_eq!(it.call("createJob", "", Some(plain.clone())).await.0, 201);
    assert_eq!(it.call("createJob", "", Some(plain.clone())).await.0, 409);
    assert_eq!(it.call("createJob", "", Some(full.clone())).await.0, 201);
    for (name, schedule) in schedules {
        let job = json!({ "name": name, "schedule": schedule, "shard": "all" });
        assert_eq!(it.call("replaceJob", name, Some(job)).await.0, 201);
    }
    assert_eq!(it.call("replaceJob", "billing.full", Some(full)).await.0, 200);
    let edit = json!({ "timeout": null, "retry": { "count": 1 }, "labels": { "team": null } });
    assert_eq!(it.call("editJob", "full", Some(edit)).await.0, 200);
    let wrong = json!({ "name": "a b", "schedule": { "cron": "x" }, "timeout": "-1s" });
    assert_eq!(it.call("createJob", "", Some(wrong)).await.0, 422);
    let apply = json!({ "jobs": [plain, { "name": "rate", "timeout": "1h" }], "dry_run": true });
    assert_eq!(it.call("applyJobs", "", Some(apply)).await.0, 200);
    for id in ["disableJob", "enableJob", "getNextFires"] {
        assert_eq!(it.call(id, "full", None).await.0, 200, "{id}");
    }
    it.call("releaseJob", "full", None).await;
    assert_eq!(it.call("getJob", "full?ends=3", None).await.0, 200);
    assert_eq!(it.call("getJob", "nothing", None).await.0, 404);
    let (_, page) = it.call("listJobs", "?limit=2&ends=2", None).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(it.call("listJobs", &format!("?cursor={cursor}"), None).await.0, 200);
    assert_eq!(it.call("listJobs", "?limit=0", None).await.0, 422);
    assert_eq!(it.call("deleteJob", "delay", None).await.0, 204);
    assert_eq!(
        it.call("listJobs", "?schedule=cron&order=changed&running=false", None).await.0,
        200
    );
    assert_eq!(it.call("listJobVersions", "full?limit=2", None).await.0, 200);
    assert_eq!(it.call("getJobVersion", "full/1", None).await.0, 200);
    assert_eq!(it.call("getJobVersion", "full/99", None).await.0, 404);
    assert_eq!(it.call("restoreJob", "full", Some(json!({ "revision": 1 }))).await.0, 200);
    let bulk = json!({ "action": "disable", "filter": { "service": "default" }, "dry_run": true });
    assert_eq!(it.call("changeJobs", "", Some(bulk)).await.0, 200);
    let bulk = json!({ "action": "start", "jobs": ["plain", "nothing"] });
    assert_eq!(it.call("changeJobs", "", Some(bulk)).await.0, 200);
    let bulk = json!({ "action": "enable", "filter": {}, "expect": 1000 });
    assert_eq!(it.call("changeJobs", "", Some(bulk)).await.0, 409);
    let past = json!({ "from": "2026-01-05T00:00:00Z", "until": "2026-01-07T00:00:00Z" });
    assert_eq!(it.call("backfillJob", "full", Some(past.clone())).await.0, 200);
    assert_eq!(it.call("backfillJob", "full", Some(past)).await.0, 200);
}

async fn tasks(it: &mut Described) {
    let start = json!({ "param": { "n": 1 }, "key": "one" });
    let (status, started) = it.call("startJob", "plain", Some(start.clone())).await;
    assert_eq!(status, 200);
    let task = started["task"].to_string();
    assert_eq!(it.call("startJob", "plain", Some(start)).await.1["created"], false);
    assert_eq!(it.call("startJob", "plain", None).await.0, 200);
    assert_eq!(it.call("getTask", &task, None).await.0, 200);
    assert_eq!(it.call("rerunTask", &task, None).await.0, 409);
    assert_eq!(it.call("readTaskLog", &task, None).await.0, 200);
    assert_eq!(it.call("stopTask", &task, None).await.0, 200);
    loop {
        let (_, shown) = it.call("getTask", &task, None).await;
        if !shown["ended_at"].is_null() {
            break;
        }
    }
    assert_eq!(it.call("stopTask", &task, None).await.1["stopped"], false);
    assert_eq!(it.call("rerunTask", &task, None).await.0, 200);
    assert_eq!(it.call("rerunTask", &task, None).await.1["created"], false);
    for query in ["", "?state=queued,running&order=oldest", "?job=plain&key=one", "?cause=nothing"]
    {
        it.call("listTasks", query, None).await;
    }
    assert_eq!(it.call("getTask", "0", None).await.0, 404);
    let bulk = json!({ "action": "stop", "filter": { "job": "plain" }, "reason": "a test" });
    assert_eq!(it.call("changeTasks", "", Some(bulk)).await.0, 200);
    assert_eq!(it.call("getJob", "plain?ends=20", None).await.0, 200);
}

async fn alarms(it: &mut Described) {
    let silence = json!({ "job": "full", "for": "2h", "reason": "maintenance" });
    let (status, silence) = it.call("createSilence", "", Some(silence)).await;
    assert_eq!(status, 201);
    assert_eq!(it.call("createSilence", "", Some(json!({}))).await.0, 422);
    assert_eq!(it.call("listSilences", "", None).await.0, 200);
    let id = silence["id"].to_string();
    assert_eq!(it.call("endSilence", &id, None).await.0, 204);
    assert_eq!(it.call("endSilence", &id, None).await.0, 404);
    assert_eq!(it.call("listChannels", "", None).await.0, 200);
    assert_eq!(it.call("testChannel", "ops", None).await.0, 200);
    assert_eq!(it.call("listAlarms", "?channel=ops", None).await.0, 200);
}

#[tokio::test]
async fn a_caller_with_the_description_gets_it_only_if_it_has_changed() {
    let it = Described::begin().await;
    let url = format!("{}/api/v1/openapi.json", it.address);
    let first = it.client.get(&url).send().await.unwrap();
    assert_eq!(first.headers()["cache-control"], "no-cache");
    let tag = first.headers()["etag"].clone();
    assert_eq!(first.json::<Value>().await.unwrap(), it.document);
    let again = it.client.get(&url).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((again.status(), &again.headers()["etag"]), (StatusCode::NOT_MODIFIED, &tag));
    assert!(again.bytes().await.unwrap().is_empty());
    it.end().await;
}

#[tokio::test]
async fn the_first_event_of_a_page_fits_its_schema() {
    let mut it = Described::begin().await;
    let url = format!("{}/api/v1/events?service=none", it.address);
    let mut answer = it.client.get(url).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while !text.contains("\n\n") {
        text += &String::from_utf8_lossy(&answer.chunk().await.unwrap().unwrap());
    }
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    assert!(text.contains("event: counts"), "{text}");
    it.check("followEvents", "#/components/schemas/Counts", &serde_json::from_str(data).unwrap());
    drop(answer);
    it.end().await;
}

#[tokio::test]
async fn a_change_of_another_version_is_described() {
    let mut it = Described::begin().await;
    assert_eq!(it.call("createJob", "", Some(json!({ "name": "a" }))).await.0, 201);
    let url = format!("{}/api/v1/jobs/a/disable", it.address);
    let answer = it.client.post(url).header("if-match", "\"1-99\"").send().await.unwrap();
    assert_eq!(answer.status(), 412);
    assert!(answer.headers().contains_key("etag"));
    let problem = answer.json().await.unwrap();
    it.check("disableJob", "#/components/schemas/ProblemDetails", &problem);
    assert_eq!(problem["revision"], 1);
    it.end().await;
}
