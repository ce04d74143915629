//! A fake coordinator that sends prepared answers and records requests.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, response::Response};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

pub(super) const TOKEN: &str = "0123456789abcdef";

/// The next answer: status, `fastjob-saved`, body.
type Answer = (u16, &'static str, Value);

#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// The listener; it ends when this is dropped.
pub(super) struct Fake {
    pub(super) url: String,
    script: Script,
    server: JoinHandle<()>,
}

impl Fake {
    /// Sends these answers in order, then repeats the last one.
    pub(super) async fn answers(answers: impl IntoIterator<Item = Answer>) -> Self {
        let script = Script::default();
        script.answers.lock().unwrap().extend(answers);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(script.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, script, server }
    }

    /// Always sends the same answer.
    pub(super) async fn answering(body: Value) -> Self {
        Self::answers([(200, "", body)]).await
    }

    /// The requests so far: method, path and query, body.
    pub(super) fn asked(&self) -> Vec<String> {
        self.script.asked.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(
    State(script): State<Script>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<String> {
    let token = headers.get("authorization").map_or("", |token| token.to_str().unwrap());
    let body = String::from_utf8(body.to_vec()).unwrap();
    let asked = [method.as_str(), &uri.to_string(), &body, token].join(" ");
    script.asked.lock().unwrap().push(asked.trim_end().to_owned());
    let mut answers = script.answers.lock().unwrap();
    let (status, saved, mut body) = match answers.len() {
        1 => answers[0].clone(),
        _ => answers.pop_front().unwrap(),
    };
    // One answer serves lists and statistics, whose `total` is another thing.
    if !uri.path().ends_with("/stats") && body.get("total").is_some_and(Value::is_object) {
        body.as_object_mut().map(|fields| fields.remove("total"));
    }
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if !saved.is_empty() {
        response.headers_mut().insert("fastjob-saved", saved.parse().unwrap());
    }
    response
}

pub(super) fn problem(status: u16, detail: &str) -> Answer {
    (status, "", json!({ "title": "No", "status": status, "detail": detail, "problems": [] }))
}

pub(super) fn job(name: &str) -> Value {
    json!({
        "id": 7, "revision": 2, "origin": "api", "next_fire_at": "2026-11-24T02:00:00Z",
        "created_at": "2026-11-23T00:00:00.5Z", "updated_at": "2026-11-23T00:00:01Z",
        "name": name, "service": "billing", "handler": "reportJobHandler", "enabled": true,
        "schedule": { "cron": "0 0 2 ? * *", "zone": "Asia/Shanghai" },
        "retry": { "count": 3, "delay": "5s" }, "timeout": "10m", "param": "{\"n\":1}",
        "labels": { "team": "a" },
    })
}

pub(super) fn task(state: &str) -> Value {
    let failed = state == "failed";
    json!({
        "id": 42, "job": "report", "service": "billing", "state": state, "cause": "manual",
        "fire_at": null, "created_at": "2026-11-23T00:00:00Z",
        "started_at": "2026-11-23T00:00:01Z", "ended_at": "2026-11-23T00:00:02.25Z",
        "param": null, "result": if failed { None } else { Some("done") }, "note": null,
        "attempts": [{
            "id": 42, "number": 1, "state": state, "executor": "executor-1",
            "reason": failed.then_some("timed_out"), "message": failed.then_some("over\ntime"),
            "due_at": "2026-11-23T00:00:00.001Z", "started_at": null, "ended_at": null,
        }],
    })
}
