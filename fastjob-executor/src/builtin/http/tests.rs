mod bypasses;
mod redirects;

use fastjob_core::Shard;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::*;
use crate::builtin::testing::{Lines, context};

/// Answers every connection with the same bytes, and returns the requests that it received.
async fn server(answer: impl Into<Vec<u8>>) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, questions) = mpsc::unbounded_channel();
    let answer = answer.into();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer.clone(), asked.clone()));
        }
    });
    (address.to_string(), questions)
}

async fn serve(mut stream: TcpStream, answer: Vec<u8>, asked: mpsc::UnboundedSender<String>) {
    let mut question = Vec::new();
    let mut piece = [0; 4096];
    while !is_whole(&question) {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(n) => question.extend_from_slice(&piece[..n]),
        }
    }
    asked.send(String::from_utf8(question).unwrap()).ok();
    if answer.is_empty() {
        // Never answers; ends when the caller disconnects.
        assert!(!matches!(stream.read(&mut piece).await, Ok(1..)));
        asked.send("gone".to_owned()).ok();
    }
    stream.write_all(&answer).await.ok();
}

fn is_whole(question: &[u8]) -> bool {
    let text = String::from_utf8_lossy(question);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse().unwrap())
    });
    body.len() >= length.unwrap_or(0)
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// The servers of tests listen on loopback.
const HERE: &str = "127.0.0.1";

fn calling(hosts: &[&str]) -> Http {
    Http::new(list(hosts))
}

fn list(hosts: &[&str]) -> Hosts {
    Hosts::parse(&hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()).unwrap()
}

async fn run(param: &str) -> (JobResult, Lines) {
    run_with(calling(&[HERE]), param).await
}

async fn run_with(http: Http, param: &str) -> (JobResult, Lines) {
    let (ctx, _stop, lines) = context(Some(param), Shard::WHOLE);
    (http.execute(&ctx).await, lines)
}

#[tokio::test]
async fn the_answer_is_the_result_and_the_log_has_no_secret() {
    let (address, mut asked) = server(answer("200 OK", "grüße")).await;
    let param = json!({
        "url": format!("http://ann:pass@{address}/a/b?token=query"),
        "method": "POST",
        "headers": {"X-Key": "header"},
        "body": {"n": 1},
    });
    let (result, lines) = run(&param.to_string()).await;
    assert_eq!(result.unwrap().as_str(), Some("grüße"));
    let asked = asked.recv().await.unwrap();
    assert!(asked.starts_with("POST /a/b?token=query HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("x-key: header") && asked.contains("authorization: Basic"), "{asked}");
    assert!(asked.ends_with("\r\n\r\n{\"n\":1}"), "{asked}");
    assert!(lines.has(&format!("POST http://{address}/a/b?…: 200 OK in ")), "{:?}", lines.all());
    for secret in ["ann", "pass", "query", "header"] {
        assert!(!lines.has(secret), "{:?}", lines.all());
    }
}

#[track_caller]
fn check_error(result: JobResult, retryable: bool, text: &str) {
    let err = result.unwrap_err();
    assert!(err.message().contains(text), "{err:?}");
    assert_eq!(err.is_retryable(), retryable, "{err:?}");
}

#[tokio::test]
async fn an_unexpected_status_fails_and_some_are_retryable() {
    for (status, retryable) in [
        ("500 Internal Server Error", true),
        ("503 Service Unavailable", true),
        ("408 Request Timeout", true),
        ("429 Too Many Requests", true),
        ("404 Not Found", false),
        ("403 Forbidden", false),
    ] {
        let (address, _asked) = server(answer(status, "because")).await;
        let (result, lines) = run(&format!("http://{address}/?token=query")).await;
        let text = format!("GET http://{address}/?…: answered {status}: because");
        check_error(result, retryable, &text);
        assert!(lines.has(status));
    }
}

#[tokio::test]
async fn the_param_defines_which_status_is_a_success() {
    let (address, _asked) = server(answer("404 Not Found", "")).await;
    let param = json!({"url": format!("http://{address}/"), "expect": [200, 404]}).to_string();
    assert_eq!(run(&param).await.0.unwrap().as_str(), Some(""));
}

#[tokio::test]
async fn a_long_answer_is_cut_at_a_character() {
    let (address, _asked) = server(answer("200 OK", &"é".repeat(1000))).await;
    let param = json!({"url": format!("http://{address}/"), "max_response": 11}).to_string();
    let (result, lines) = run(&param).await;
    assert_eq!(result.unwrap().as_str(), Some("ééééé"));
    assert!(lines.has("its first 10 bytes are kept"), "{:?}", lines.all());
}

#[tokio::test]
async fn no_connection_is_retryable_and_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (result, lines) = run(&format!("http://{address}/?token=query")).await;
    let err = result.as_ref().unwrap_err().to_string();
    assert!(!err.contains("query"), "{err}");
    check_error(result, true, "refused");
    assert!(lines.has("refused"), "{:?}", lines.all());
}

#[tokio::test]
async fn a_timeout_is_retryable() {
    let (address, _asked) = server("").await;
    let param = json!({"url": format!("http://{address}/"), "timeout": "50ms"}).to_string();
    check_error(run(&param).await.0, true, "no response within 50ms");
}

#[tokio::test]
async fn the_stop_token_ends_the_request() {
    let (address, mut asked) = server("").await;
    let (ctx, stop, _) = context(Some(&format!("http://{address}/")), Shard::WHOLE);
    let running = tokio::spawn(async move { calling(&[HERE]).execute(&ctx).await });
    assert!(asked.recv().await.unwrap().starts_with("GET / "));
    stop.cancel();
    check_error(running.await.unwrap(), true, "stopped");
    assert_eq!(asked.recv().await.unwrap(), "gone");
}

#[tokio::test]
async fn an_invalid_request_fails_permanently() {
    check_error(run("ftp://localhost/").await.0, false, "http:// or https://");
    let (ctx, _stop, _) = context(None, Shard::WHOLE);
    check_error(calling(&[HERE]).execute(&ctx).await, false, "missing");
}
