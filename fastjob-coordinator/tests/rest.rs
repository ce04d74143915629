//! What callers of REST rely on when others change the same job, and when an answer was lost.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::path::Path;

use fastjob_coordinator::{CancellationToken, Coordinator};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A coordinator on a store that outlives it.
struct Running {
    address: String,
    client: Client,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Running {
    async fn on(store: &Path) -> Self {
        let coordinator = Coordinator::builder()
            .listen("127.0.0.1:0".parse().unwrap())
            .sqlite(store)
            .bind()
            .await
            .unwrap();
        let address = format!("http://{}", coordinator.local_addr());
        let stop = CancellationToken::new();
        let run = coordinator.run(stop.clone());
        let running = tokio::spawn(async move { run.await.unwrap() });
        let it =
            Self { address, client: Client::builder().no_proxy().build().unwrap(), stop, running };
        while it.ask(Method::GET, "/readyz", None, None).await.0 != 200 {
            tokio::task::yield_now().await;
        }
        it
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }

    /// The status, the entity tag and the body of an answer.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        only_if: Option<&str>,
        body: Option<Value>,
    ) -> (u16, Option<String>, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.address));
        if let Some(tag) = only_if {
            request = request.header("if-match", tag);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        (status, tag, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, _, answer) = self.ask(Method::POST, path, None, Some(body)).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, None, None).await.2
    }
}

const JOB: &str = "/api/v1/jobs/j";

#[tokio::test]
async fn every_change_of_a_job_can_expect_its_version_and_changes_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let it = Running::on(&folder.path().join("fastjob.db")).await;
    it.post("/api/v1/jobs", json!({ "name": "child" })).await;
    it.post("/api/v1/jobs", json!({ "name": "j", "timeout": "1m" })).await;
    let (_, stale, _) = it.ask(Method::GET, JOB, None, None).await;
    let (_, mut tag, _) =
        it.ask(Method::PATCH, JOB, stale.as_deref(), Some(json!({ "timeout": "2m" }))).await;
    assert_ne!(tag, stale);
    let changes = [
        (Method::PATCH, "", Some(json!({ "children": [{ "job": "child" }] }))),
        (Method::POST, "/disable", None),
        (Method::POST, "/enable", None),
        (Method::POST, "/restore", Some(json!({ "revision": 1 }))),
        (Method::PUT, "", Some(json!({ "name": "j", "timeout": "3m" }))),
        (Method::POST, "/release", None),
        (Method::DELETE, "", None),
    ];
    for (method, path, body) in changes {
        let path = format!("{JOB}{path}");
        let before = it.get(JOB).await;
        let refused = it.ask(method.clone(), &path, stale.as_deref(), body.clone()).await;
        assert_eq!((refused.0, &refused.1), (412, &tag), "{method} {path}: {}", refused.2);
        assert_eq!(it.get(JOB).await, before, "{method} {path}");
        let (status, next, answer) = it.ask(method.clone(), &path, tag.as_deref(), body).await;
        match path.ends_with("/release") {
            // No code declares it, which is checked after its version.
            true => assert_eq!(status, 409, "{answer}"),
            false => assert!((200..300).contains(&status), "{method} {path}: {status} {answer}"),
        }
        tag = next.or(tag);
    }
    assert_eq!(it.ask(Method::GET, JOB, None, None).await.0, 404);
    it.end().await;
}

#[tokio::test]
async fn starts_reruns_and_backfills_with_a_key_give_the_same_tasks_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("fastjob.db");
    let it = Running::on(&store).await;
    // Without an executor, its tasks fail at once.
    let job = json!({ "name": "j", "no_executor": "1ms", "schedule": { "cron": "0 0 3 * * ?" } });
    it.post("/api/v1/jobs", job).await;
    let range = json!({ "from": "2026-01-01T00:00:00Z", "until": "2026-01-04T00:00:00Z" });
    let before = it.post(&format!("{JOB}/backfill"), range.clone()).await;
    let mut keyed = range;
    // The store writes NUL as a visible symbol.
    keyed["key"] = "fires\0".into();

    let start = json!({ "key": "order-7", "param": 1 });
    let started = it.post(&format!("{JOB}/start"), start.clone()).await;
    let task = started["task"].as_i64().unwrap();
    while it.get(&format!("/api/v1/tasks/{task}")).await["state"] != "failed" {
        tokio::task::yield_now().await;
    }
    let rerun = format!("/api/v1/tasks/{task}/rerun");
    let again = json!({ "key": "again", "param": 2 });
    let rerun_once = it.post(&rerun, again.clone()).await;
    let fires = it.post(&format!("{JOB}/backfill"), keyed.clone()).await;
    assert_eq!(fires["tasks"].as_array().unwrap().len(), 3, "{fires}");
    assert_ne!(fires["tasks"], before["tasks"], "another key is another backfill");
    for (first, created) in [(&started, true), (&rerun_once, true)] {
        assert_eq!(first["created"], created, "{first}");
    }

    it.end().await;
    let it = Running::on(&store).await;
    for (path, body, first) in
        [(&format!("{JOB}/start"), start, started), (&rerun, again, rerun_once)]
    {
        let second = it.post(path, body).await;
        assert_eq!((&second["task"], &second["created"]), (&first["task"], &json!(false)));
    }
    let repeated = it.post(&format!("{JOB}/backfill"), keyed.clone()).await;
    let expected = (&json!([]), &fires["tasks"]);
    assert_eq!((&repeated["tasks"], &repeated["existing"]), expected);
    keyed["again"] = true.into();
    let both = it.ask(Method::POST, &format!("{JOB}/backfill"), None, Some(keyed)).await;
    assert_eq!((both.0, &both.2["problems"][0]["field"]), (422, &json!("again")), "{}", both.2);
    it.end().await;
}
