//! The console as browsers use it, and as others might.

mod files;
mod strangers;

use std::sync::LazyLock;

use axum::{body::Body, extract::Request, response::Response, routing::get};
use fastjob_core::wire::ExecutorKey;
use http::{
    StatusCode,
    header::{HOST, SET_COOKIE},
};
use tower::ServiceExt;

use super::*;
use crate::{
    clock::{Clock, Manual},
    server::{self, Door, Token},
};

const TOKEN: &str = "0123456789abcdef-token";
static KEY: LazyLock<ExecutorKey> = LazyLock::new(|| ExecutorKey::of_token(TOKEN));
const SAME: &str = "Sec-Fetch-Site: same-origin";

/// A port with the console and a call of REST.
struct Site {
    app: Router,
    clock: Manual,
}

impl Site {
    /// One that needs the token.
    fn with_token() -> Self {
        Self::of(Some((TOKEN, &KEY)), ConsoleConfig::default(), Secure::No)
    }

    /// One on loopback that needs none.
    fn local() -> Self {
        Self::of(None, ConsoleConfig::default(), Secure::No)
    }

    fn of(token: Option<(&str, &ExecutorKey)>, settings: ConsoleConfig, secure: Secure) -> Self {
        let (clock, manual) = Clock::manual();
        let guard = Guard::from(token.map(|(token, _)| Token::new(token).unwrap()));
        let cookies = token.map(|(_, key)| Cookies::new(key, clock));
        let cookies = cookies.filter(|_| settings.enabled);
        let door = Door::from(guard.clone()).with_cookies(cookies.clone());
        let rest = Router::new()
            .route("/api/v1/jobs", get(|| async { "jobs" }).post(|| async { "saved" }))
            .route("/metrics", get(|| async { "metrics" }))
            .route("/fastjob.v1.ExecutorLink/Join", get(|| async { "joined" }));
        let console = router(Console { settings, guard, cookies, secure });
        Self { app: server::behind(door, rest.merge(console)), clock: manual }
    }

    /// Sends a request that is given as its head.
    async fn ask(&self, head: &str, body: &str) -> Response {
        let mut lines = head.split('\n');
        let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(uri);
        if !head.contains("\nHost: ") {
            request = request.header(HOST, "localhost:7070");
        }
        for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        self.app.clone().oneshot(request).await.unwrap()
    }

    async fn status(&self, head: &str) -> u16 {
        self.ask(head, "").await.status().as_u16()
    }

    /// Signs in, and returns the line with which the browser shows its cookie.
    async fn sign_in(&self) -> String {
        let answer = self.ask(&format!("POST /console/session\n{SAME}"), &body(TOKEN)).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        let set = set_cookie(&answer).unwrap();
        format!("Cookie: {}", set.split(';').next().unwrap())
    }

    /// What the console learns about its session.
    async fn session(&self, lines: &str) -> String {
        text(self.ask(&format!("GET /console/session\n{SAME}{lines}"), "").await).await
    }
}

fn body(token: &str) -> String {
    serde_json::json!({ "token": token }).to_string()
}

fn set_cookie(answer: &Response) -> Option<String> {
    let mut set = answer.headers().get_all(SET_COOKIE).iter();
    let first = set.next().map(|set| set.to_str().unwrap().to_owned());
    assert!(set.next().is_none());
    first
}

async fn text(answer: Response) -> String {
    let bytes = axum::body::to_bytes(answer.into_body(), 4 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

const SIGNED_IN: &str = r#"{"needed":true,"signed_in":true}"#;
const SIGNED_OUT: &str = r#"{"needed":true,"signed_in":false}"#;

#[tokio::test]
async fn a_browser_that_signed_in_reads_and_writes_until_it_signs_out() {
    let site = Site::with_token();
    assert_eq!(site.session("").await, SIGNED_OUT);
    assert_eq!(site.status("GET /api/v1/jobs").await, 401);
    let cookie = site.sign_in().await;
    assert_eq!(site.session(&format!("\n{cookie}")).await, SIGNED_IN);
    for head in ["GET /api/v1/jobs", "POST /api/v1/jobs", "GET /metrics"] {
        assert_eq!(site.status(&format!("{head}\n{cookie}\n{SAME}")).await, 200, "{head}");
    }
    // An event stream, and a browser that does not send Sec-Fetch-Site.
    assert_eq!(site.status(&format!("GET /api/v1/jobs\n{cookie}")).await, 200);
    let origin = "Origin: http://localhost:7070";
    assert_eq!(site.status(&format!("POST /api/v1/jobs\n{cookie}\n{origin}")).await, 200);

    let out = site.ask(&format!("DELETE /console/session\n{SAME}\n{cookie}"), "").await;
    assert_eq!(out.status(), StatusCode::NO_CONTENT);
    let set = set_cookie(&out).unwrap();
    assert!(set.contains("Max-Age=0"), "{set}");
    assert_eq!(site.session("").await, SIGNED_OUT);
}

#[tokio::test]
async fn a_session_is_valid_on_every_node_and_ends_when_the_token_changes_or_it_expires() {
    let (one, two) = (Site::with_token(), Site::with_token());
    let cookie = one.sign_in().await;
    let head = format!("GET /api/v1/jobs\n{SAME}\n{cookie}");
    assert_eq!(two.status(&head).await, 200, "another node");
    let key = ExecutorKey::of_token("another-token-of-the-tests");
    let token = Some(("another-token-of-the-tests", &key));
    let changed = Site::of(token, ConsoleConfig::default(), Secure::No);
    assert_eq!(changed.status(&head).await, 401, "another token");
    assert_eq!(changed.session(&format!("\n{cookie}")).await, SIGNED_OUT);

    two.clock.sleep(std::time::Duration::from_secs(13 * 3600));
    let renewed = two.ask(&format!("GET /console/session\n{SAME}\n{cookie}"), "").await;
    assert!(set_cookie(&renewed).unwrap().contains("Max-Age=86400"));
    two.clock.sleep(std::time::Duration::from_secs(12 * 3600));
    let answer = two.ask(&head, "").await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(text(answer).await.contains("expired"));
    assert_eq!(two.session(&format!("\n{cookie}")).await, SIGNED_OUT);
}

#[tokio::test]
async fn on_loopback_without_a_token_there_is_nothing_to_sign_in_to() {
    let site = Site::local();
    let free = r#"{"needed":false,"signed_in":true}"#;
    assert_eq!(site.session("").await, free);
    assert_eq!(site.status(&format!("POST /api/v1/jobs\n{SAME}")).await, 200);
    let answer = site.ask(&format!("POST /console/session\n{SAME}"), &body("anything")).await;
    assert_eq!((answer.status(), set_cookie(&answer)), (StatusCode::NO_CONTENT, None));
}

#[tokio::test]
async fn behind_tls_the_cookie_never_travels_in_plain_text() {
    let post = |lines| format!("POST /console/session\n{SAME}{lines}");
    let tls = Site::of(Some((TOKEN, &KEY)), ConsoleConfig::default(), Secure::Yes);
    let set = set_cookie(&tls.ask(&post(""), &body(TOKEN)).await).unwrap();
    assert!(set.ends_with("; Secure"), "{set}");
    // A proxy that terminates TLS: the browser knows.
    let plain = Site::with_token();
    let lines = "\nHost: jobs.example\nOrigin: https://jobs.example";
    let set = set_cookie(&plain.ask(&post(lines), &body(TOKEN)).await).unwrap();
    assert!(set.ends_with("; Secure"), "{set}");
    // A later request does not say it: the session knows.
    let cookie = set.split(';').next().unwrap();
    plain.clock.sleep(std::time::Duration::from_secs(13 * 3600));
    let renewed = plain.ask(&format!("GET /console/session\n{SAME}\nCookie: {cookie}"), "").await;
    let set = set_cookie(&renewed).unwrap();
    assert!(set.ends_with("; Secure"), "{set}");
    let lines = "\nHost: jobs.example\nOrigin: http://jobs.example";
    let set = set_cookie(&plain.ask(&post(lines), &body(TOKEN)).await).unwrap();
    assert!(!set.contains("Secure"), "{set}");
}

#[tokio::test]
async fn a_console_that_is_switched_off_says_so_and_has_no_sessions() {
    let settings = ConsoleConfig { enabled: false, ..ConsoleConfig::default() };
    let site = Site::of(Some((TOKEN, &KEY)), settings, Secure::No);
    let page = site.ask("GET /", "").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    assert!(text(page).await.contains("coordinator.console.enabled = false"));
    for path in ["/console/", "/console/session", "/console/a/x/index.js"] {
        assert_eq!(site.status(&format!("GET {path}")).await, 404, "{path}");
    }
    let cookie = Site::with_token().sign_in().await;
    assert_eq!(site.status(&format!("GET /api/v1/jobs\n{SAME}\n{cookie}")).await, 401);
}
