//! The port over real sockets.

mod renewal;
mod strangers;

use std::time::{Duration, Instant};

use axum::{
    body::Bytes,
    extract::{ConnectInfo, Extension},
    routing::{get, post},
};
use http::{StatusCode, Version};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
};

use super::{
    shield::Shield,
    tls::tests::{CERT, test_only},
    *,
};
use crate::{
    api::Stopping,
    bounds::{Bounds, Budget},
};

const SECRET: &str = "0123456789abcdef";
/// More than the system's socket buffers hold.
const LARGE: usize = 24 << 20;
const LONG: Duration = Duration::from_secs(20);

/// A port that is being served.
struct Served {
    addr: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
    /// Notified once a slow request is being handled.
    entered: Arc<Notify>,
}

fn routes(entered: &Arc<Notify>) -> Router {
    let (until_stop, for_ever) = (entered.clone(), entered.clone());
    Router::new()
        .route(
            "/",
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }),
        )
        .route(
            "/until-stop",
            get(|Extension(Stopping(stop))| async move {
                until_stop.notify_one();
                CancellationToken::cancelled(&stop).await;
                "done"
            }),
        )
        .route(
            "/for-ever",
            get(|| async move {
                for_ever.notify_one();
                std::future::pending::<()>().await;
            }),
        )
        .route("/large", get(|| async { vec![b'x'; LARGE] }))
        .route("/echo", post(|body: Bytes| async move { body }))
}

fn serve(guard: Guard, tls: Option<Tls>, limits: Limits, drain: Duration) -> Served {
    serve_within(guard, tls, limits, drain, Bounds::of_tests())
}

fn serve_within(
    guard: Guard,
    tls: Option<Tls>,
    limits: Limits,
    drain: Duration,
    bounds: Bounds,
) -> Served {
    let bound = Server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (addr, stop) = (bound.local_addr(), CancellationToken::new());
    let entered = Arc::new(Notify::new());
    let shield = Shield {
        credential: None,
        door: guard.into(),
        bounds,
        metrics: crate::metrics::Metrics::default(),
    };
    let app = shield.around(routes(&entered));
    let served = tokio::spawn(bound.serve(app, tls, limits, stop.clone(), drain));
    Served { addr, stop, served, entered }
}

fn plain() -> Served {
    serve(Guard::Local, None, Limits::default(), LONG)
}

fn client() -> reqwest::ClientBuilder {
    // Idempotent: a second call in this process has no effect.
    crate::crypto::choose();
    let root = reqwest::Certificate::from_pem(CERT).unwrap();
    reqwest::Client::builder().no_proxy().tls_certs_only([root])
}

/// Sends bytes and reads until the other side closes.
async fn raw(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    // Closing with unread bytes causes a reset, which counts as closed, too.
    let _end = tokio::time::timeout(LONG, read).await.expect("the port did not close it");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn one_port_serves_http_1_and_http_2() {
    let port = plain();
    let url = format!("http://{}/", port.addr);
    let one = client().http1_only().build().unwrap().get(&url).send().await.unwrap();
    assert_eq!((one.version(), one.status()), (Version::HTTP_11, StatusCode::OK));
    assert_eq!(one.text().await.unwrap(), "127.0.0.1");
    let two = client().http2_prior_knowledge().build().unwrap().get(&url).send().await.unwrap();
    assert_eq!((two.version(), two.status()), (Version::HTTP_2, StatusCode::OK));
}

#[tokio::test]
async fn tls_negotiates_http_1_or_http_2() {
    let port = serve(Guard::Local, Some(test_only()), Limits::default(), LONG);
    let url = format!("https://localhost:{}/", port.addr.port());
    let two = client().build().unwrap().get(&url).send().await.unwrap();
    assert_eq!((two.version(), two.status()), (Version::HTTP_2, StatusCode::OK));
    let one = client().http1_only().build().unwrap().get(&url).send().await.unwrap();
    assert_eq!((one.version(), one.status()), (Version::HTTP_11, StatusCode::OK));
    let unencrypted = raw(port.addr, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(!unencrypted.contains("127.0.0.1"), "{unencrypted}");
}

#[tokio::test]
async fn rest_and_grpc_require_the_token() {
    let guard = Guard::from(Some(Token::new(SECRET).unwrap()));
    let port = serve(guard, None, Limits::default(), LONG);
    let client = client().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/echo", port.addr);
    for (token, media, status, grpc) in [
        (None, "application/json", 401, None),
        (Some("wrong"), "application/json", 401, None),
        (Some(SECRET), "application/json", 200, None),
        (None, "application/grpc", 200, Some("16")),
        (Some("wrong"), "application/grpc", 200, Some("16")),
        (Some(SECRET), "application/grpc", 200, None),
    ] {
        let ask = client.post(&url).header("content-type", media).body("x");
        let ask = token.into_iter().fold(ask, reqwest::RequestBuilder::bearer_auth);
        let answer = ask.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{token:?} {media}");
        let said = answer.headers().get("grpc-status").map(|said| said.to_str().unwrap());
        assert_eq!(said, grpc, "{token:?} {media}");
    }
}

#[tokio::test]
async fn the_error_for_a_port_in_use_says_what_to_do() {
    let first = Server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let said = Server::bind(first.local_addr()).unwrap_err().to_string();
    assert!(said.contains(&first.local_addr().to_string()) && said.contains("--listen"), "{said}");
    let elsewhere = Server::bind("192.0.2.1:7070".parse().unwrap()).unwrap_err();
    assert!(matches!(elsewhere, ServeError::NotHere(_)), "{elsewhere}");
}

#[tokio::test]
async fn a_connection_that_sends_too_little_is_closed() {
    let limits = Limits { authenticate: Duration::from_millis(100), ..Limits::default() };
    let silent = serve(Guard::Local, None, limits.clone(), LONG);
    assert_eq!(raw(silent.addr, b"").await, "");
    assert_eq!(raw(silent.addr, b"PRI * HTTP/2.0").await, "");
    let half = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half";
    assert!(!raw(silent.addr, half).await.contains("200 OK"));
    let tls = serve(Guard::Local, Some(test_only()), limits, LONG);
    assert_eq!(raw(tls.addr, b"").await, "");
}

#[tokio::test]
async fn a_request_head_that_is_too_long_is_rejected() {
    let port = plain();
    let long = "a".repeat(20_000);
    let head = format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(raw(port.addr, head.as_bytes()).await.contains("urn:fastjob:problem:uri-too-long"));
    let long = "a".repeat(2 * 64 * 1024);
    let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n");
    assert!(!raw(port.addr, head.as_bytes()).await.contains("200 OK"));
}

#[tokio::test]
async fn a_connection_over_the_limit_is_rejected_with_the_setting_to_raise() {
    let port = serve(Guard::Local, None, Limits { connections: 1, ..Limits::default() }, LONG);
    let mut first = TcpStream::connect(port.addr).await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(first.read(&mut [0; 64]).await.unwrap() > 0);
    let ask = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let refused = raw(port.addr, ask).await;
    assert!(
        refused.starts_with("HTTP/1.1 503") && refused.contains("max_connections"),
        "{refused}"
    );
    drop(first);
    let deadline = Instant::now() + LONG;
    while !raw(port.addr, ask).await.contains("200 OK") {
        assert!(Instant::now() < deadline, "no connection was accepted again");
    }
}

#[tokio::test]
async fn a_shutdown_lets_requests_finish_and_accepts_no_more() {
    let port = plain();
    let idle = client().build().unwrap();
    idle.get(format!("http://{}/", port.addr)).send().await.unwrap();
    let slow = client().http2_prior_knowledge().build().unwrap();
    let slow = tokio::spawn(slow.get(format!("http://{}/until-stop", port.addr)).send());
    port.entered.notified().await;
    let begun = Instant::now();
    port.stop.cancel();
    port.served.await.unwrap();
    assert!(begun.elapsed() < LONG / 2, "an idle connection delayed the shutdown");
    assert_eq!(slow.await.unwrap().unwrap().text().await.unwrap(), "done");
    assert!(TcpStream::connect(port.addr).await.is_err());
}

#[tokio::test]
async fn a_shutdown_closes_connections_that_do_not_finish() {
    let port = serve(Guard::Local, None, Limits::default(), Duration::from_millis(100));
    let url = format!("http://{}/for-ever", port.addr);
    let stuck = tokio::spawn(client().build().unwrap().get(url).send());
    port.entered.notified().await;
    port.stop.cancel();
    tokio::time::timeout(LONG, port.served).await.unwrap().unwrap();
    assert!(stuck.await.unwrap().is_err());
}

/// Bounds that require clients to read quickly.
fn hasty() -> Bounds {
    Bounds { unread: Duration::from_millis(300), slowest: u64::MAX, ..Bounds::of_tests() }
}

async fn until_free(bounds: &Bounds) {
    let free = async {
        while bounds.responses.free() < 64 << 20 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, free).await.expect("the memory was not freed");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_response_is_disconnected() {
    for tls in [None, Some(test_only())] {
        let bounds = hasty();
        let encrypted = tls.is_some();
        let port = serve_within(Guard::Local, tls, Limits::default(), LONG, bounds.clone());
        let scheme = if encrypted { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}/large", port.addr.port());
        for client in [client().http1_only(), client().http2_prior_knowledge()] {
            let response = client.build().unwrap().get(&url).send().await.unwrap();
            assert_eq!(response.status(), 200);
            assert!(bounds.responses.free() < 64 << 20, "it is counted until it is read");
            until_free(&bounds).await;
            assert!(response.bytes().await.is_err(), "the connection was closed");
        }
    }
}

#[tokio::test]
async fn a_client_that_reads_gets_the_whole_response() {
    let bounds = Bounds::of_tests();
    let port = serve_within(Guard::Local, None, Limits::default(), LONG, bounds.clone());
    let url = format!("http://{}/large", port.addr);
    for client in [client().http1_only(), client().http2_prior_knowledge()] {
        let response = client.build().unwrap().get(&url).send().await.unwrap();
        assert_eq!(response.content_length(), Some(LARGE as u64));
        assert_eq!(response.bytes().await.unwrap().len(), LARGE);
        until_free(&bounds).await;
    }
}

#[tokio::test]
async fn the_bodies_of_requests_in_progress_are_bounded() {
    let bounds = Bounds { requests: Budget::new(1 << 20, "max_request_memory"), ..hasty() };
    let held = bounds.requests.reserve(1 << 20).await.unwrap();
    let port = serve_within(Guard::Local, None, Limits::default(), LONG, bounds);
    let ask = client().build().unwrap().post(format!("http://{}/echo", port.addr)).body("word");
    let refused = ask.try_clone().unwrap().send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.text().await.unwrap().contains("max_request_memory"));
    drop(held);
    assert_eq!(ask.send().await.unwrap().text().await.unwrap(), "word");
}
