//! With a token, nobody gets in without it: neither callers nor executors.

use std::time::Duration;

use fastjob_tests::{eventually, process::Coordinator, rest::Rest};
use serde_json::json;

use crate::{EXECUTOR, FASTJOB};

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
    let (nobody, wrong) = (coordinator.rest(), coordinator.rest().with_token(WRONG));
    for (stranger, title) in [(&nobody, "Token needed"), (&wrong, "Wrong token")] {
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
    let _wrong = coordinator.executor_with(EXECUTOR, "wrong", &[("FASTJOB_ACCESS_TOKEN", WRONG)]);
    let _none = coordinator.executor(EXECUTOR, "none");
    let _right = coordinator.executor_with(EXECUTOR, "right", &[("FASTJOB_ACCESS_TOKEN", TOKEN)]);
    let connected = rest.executors(1).await;
    assert_eq!(connected[0]["name"], "right");
    for stranger in ["wrong", "none"] {
        eventually("the stranger says why it is not let in", Duration::from_secs(20), || async {
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
    eventually("it says which name was meant", Duration::from_secs(20), || async {
        let said = coordinator.said("e1");
        names.iter().all(|name| said.contains(name)).then_some(())
    })
    .await;
    assert_eq!(executor.wait().code(), Some(1));
}
