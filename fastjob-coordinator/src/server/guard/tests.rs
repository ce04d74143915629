//! Requests at the guard.

use axum::{Extension, Router, body::Body, middleware::Next, routing::get};
use fastjob_core::wire::{ExecutorKey, NONCE_BYTES};
use fastjob_engine::Connected;
use http::{
    StatusCode,
    header::{CONTENT_TYPE, HOST},
};
use tower::ServiceExt;

use super::*;
use crate::ops::Credential;

const SECRET: &str = "0123456789abcdef";

/// Checks a request that is given as its head.
fn judge(guard: &Guard, head: &str) -> Result<(), Refusal> {
    let mut lines = head.split('\n');
    let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
        request = request.header(name, value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    guard.judge(&parts.uri, &parts.headers)
}

#[test]
fn a_request_with_the_token_passes() {
    let guard = Guard::from(Some(Token::new(SECRET).unwrap()));
    let check = |head: &str, answer| assert_eq!(judge(&guard, head), answer, "{head}");
    check("GET /api/v1/jobs\nAuthorization: Bearer 0123456789abcdef", Ok(()));
    check("POST /fastjob.v1.ExecutorLink/Join\nauthorization: bearer 0123456789abcdef", Ok(()));
    check("GET /healthz", Err(Refusal::NoToken));
    check("GET /readyz\nAuthorization: Bearer 0123456789abcdef", Ok(()));
    check("GET /\nAuthorization: Bearer 0123456789abcdef\nVia: 1.1 proxy", Ok(()));
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
fn without_a_token_only_names_of_this_machine_are_accepted() {
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
fn without_a_token_requests_of_other_sites_are_rejected() {
    #[track_caller]
    fn check(head: &str, passes: bool) {
        let answer = judge(&Guard::Local, &format!("{head}\nHost: localhost:7070"));
        assert_eq!(answer, if passes { Ok(()) } else { Err(Refusal::ForeignPage) }, "{head}");
    }
    check("POST /", true);
    check("POST /\nSec-Fetch-Site: same-origin\nOrigin: http://localhost:7070", true);
    check("POST /\nSec-Fetch-Site: none", true);
    check("POST /\nOrigin: http://LOCALHOST:7070", true);
    check("GET /", true);
    check("GET /\nSec-Fetch-Site: none\nSec-Fetch-Mode: navigate", true);
    check("GET /\nSec-Fetch-Site: same-origin", true);
    check("GET /\nSec-Fetch-Site: cross-site", false);
    check("GET /\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate", false);
    check("GET /\nSec-Fetch-Site: same-site", false);
    check("HEAD /\nSec-Fetch-Site: cross-site", false);
    check("GET /\nOrigin: https://evil.example", false);
    check("POST /\nSec-Fetch-Site: cross-site", false);
    check("DELETE /\nSec-Fetch-Site: same-site\nOrigin: http://localhost:3000", false);
    check("POST /\nSec-Fetch-Site: none\nSec-Fetch-Site: cross-site", false);
    check("PUT /\nOrigin: http://localhost:3000", false);
    check("POST /\nOrigin: https://evil.example", false);
    check("POST /\nOrigin: null", false);
}

#[test]
fn without_a_token_requests_through_a_proxy_are_rejected() {
    for header in [
        "X-Forwarded-For: 192.0.2.1",
        "Forwarded: for=192.0.2.1",
        "Via: 1.1 proxy",
        "x-real-ip: 192.0.2.1",
        "X-Forwarded-Host: jobs.example",
        "X-Forwarded-Proto: https",
    ] {
        for method in ["GET", "POST"] {
            let head = format!("{method} /\nHost: localhost:7070\n{header}");
            assert_eq!(judge(&Guard::Local, &head), Err(Refusal::Proxied), "{header}");
        }
    }
}

fn guarded() -> Router {
    let door = Door::from(Guard::from(Some(Token::new(SECRET).unwrap())));
    let trusted = |trusted: Option<Extension<Trusted>>| async move {
        if trusted.is_some() { "trusted" } else { "a stranger" }
    };
    Router::new().route("/in", get(|| async { "in" })).route("/readyz", get(trusted)).layer(
        axum::middleware::from_fn(move |request, next: Next| {
            let door = door.clone();
            async move { stand(&door, request, |request| next.run(request)).await }
        }),
    )
}

#[tokio::test]
async fn health_is_public_but_only_trusted_clients_get_reasons() {
    for (token, who) in
        [(None, "a stranger"), (Some("wrong"), "a stranger"), (Some(SECRET), "trusted")]
    {
        let ask = Request::get("/readyz");
        let ask = match token {
            Some(token) => ask.header(AUTHORIZATION, format!("Bearer {token}")),
            None => ask,
        };
        let answer = guarded().oneshot(ask.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let body = axum::body::to_bytes(answer.into_body(), 1024).await.unwrap();
        assert_eq!(body, who, "{token:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejection_says_why() {
    let bare = Request::get("/in").body(Body::empty()).unwrap();
    let answer = guarded().oneshot(bare).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers()[WWW_AUTHENTICATE], "Bearer realm=\"fastjob\"");
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");

    let begun = tokio::time::Instant::now();
    let wrong = Request::get("/in").header(AUTHORIZATION, "Bearer wrong").body(Body::empty());
    let answer = guarded().oneshot(wrong.unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(begun.elapsed() >= WRONG_TOKEN_DELAY);

    let right = Request::get("/in").header(AUTHORIZATION, format!("Bearer {SECRET}"));
    let answer = guarded().oneshot(right.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_grpc_call_is_rejected_with_a_grpc_status() {
    let call = Request::post("/in").header(CONTENT_TYPE, "application/grpc").body(Body::empty());
    let answer = guarded().oneshot(call.unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["grpc-status"], "16");
    assert!(answer.headers()["grpc-message"].to_str().unwrap().starts_with("a%20token"));
}

#[test]
fn an_executors_proof_is_valid_for_its_own_calls_only() {
    let credential = Credential::of_tests("n1");
    let key = ExecutorKey::of_token(SECRET);
    let handshakes = Arc::new(Handshakes::new(Some(key.clone()), Arc::new(credential)));
    let guard = Guard::from(Some(Token::new(SECRET).unwrap()));
    let door = Door::new(guard, Arc::clone(&handshakes), Sessions::default());
    let prove = |key: &ExecutorKey| {
        let (node, nonce) = handshakes.begin();
        key.prove(node, nonce, [7; NONCE_BYTES]).to_header()
    };
    let judge = |path: &str, header: &str| {
        let request = Request::builder().method("POST").uri(path).header(AUTHORIZATION, header);
        let mut request = request.body(Body::empty()).unwrap();
        let judged = door.judge(&mut request);
        assert_eq!(judged.is_ok(), request.extensions().get::<ExecutorProof>().is_some());
        judged
    };
    let header = prove(&key);
    assert_eq!(judge(grpc::PROVE, &header), Ok(()));
    for other in ["/api/v1/jobs", "/fastjob.v1.ExecutorLink/Joins", "/"] {
        assert_eq!(judge(other, &header), Err(Refusal::NoToken), "{other}");
    }
    assert_eq!(judge(grpc::JOIN, &header), Ok(()));
    assert_eq!(judge(grpc::JOIN, &header), Err(Refusal::NotProven(NotProven::Used)));
    let wrong = judge(grpc::PROVE, &prove(&ExecutorKey::of_token("another-token-of-the-tests")));
    assert!(wrong.unwrap_err().is_wrong_token());
}

#[test]
fn the_ticket_of_an_open_session_allows_it_to_send_logs_and_nothing_else() {
    let sessions = Sessions::default();
    let id = sessions.next_id();
    let _open = sessions.open(Arc::new(Connected::with(id))).unwrap();
    let ticket = sessions.ticket(id).unwrap();
    let credential = Arc::new(Credential::of_tests("n1"));
    let handshakes = Arc::new(Handshakes::new(None, credential));
    let with_token = Guard::from(Some(Token::new(SECRET).unwrap()));
    let judge = |guard: &Guard, host: &str, path: &str, header: &str| {
        let door = Door::new(guard.clone(), Arc::clone(&handshakes), sessions.clone());
        let request = Request::builder().method("POST").uri(path).header(HOST, host);
        let request = request.header(AUTHORIZATION, header);
        let mut request = request.body(Body::empty()).unwrap();
        let judged = door.judge(&mut request);
        let executor = request.extensions().get::<Arc<Connected>>();
        assert_eq!(executor.map(|executor| executor.session), judged.is_ok().then_some(id));
        judged
    };
    let bearer = format!("Bearer {SECRET}");
    for guard in [&with_token, &Guard::Local] {
        assert_eq!(judge(guard, "localhost", grpc::KEEP, &ticket), Ok(()));
        let wrong = format!("{}0", &ticket[..ticket.len() - 1]);
        let wrong =
            if wrong == ticket { format!("{}1", &ticket[..ticket.len() - 1]) } else { wrong };
        for other in [&wrong, &bearer, "", "FastJob-Session 1 ", "FastJob-Session 2 00"] {
            assert_eq!(judge(guard, "localhost", grpc::KEEP, other), Err(Refusal::NoSession));
        }
    }
    let foreign = judge(&Guard::Local, "example.org", grpc::KEEP, &ticket);
    assert_eq!(foreign, Err(Refusal::ForeignHost));
    for path in [grpc::JOIN, "/api/v1/jobs", "/fastjob.v1.LogArchive/Keeps"] {
        assert!(judge(&with_token, "localhost", path, &ticket).is_err(), "{path}");
    }
    sessions.close(id);
    let closed = judge(&with_token, "localhost", grpc::KEEP, &ticket);
    assert_eq!(closed, Err(Refusal::NoSession));
}
