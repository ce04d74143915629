//! If one part ends, all parts stop, and the error names it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::*;
use crate::store::{NodeId, double::Double, sqlite::Sqlite};

/// A coordinator on a store whose calls can be made to panic.
async fn coordinator(break_it: impl Fn(&Double)) -> (tempfile::TempDir, Coordinator, Arc<Double>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastjob.db");
    let builder = Coordinator::builder().listen("127.0.0.1:0".parse().unwrap());
    let mut coordinator = builder.sqlite(folder.path().join("unused.db")).bind().await.unwrap();
    let store = Arc::new(Double::of(Arc::new(Sqlite::open(&path).await.unwrap())));
    break_it(&store);
    coordinator.store = Opened { whole: Arc::clone(&store) as _, cluster: None };
    (folder, coordinator, store)
}

fn set(flag: &AtomicBool) {
    flag.store(true, Ordering::SeqCst);
}

#[track_caller]
fn is_named(ended: &Result<(), RunError>, expected: &str) {
    match ended {
        Err(RunError::Panicked { part, .. }) => assert_eq!(*part, expected),
        other => panic!("unexpected result: {other:?}"),
    }
}

#[tokio::test]
async fn a_coordinator_whose_engine_panics_stops_and_names_it() {
    let (_folder, coordinator, _store) = coordinator(|store| set(&store.load_breaks)).await;
    is_named(&coordinator.run(CancellationToken::new()).await, "engine");
}

#[tokio::test]
async fn a_coordinator_whose_history_cleanup_panics_stops_and_names_it() {
    let (_folder, coordinator, _store) = coordinator(|store| set(&store.removal_panics)).await;
    is_named(&coordinator.run(CancellationToken::new()).await, "history cleanup");
}

#[tokio::test]
async fn a_coordinator_whose_alarm_sender_panics_stops_and_names_it() {
    let (_folder, coordinator, _store) = coordinator(|store| set(&store.alarms_panic)).await;
    is_named(&coordinator.run(CancellationToken::new()).await, "alarm sender");
}

#[tokio::test]
async fn a_coordinator_whose_writer_panics_stops_at_once_and_names_it() {
    let (_folder, coordinator, _store) = coordinator(|store| set(&store.commit_panics)).await;
    let url = format!("http://{}/api/v1/jobs", coordinator.local_addr());
    let running = tokio::spawn(coordinator.run(CancellationToken::new()));
    crate::crypto::choose();
    let client = reqwest::Client::new();
    let job = r#"{"name": "a", "handler": "h"}"#;
    let asked =
        tokio::spawn(client.post(url).header("content-type", "application/json").body(job).send());
    let ended = tokio::time::timeout(Duration::from_secs(30), running).await;
    is_named(&ended.expect("it stops without a request to").unwrap(), "writer");
    // The caller does not get a success.
    assert!(!asked.await.unwrap().is_ok_and(|answer| answer.status().is_success()));
}

#[tokio::test]
async fn a_coordinator_whose_store_has_lost_commits_stops_and_says_what_to_do() {
    let (_folder, coordinator, store) = coordinator(|_| {}).await;
    let url = format!("http://{}/api/v1/jobs", coordinator.local_addr());
    let running = tokio::spawn(coordinator.run(CancellationToken::new()));
    crate::crypto::choose();
    let save = async |name: &str| {
        let job = format!(r#"{{"name": "{name}", "handler": "h"}}"#);
        let client = reqwest::Client::new();
        client.post(&url).header("content-type", "application/json").body(job).send().await
    };
    let mut tries = 0;
    while !save("a").await.is_ok_and(|answer| answer.status().is_success()) {
        tries += 1;
        assert!(tries < 600, "it does not act on its partition");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    set(&store.is_behind);
    assert!(!save("b").await.is_ok_and(|answer| answer.status().is_success()));
    let ended = tokio::time::timeout(Duration::from_secs(30), running).await;
    let ended = ended.expect("it stops without a request to").unwrap();
    assert!(matches!(ended, Err(RunError::Behind)), "{ended:?}");
    assert!(ended.unwrap_err().to_string().contains("`fastjob repair ids`"));
}

#[tokio::test]
async fn a_coordinator_that_is_asked_to_stop_ends_without_an_error() {
    let (_folder, coordinator, _store) = coordinator(|_| {}).await;
    let stop = CancellationToken::new();
    stop.cancel();
    coordinator.run(stop).await.unwrap();
}

/// Sends requests to a running coordinator as another node of its cluster does.
struct Node {
    credential: Credential,
    to: NodeId,
    url: String,
    client: reqwest::Client,
}

impl Node {
    /// Another node, and the coordinator that it sends requests to.
    async fn beside() -> (Self, Running) {
        let folder = tempfile::tempdir().unwrap();
        let builder = Coordinator::builder().listen("127.0.0.1:0".parse().unwrap());
        let builder = builder.sqlite(folder.path().join("jobs.db")).token("0123456789abcdef");
        let coordinator = builder.bind().await.unwrap();
        let (key, to) = (coordinator.facts.key.clone(), coordinator.me.id.clone());
        let url = format!("http://{}", coordinator.local_addr());
        let stop = CancellationToken::new();
        let running = tokio::spawn(coordinator.run(stop.clone()));
        crate::crypto::choose();
        let credential = Credential::new(key, NodeId("other".to_owned()));
        let node = Self { credential, to, url, client: reqwest::Client::new() };
        node.until_it_acts().await;
        (node, Running { stop, running: Some(running), _folder: folder })
    }

    async fn until_it_acts(&self) {
        for _ in 0..600 {
            if !self.call("stop-task", r#"{"task":1}"#).await.1.contains("moved") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it does not act on its partition");
    }

    /// Calls the node for the partition 0.
    async fn call(&self, call: &str, body: &str) -> (u16, String) {
        let path = path_of(call);
        let (header, _) = self.credential.ask(&self.to, &path, body.as_bytes());
        self.post(&path, &[(crate::ops::NODE_HEADER, header.as_str())], body.to_owned()).await
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: String) -> (u16, String) {
        let mut request = self.client.post(format!("{}{path}", self.url));
        for (name, value) in [("content-type", "application/json")].iter().chain(headers) {
            request = request.header(*name, *value);
        }
        let answer = request.body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

fn path_of(call: &str) -> String {
    format!("{}/0/{call}", crate::ops::CALLS)
}

/// A coordinator that the test stops.
struct Running {
    stop: CancellationToken,
    running: Option<tokio::task::JoinHandle<Result<(), RunError>>>,
    _folder: tempfile::TempDir,
}

impl Running {
    async fn ends(mut self) {
        self.stop.cancel();
        self.running.take().unwrap().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn internal_routes_require_the_cluster_credential_which_is_valid_for_nothing_else() {
    let (node, running) = Node::beside().await;
    let path = path_of("read-live");
    let body = r#"{"tasks":[]}"#.to_owned();
    let token = ("authorization", "Bearer 0123456789abcdef");
    for headers in [&[][..], &[token], &[token, (crate::ops::NODE_HEADER, "1 a 0 b c")]] {
        let (status, said) = node.post(&path, headers, body.clone()).await;
        assert_eq!(status, 401, "{headers:?}: {said}");
    }
    assert_eq!(node.call("read-live", &body).await, (200, r#"{"Ok":[[],[]]}"#.to_owned()));
    // A credential is valid once, for the body that it was made for.
    let (header, _) = node.credential.ask(&node.to, &path, body.as_bytes());
    let headers = [(crate::ops::NODE_HEADER, header.as_str())];
    let (status, said) = node.post(&path, &headers, body.replace("[]", "[1]")).await;
    assert!(status == 401 && said.contains("does not match the body"), "{status} {said}");
    let (status, said) = node.post(&path, &headers, body).await;
    assert!(status == 401 && said.contains("sent before"), "{status} {said}");
    for path in ["/api/v1/jobs", "/internal/v1/other"] {
        let (header, _) = node.credential.ask(&node.to, path, b"{}");
        let headers = [(crate::ops::NODE_HEADER, header.as_str())];
        let (status, said) = node.post(path, &headers, "{}".to_owned()).await;
        let expected = if path.starts_with("/internal") { 404 } else { 401 };
        assert_eq!(status, expected, "{path}: {said}");
    }
    running.ends().await;
}

#[tokio::test]
async fn requests_of_nodes_are_validated_like_those_of_callers() {
    let (node, running) = Node::beside().await;
    let save = |draft: serde_json::Value| {
        serde_json::json!({"draft": draft, "create": true, "if_match": "unconditional"}).to_string()
    };
    let alarms = save(serde_json::json!({"name": "a", "handler": "h", "alarms": ["nowhere"]}));
    let (status, said) = node.call("save-job", &alarms).await;
    assert!(said.contains("no alarm channel is named `nowhere`"), "{status} {said}");
    let (status, said) =
        node.call("save-job", &save(serde_json::json!({"name": "", "handler": "h"}))).await;
    assert!(said.contains("\"Err\""), "{status} {said}");
    let tasks: Vec<i64> = (0..501).collect();
    let (status, said) =
        node.call("read-live", &serde_json::json!({"tasks": tasks}).to_string()).await;
    assert!(said.contains("\"Err\"") && said.contains("500"), "{status} {said}");
    let open = serde_json::json!({"states": ["running"], "job": null, "since": null, "until": null,
        "is_oldest_first": false, "after": null, "limit": 10_001});
    let (status, said) = node.call("list-open", &open.to_string()).await;
    assert!(said.contains("\"Err\"") && said.contains("10000"), "{status} {said}");
    let long = format!("{{\"tasks\":[{}]}}", " ".repeat(4 << 20));
    let (status, said) = node.call("read-live", &long).await;
    assert!(status == 413 && said.contains("more than 4194304 bytes"), "{status} {said}");
    for (call, body, expected) in [("forget", "{}", 404), ("read-live", "[", 400)] {
        let (status, said) = node.call(call, body).await;
        assert!(status == expected && said.contains("same release"), "{status} {said}");
    }
    let (status, said) =
        node.call("save-job", &save(serde_json::json!({"name": "a", "handler": "h"}))).await;
    assert!(status == 200 && said.contains("\"Ok\""), "{status} {said}");
    running.ends().await;
}
