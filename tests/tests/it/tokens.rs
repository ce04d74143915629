//! If a token is set, callers and executors need it.

use std::time::Duration;

use fastjob_tests::{eventually, process::Coordinator, rest::Rest};
use futures_util::StreamExt;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    EXECUTOR, FASTJOB,
    cluster::{Cluster, LEASE},
    coordinator,
};

const TOKEN: &str = "a-token-of-the-tests-1234";
const WRONG: &str = "a-token-of-the-tests-1235";

async fn guarded() -> (Coordinator, Rest) {
    let mut coordinator = Coordinator::prepare(FASTJOB).env("FASTJOB_TOKEN", TOKEN);
    coordinator.up().await;
    let rest = coordinator.rest().with_token(TOKEN);
    (coordinator, rest)
}

#[tokio::test]
async fn callers_need_the_token() {
    let (coordinator, rest) = guarded().await;
    let (anonymous, wrong) = (coordinator.rest(), coordinator.rest().with_token(WRONG));
    for (stranger, title) in [(&anonymous, "Token needed"), (&wrong, "Wrong token")] {
        for (method, path, body) in [
            ("GET", "/api/v1/jobs", None),
            ("POST", "/api/v1/jobs", Some(json!({"name": "a"}).to_string())),
            ("GET", "/api/v1/tasks/1", None),
            ("GET", "/api/v1/nowhere", None),
        ] {
            let (status, answer) = stranger.ask(method, path, body).await.unwrap();
            assert_eq!(status, 401, "{method} {path}: {answer}");
            assert_eq!(answer["title"], title, "{answer}");
        }
        assert_eq!(stranger.get("/healthz").await.unwrap().0, 200);
    }
    let (status, page) = rest.get("/api/v1/jobs").await.unwrap();
    assert_eq!((status, &page["items"]), (200, &json!([])));

    let done = coordinator.cli(&["job", "list", "--token", TOKEN]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    for words in [&["job", "list"][..], &["job", "list", "--token", WRONG]] {
        let refused = coordinator.cli(words);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("token") && !said.contains(WRONG), "{said}");
    }
    assert!(!coordinator.said("coordinator").contains(TOKEN), "the token is in the log");
}

#[tokio::test]
async fn executors_need_the_token() {
    let (coordinator, rest) = guarded().await;
    let _wrong = coordinator.executor_with(EXECUTOR, "wrong", &[("FASTJOB_TOKEN", WRONG)]);
    let _none = coordinator.executor(EXECUTOR, "none");
    let _right = coordinator.executor_with(EXECUTOR, "right", &[("FASTJOB_TOKEN", TOKEN)]);
    let connected = rest.executors(1).await;
    assert_eq!(connected[0]["name"], "right");
    for stranger in ["wrong", "none"] {
        eventually("the executor logs why it is rejected", Duration::from_secs(20), || async {
            coordinator.said(stranger).contains("token").then_some(())
        })
        .await;
        assert!(!coordinator.said(stranger).contains(WRONG), "the token is in the log");
    }
    let task = rest.ended(rest.start("noop", json!({})).await).await;
    assert_eq!(task["state"], "succeeded");
    assert_eq!(rest.executors(1).await[0]["name"], "right");
    let _too = coordinator.executor_with(EXECUTOR, "too", &[("FASTJOB_TOKEN", TOKEN)]);
    rest.executors(2).await;
}

#[tokio::test]
async fn an_executor_with_a_misspelt_variable_does_not_start() {
    let coordinator = Coordinator::prepare(FASTJOB);
    let wrong = [("FASTJOB_ADMIN_ADRESSES", "http://127.0.0.1:1")];
    let mut executor = coordinator.executor_with(EXECUTOR, "e1", &wrong);
    let names = ["FASTJOB_ADMIN_ADRESSES", "FASTJOB_ADMIN_ADDRESSES"];
    eventually("it suggests the right name", Duration::from_secs(20), || async {
        let said = coordinator.said("e1");
        names.iter().all(|name| said.contains(name)).then_some(())
    })
    .await;
    assert_eq!(executor.wait().code(), Some(1));
}

/// Sends a request with this head, and returns the response.
async fn answered(coordinator: &Coordinator, head: &str) -> String {
    let address = coordinator.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = format!("{head}\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn without_a_token_requests_from_other_sites_and_proxies_are_rejected() {
    let coordinator = coordinator().await;
    for (header, status, words) in [
        ("Accept: */*", "200", ""),
        ("Sec-Fetch-Site: none", "200", ""),
        ("Sec-Fetch-Site: same-origin", "200", ""),
        ("Sec-Fetch-Site: cross-site", "403", "a page of another site"),
        ("Sec-Fetch-Site: same-site", "403", "a page of another site"),
        ("Origin: https://evil.example", "403", "a page of another site"),
        ("X-Forwarded-For: 192.0.2.7", "403", "Set a token"),
        ("X-Forwarded-Host: jobs.example", "403", "Set a token"),
        ("X-Real-IP: 192.0.2.7", "403", "Set a token"),
        ("Forwarded: for=192.0.2.7", "403", "Set a token"),
        ("Via: 1.1 proxy", "403", "Set a token"),
    ] {
        let answer =
            answered(&coordinator, &format!("GET /api/v1/jobs HTTP/1.1\r\n{header}")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{header}: {answer}");
        assert!(answer.contains(words), "{header}: {answer}");
        assert!(answer.contains("cross-origin-resource-policy: same-origin"), "{header}: {answer}");
    }
}

#[tokio::test]
async fn with_a_token_a_proxy_is_allowed() {
    let (coordinator, _) = guarded().await;
    let head = format!(
        "GET /api/v1/jobs HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nX-Forwarded-For: 192.0.2.7"
    );
    let answer = answered(&coordinator, &head).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_wrong_tokens_are_logged_in_a_few_lines() {
    let (coordinator, rest) = guarded().await;
    let asks = (0..1_000).map(|_| async {
        let (status, _) = coordinator.rest().with_token(WRONG).get("/api/v1/jobs").await.unwrap();
        assert_eq!(status, 401);
    });
    futures_util::stream::iter(asks).buffer_unordered(100).collect::<Vec<()>>().await;
    let said = coordinator.said("coordinator");
    let lines = said.lines().filter(|line| line.contains("wrong token")).count();
    assert!((1..20).contains(&lines), "{lines} lines: {said}");
    assert_eq!(rest.get("/api/v1/jobs").await.unwrap().0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unauthenticated_caller_cannot_see_why_a_coordinator_is_not_ready() {
    let mut cluster = Cluster::with(1, LEASE, |node| node.token(TOKEN)).await;
    cluster.cut_off();
    let node = &cluster.nodes[0];
    let stranger = Rest::new(node.url());
    eventually("it is not ready", Duration::from_secs(30), || async {
        (stranger.get("/readyz").await.ok()?.0 == 503).then_some(())
    })
    .await;
    let (status, answer) = stranger.get("/readyz").await.unwrap();
    assert_eq!(status, 503);
    for word in ["store", "lease", "database", "clock", "partition"] {
        assert!(!answer.to_string().contains(word), "{answer}");
    }
    let (_, answer) = node.rest().get("/readyz").await.unwrap();
    let reason = answer["detail"].as_str().unwrap();
    assert!(reason.contains("store") || reason.contains("lease"), "{answer}");
}
