//! Requests at the door.

use axum::{Router, body::Body, routing::get};
use http::{StatusCode, header::CONTENT_TYPE};
use tower::ServiceExt;

use super::*;

const SECRET: &str = "0123456789abcdef";

/// Judges a request that is written as its head.
fn judge(guard: &Guard, head: &str) -> Result<(), Refusal> {
    let mut lines = head.split('\n');
    let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
        request = request.header(name, value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    guard.judge(&parts.method, &parts.uri, &parts.headers)
}

#[test]
fn the_token_opens_the_door() {
    let guard = Guard::from(Some(Token::new(SECRET).unwrap()));
    let check = |head: &str, answer| assert_eq!(judge(&guard, head), answer, "{head}");
    check("GET /api/v1/jobs\nAuthorization: Bearer 0123456789abcdef", Ok(()));
    check("POST /fastjob.v1.ExecutorLink/Join\nauthorization: bearer 0123456789abcdef", Ok(()));
    check("GET /healthz", Ok(()));
    check("GET /readyz", Ok(()));
    check("GET /healthz/", Err(Refusal::NoToken));
    check("GET /", Err(Refusal::NoToken));
    check("GET /\nAuthorization: Basic 0123456789abcdef", Err(Refusal::NoToken));
    check("GET /\nAuthorization: 0123456789abcdef", Err(Refusal::NoToken));
    check("GET /\nAuthorization: Bearer 0123456789abcdeF", Err(Refusal::WrongToken));
    check("GET /\nAuthorization: Bearer", Err(Refusal::NoToken));
    check(
        "GET /\nAuthorization: Bearer x\nAuthorization: Bearer 0123456789abcdef",
        Err(Refusal::NoToken),
    );
}

#[test]
fn without_a_token_only_names_of_this_machine_are_answered_to() {
    for host in ["localhost", "LOCALHOST:7070", "127.0.0.1:7070", "127.9.9.9", "[::1]:80", "[::1]"]
    {
        assert_eq!(judge(&Guard::Local, &format!("GET /\nHost: {host}")), Ok(()), "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:7070",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil@localhost",
        "10.0.0.1",
        "[::2]",
        "",
    ] {
        let answer = judge(&Guard::Local, &format!("GET /\nHost: {host}"));
        assert_eq!(answer, Err(Refusal::ForeignHost), "{host}");
    }
    assert_eq!(judge(&Guard::Local, "GET /"), Err(Refusal::ForeignHost));
    assert_eq!(judge(&Guard::Local, "POST http://localhost:7070/x"), Ok(()));
    assert_eq!(judge(&Guard::Local, "GET http://evil.example/x"), Err(Refusal::ForeignHost));
    let both = "GET http://localhost/x\nHost: evil.example";
    assert_eq!(judge(&Guard::Local, both), Err(Refusal::ForeignHost));
}

#[test]
fn without_a_token_a_foreign_page_changes_nothing() {
    #[track_caller]
    fn check(head: &str, passes: bool) {
        let answer = judge(&Guard::Local, &format!("{head}\nHost: localhost:7070"));
        assert_eq!(answer, if passes { Ok(()) } else { Err(Refusal::ForeignPage) }, "{head}");
    }
    check("POST /", true);
    check("POST /\nSec-Fetch-Site: same-origin\nOrigin: http://localhost:7070", true);
    check("POST /\nSec-Fetch-Site: none", true);
    check("POST /\nOrigin: http://LOCALHOST:7070", true);
    check("GET /\nSec-Fetch-Site: cross-site", true);
    check("POST /\nSec-Fetch-Site: cross-site", false);
    check("DELETE /\nSec-Fetch-Site: same-site\nOrigin: http://localhost:3000", false);
    check("POST /\nSec-Fetch-Site: none\nSec-Fetch-Site: cross-site", false);
    check("PUT /\nOrigin: http://localhost:3000", false);
    check("POST /\nOrigin: https://evil.example", false);
    check("POST /\nOrigin: null", false);
}

fn guarded() -> Router {
    let guard = Guard::from(Some(Token::new(SECRET).unwrap()));
    Router::new()
        .route("/", get(|| async { "in" }))
        .layer(axum::middleware::from_fn_with_state(guard, stand))
}

#[tokio::test(start_paused = true)]
async fn whoever_is_turned_away_is_told_why() {
    let bare = Request::get("/").body(Body::empty()).unwrap();
    let answer = guarded().oneshot(bare).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers()[WWW_AUTHENTICATE], "Bearer realm=\"fastjob\"");
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");

    let begun = tokio::time::Instant::now();
    let wrong = Request::get("/").header(AUTHORIZATION, "Bearer wrong").body(Body::empty());
    let answer = guarded().oneshot(wrong.unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(begun.elapsed() >= WRONG_TOKEN_DELAY);

    let right = Request::get("/").header(AUTHORIZATION, format!("Bearer {SECRET}"));
    let answer = guarded().oneshot(right.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn grpc_is_turned_away_in_its_own_words() {
    let call = Request::post("/").header(CONTENT_TYPE, "application/grpc").body(Body::empty());
    let answer = guarded().oneshot(call.unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["grpc-status"], "16");
    assert!(answer.headers()["grpc-message"].to_str().unwrap().starts_with("a%20token"));
}
