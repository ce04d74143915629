//! Invalid input is rejected with a clear error, and has no partial effect.

use std::process::Command;

use serde_json::{Value, json};

use crate::{FASTJOB, coordinator};

fn text(answer: &Value) -> String {
    answer.to_string()
}

/// Text with unclosed nesting that is deeper than a recursive parser's stack.
fn deep(begin: &str, open: &str) -> String {
    format!("{begin}{}", open.repeat(100_000))
}

fn deep_filter() -> String {
    json!({"name": "a", "shard": {"dynamic": "(".repeat(4_000)}}).to_string()
}

#[tokio::test]
async fn invalid_requests_are_rejected_with_the_reason() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let long = "x".repeat(10 * 1024 * 1024);
    let half = "x".repeat(500 * 1024);
    let cases = [
        ("POST", "/api/v1/jobs", json!({"name": "a", "nonsense": 1}).to_string(), 422, "nonsense"),
        (
            "POST",
            "/api/v1/jobs",
            json!({"name": "a", "schedule": {"cron": "0 0 25 * * ?"}}).to_string(),
            422,
            "character 5",
        ),
        (
            "POST",
            "/api/v1/jobs",
            json!({"name": "a", "schedule": {"cron": "0 0 2 * * ?", "zone": "Mars/Base"}})
                .to_string(),
            422,
            "Mars/Base",
        ),
        (
            "POST",
            "/api/v1/jobs",
            json!({"name": "a", "shard": {"dynamic": "zone is a"}}).to_string(),
            422,
            "character 6",
        ),
        ("POST", "/api/v1/jobs", json!({"name": "a", "param": long}).to_string(), 413, "1"),
        ("POST", "/api/v1/jobs", json!({"name": "a", "param": half}).to_string(), 422, "262144"),
        ("POST", "/api/v1/jobs", "{".to_owned(), 400, "line"),
        ("POST", "/api/v1/jobs", deep(r#"{"name": "a", "param": "#, "["), 400, "recursion"),
        ("POST", "/api/v1/jobs", deep(r#"{"name": "a", "param": "#, r#"{"a":"#), 400, "recursion"),
        ("POST", "/api/v1/jobs", deep_filter(), 422, "deep"),
        ("POST", "/api/v1/jobs/missing/start", deep(r#"{"param": "#, "["), 400, "recursion"),
        ("POST", "/api/v1/jobs/missing/start", "{}".to_owned(), 404, "missing"),
        ("GET", "/api/v1/tasks/99999", String::new(), 404, "99999"),
        ("GET", "/api/v1/tasks?state=gone", String::new(), 422, "gone"),
        (
            "GET",
            "/api/v1/tasks?since=xyz",
            String::new(),
            422,
            "write it like 2026-11-24T08:00:00Z",
        ),
        (
            "GET",
            "/api/v1/schedule/preview?cron=0+0+2+*+*+?&after=xyz",
            String::new(),
            422,
            "write it like 2026-11-24T08:00:00Z",
        ),
        (
            "POST",
            "/api/v1/jobs",
            json!({"name": "a", "start_at": "2026-11-24"}).to_string(),
            422,
            "like 2026-11-24T00:00:00Z for UTC",
        ),
        (
            "POST",
            "/api/v1/jobs",
            json!({"name": "a", "schedule": {"cron": "0 0 0 30 2 ?"}}).to_string(),
            422,
            "would never fire",
        ),
        ("GET", "/api/v1/nowhere", String::new(), 404, "/api/v1/nodes"),
        ("GET", "/api/v1/executors?cursor=x", String::new(), 422, "from a list of executors"),
        ("GET", "/api/v1/nodes?cursor=x", String::new(), 422, "from a list of nodes"),
        ("GET", "/api/v1/alarms?cursor=-1", String::new(), 422, "from a list of alarms"),
        ("GET", "/api/v1/tasks?cursor=0", String::new(), 422, "from a list of tasks"),
        ("GET", "/api/v1/jobs?cursor=x", String::new(), 422, "from a list of jobs"),
        ("GET", "/api/v1/nodes?limit=0", String::new(), 422, "0 is not between 1 and 500"),
        ("GET", "/api/v1/executors?limit=99999", String::new(), 422, "between 1 and 500"),
        ("DELETE", "/api/v1/tasks", String::new(), 405, "DELETE"),
    ];
    for (method, path, body, status, words) in cases {
        let body = Some(body).filter(|body| !body.is_empty());
        let (got, answer) = rest.ask(method, path, body).await.unwrap();
        assert_eq!(got, status, "{method} {path}: {answer}");
        assert!(text(&answer).contains(words), "{words} is missing in {answer}");
        assert!(answer["title"].is_string() && answer["type"].is_string(), "{answer}");
    }
    let (_, page) = rest.get("/api/v1/jobs").await.unwrap();
    assert_eq!(page["items"], json!([]), "a rejected request had an effect");
}

#[tokio::test]
async fn a_task_without_an_executor_for_its_handler_fails_with_the_reason() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "lonely", "handler": "unknownHandler", "no_executor": "300ms"})).await;
    let task = rest.ended(rest.start("lonely", json!({})).await).await;
    assert_eq!(task["attempts"][0]["reason"], "no executor");
    assert!(text(&task).contains("unknownHandler"), "{task}");
}

/// Runs `fastjob serve`, which has to fail, and returns its output.
fn refused(status: i32, args: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    let output = Command::new(FASTJOB)
        .arg("serve")
        .args(args)
        .current_dir(folder.path())
        .env_remove("FASTJOB_TOKEN")
        .output()
        .expect("it can be started");
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_coordinator_that_cannot_start_reports_why() {
    let mut coordinator = coordinator().await;
    let store = format!("sqlite:{}", coordinator.store().display());
    let said = refused(1, &["--listen", "127.0.0.1:0", "--store", &store]);
    assert!(said.contains("in use by another coordinator"), "{said}");
    let port = coordinator.url().replace("http://", "");
    assert!(refused(1, &["--listen", &port]).contains("in use by another program"));
    let open = refused(1, &["--listen", "0.0.0.0:0"]);
    assert!(open.contains("FASTJOB_TOKEN"), "{open}");
    assert!(
        refused(2, &["--store", "postgres://x"]).contains("the name of the database is missing")
    );

    assert!(coordinator.stop().success());
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(coordinator.store());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (999, 'later', true, x'00', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    let said = refused(1, &["--listen", "127.0.0.1:0", "--store", &store]);
    assert!(said.contains("newer release"), "{said}");
}
