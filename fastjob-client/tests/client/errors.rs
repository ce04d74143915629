//! Each failure has its own error, and its message says what to do.

use std::time::Duration;

use fastjob_client::{Client, ClientError, types::ProblemKind};
use serde_json::json;

use super::{
    TOKEN, client,
    server::{Reply, Server},
};

async fn failing(reply: Reply) -> (Server, ClientError) {
    let server = Server::replying([reply]).await;
    let error = client(&server).task(42).get().await.unwrap_err();
    (server, error)
}

#[track_caller]
fn says(error: &ClientError, parts: &[&str]) {
    for part in parts {
        assert!(error.to_string().contains(part), "`{part}` is missing: {error}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_unauthorized() {
    let (_, error) = failing(Reply::problem(401, "wrong-token", "the token is wrong")).await;
    assert!(matches!(error, ClientError::Unauthorized(_)), "{error:?}");
    assert_eq!(error.problem().unwrap().kind(), Some(ProblemKind::WrongToken));
    says(&error, &["the token is wrong", "FASTJOB_TOKEN"]);
    assert!(!error.to_string().contains(TOKEN) && !format!("{error:?}").contains(TOKEN));
}

#[tokio::test]
async fn each_kind_of_problem_is_a_variant() {
    let (_, error) = failing(Reply::problem(404, "not-found", "there is no task 42")).await;
    assert!(matches!(error, ClientError::NotFound(_)) && !error.is_transient());
    let (_, error) = failing(Reply::problem(409, "ambiguous-name", "a.x or b.x")).await;
    assert!(matches!(error, ClientError::Conflict(_)) && !error.is_transient());
    let (_, error) = failing(Reply::problem(429, "over-quota", "too many")).await;
    assert!(matches!(error, ClientError::OverQuota(_)) && error.is_transient());
    let (_, error) = failing(Reply::problem(503, "store-failed", "the store failed")).await;
    assert!(matches!(error, ClientError::Unavailable(_)) && error.is_transient());
    let (_, error) = failing(Reply::problem(500, "internal", "a bug")).await;
    assert!(matches!(error, ClientError::Problem(_)) && !error.is_transient());
    // A kind of a newer release.
    let (_, error) = failing(Reply::problem(410, "retired", "it is gone")).await;
    assert!(matches!(&error, ClientError::Problem(problem) if problem.kind().is_none()));
    // A path that this coordinator does not have is not a missing job.
    let (_, error) = failing(Reply::problem(404, "unknown-path", "no resource")).await;
    assert!(matches!(error, ClientError::Problem(_)), "{error:?}");
}

#[tokio::test]
async fn an_invalid_request_lists_every_field() {
    let body = json!({
        "type": "urn:fastjob:problem:invalid", "title": "Invalid request", "status": 422,
        "detail": "timeout: too short; block: unknown", "problems": [
            { "field": "timeout", "message": "too short" },
            { "field": "block", "message": "unknown" },
        ],
    });
    let (_, error) = failing(Reply::Answer(422, body.to_string())).await;
    let ClientError::Invalid(problem) = &error else { panic!("{error:?}") };
    assert_eq!(problem.problems[1].field, "block");
    says(&error, &["timeout: too short; block: unknown"]);
}

#[tokio::test]
async fn an_answer_that_is_not_of_a_coordinator_is_recognized() {
    let html = "<html><title>Welcome</title></html>";
    for status in [200, 401, 404, 502] {
        let (server, error) = failing(Reply::Answer(status, html.to_owned())).await;
        assert!(matches!(error, ClientError::NotFastJob { .. }), "{error:?}");
        says(&error, &[&server.url, &status.to_string(), "<html>", "check the address"]);
        assert_eq!(error.is_transient(), status == 502);
    }
    // JSON of another program.
    let (_, error) = failing(Reply::Answer(404, json!({ "message": "nope" }).to_string())).await;
    assert!(matches!(error, ClientError::NotFastJob { status: 404, .. }), "{error:?}");
    let (_, error) = failing(Reply::json(&json!({ "id": "nine" }))).await;
    assert!(matches!(error, ClientError::NotFastJob { source: Some(_), .. }), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_so_the_token_goes_nowhere_else() {
    let other = Server::replying([Reply::json(&json!({}))]).await;
    let location: &'static str = format!("location: {}/api\r\n", other.url).leak();
    let (_, error) = failing(Reply::With(307, location, String::new())).await;
    assert!(matches!(error, ClientError::NotFastJob { status: 307, .. }), "{error:?}");
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_cut_connection_is_an_interruption() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":";
    for reply in [Reply::Cut, Reply::Raw(half), Reply::Raw(b"\x15\x03\x01\x00\x02\x02\x46")] {
        let (server, error) = failing(reply).await;
        assert!(matches!(error, ClientError::Interrupted { .. }), "{error:?}");
        assert!(error.is_transient());
        says(&error, &[&server.url]);
    }
}

#[tokio::test]
async fn a_server_that_uses_tls_is_named_as_the_cause() {
    let (_, error) = failing(Reply::Raw(b"\x15\x03\x01\x00\x02\x02\x46")).await;
    says(&error, &["use https instead of http"]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_a_timeout() {
    let server = Server::replying([Reply::Silence]).await;
    let client = Client::builder(&server.url).timeout(Duration::from_millis(100)).build().unwrap();
    let error = client.task(42).get().await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }) && error.is_transient(), "{error:?}");
    says(&error, &["within 100ms"]);
}

#[tokio::test]
async fn a_port_without_a_listener_is_unreachable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let client = Client::builder(&url).build().unwrap();
    let error = client.task(42).get().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
    assert!(error.is_refused() && error.is_transient());
    says(&error, &[&url, "check that a coordinator runs there"]);
}

#[test]
fn a_token_is_not_sent_in_plain_text_to_another_machine() {
    let far = "http://jobs.example.org";
    let error = Client::builder(far).token(TOKEN).build().unwrap_err();
    assert!(matches!(error, ClientError::InsecureTransport { .. }), "{error:?}");
    says(&error, &[far, "use https"]);
    assert!(Client::builder(far).token(TOKEN).insecure_plaintext(true).build().is_ok());
    assert!(Client::builder(far).build().is_ok());
    for near in ["http://localhost:1", "http://127.0.0.9", "http://[::1]:1"] {
        assert!(Client::builder(near).token(TOKEN).build().is_ok(), "{near}");
    }
}

#[test]
fn settings_are_checked_when_the_client_is_built() {
    #[track_caller]
    fn check(built: Result<Client, ClientError>, setting: &str, why: &str) {
        let error = built.unwrap_err();
        assert!(matches!(error, ClientError::Setting { name, .. } if name == setting), "{error:?}");
        says(&error, &[setting, why]);
    }
    check(Client::builder("localhost:7070").build(), "server", "write it like");
    check(Client::builder("https://u:s3cret@h").build(), "server", "use a token");
    check(Client::builder("https://h").token("short").build(), "token", "at least 16");
    check(Client::builder("https://h").token("with spaces in it").build(), "token", "visible");
    check(Client::builder("https://h").ca_cert("/nowhere.pem").build(), "ca_cert", "/nowhere.pem");
    check(Client::builder("https://h").ca_cert_pem("none").build(), "ca_cert", "contains none");
    let client = Client::builder("https://h").token(TOKEN).build().unwrap();
    assert!(!format!("{client:?}").contains(TOKEN));
}
