//! Connections that do not authenticate.

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn guarded(limits: Limits, tls: Option<Tls>) -> Served {
    serve(Guard::from(Some(Token::new(SECRET).unwrap())), tls, limits, LONG)
}

fn hasty() -> Limits {
    Limits { authenticate: Duration::from_millis(500), ..Limits::default() }
}

/// Sends a request, given as its first lines, on a connection that stays open.
async fn ask(stream: &mut TcpStream, lines: &str) -> String {
    stream.write_all(format!("{lines}\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(LONG, stream.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

async fn connect(port: &Served) -> TcpStream {
    TcpStream::connect(port.addr).await.unwrap()
}

/// Whether the other side has closed the connection, on which nothing else is sent.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut [0; 1024])).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

async fn until_closed(mut stream: TcpStream) {
    let closed = async { while matches!(stream.read(&mut [0; 1024]).await, Ok(1..)) {} };
    tokio::time::timeout(LONG, closed).await.expect("the port did not close it");
}

#[tokio::test]
async fn nothing_but_a_token_extends_the_deadline() {
    let port = guarded(hasty(), None);
    // One sends nothing, one sends an HTTP/2 preface, one requests the health, and one the console.
    let quiet = connect(&port).await;
    let mut preface = connect(&port).await;
    preface.write_all(PREFACE).await.unwrap();
    let mut health = connect(&port).await;
    ask(&mut health, "GET /healthz HTTP/1.1").await;
    let mut page = connect(&port).await;
    assert!(ask(&mut page, "GET / HTTP/1.1").await.starts_with("HTTP/1.1 200"));
    let mut refused = connect(&port).await;
    assert!(ask(&mut refused, "GET /echo HTTP/1.1").await.starts_with("HTTP/1.1 401"));
    let mut honest = connect(&port).await;
    let line = format!("GET / HTTP/1.1\r\nAuthorization: Bearer {SECRET}");
    assert!(ask(&mut honest, &line).await.starts_with("HTTP/1.1 200"));
    // One sends a byte from time to time.
    let mut trickle = connect(&port).await;
    let begun = Instant::now();
    trickle.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    while trickle.write_all(b"y").await.is_ok() {
        assert!(begun.elapsed() < LONG, "the port did not close it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for stream in [quiet, preface, health, page, refused] {
        until_closed(stream).await;
    }
    assert!(!is_closed(&mut honest).await);
    assert!(ask(&mut honest, "GET /healthz HTTP/1.1").await.starts_with("HTTP/1.1"));
}

#[tokio::test]
async fn an_http_2_connection_without_a_token_is_closed_and_one_with_it_stays() {
    let port = guarded(hasty(), None);
    let url = format!("http://{}/", port.addr);
    let client = client().http2_prior_knowledge().build().unwrap();
    assert_eq!(client.get(&url).bearer_auth(SECRET).send().await.unwrap().status(), 200);
    let mut stranger = connect(&port).await;
    stranger.write_all(PREFACE).await.unwrap();
    until_closed(stranger).await;
    // The same connection as before: a second one would not be authenticated without the token.
    let other = client.get(format!("{url}echo"));
    assert_eq!(other.send().await.unwrap().status(), 401);
    assert_eq!(client.get(&url).bearer_auth(SECRET).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_tls_handshake_counts_against_the_deadline() {
    let port = guarded(hasty(), Some(test_only()));
    let begun = Instant::now();
    let mut half = connect(&port).await;
    half.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await.unwrap();
    until_closed(half).await;
    assert!(begun.elapsed() >= Duration::from_millis(400));
}

#[tokio::test]
async fn a_request_in_progress_at_the_deadline_is_answered() {
    let limits = Limits { authenticate: Duration::from_millis(300), ..Limits::default() };
    let port = guarded(limits, None);
    let url = format!("http://{}/until-stop", port.addr);
    let slow = tokio::spawn(client().build().unwrap().get(url).bearer_auth(SECRET).send());
    port.entered.notified().await;
    tokio::time::sleep(Duration::from_secs(2)).await; // beyond the deadline
    port.stop.cancel();
    assert_eq!(slow.await.unwrap().unwrap().text().await.unwrap(), "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_unauthenticated_connections_do_not_affect_clients() {
    let limits =
        Limits { unauthenticated: 100, unauthenticated_per_address: 100, ..Limits::default() };
    let port = guarded(limits, None);
    let line = format!("GET / HTTP/1.1\r\nAuthorization: Bearer {SECRET}");
    let mut early = connect(&port).await;
    assert!(ask(&mut early, &line).await.starts_with("HTTP/1.1 200"));
    let mut strangers = Vec::new();
    for _ in 0..10 {
        for _ in 0..50 {
            strangers.push(connect(&port).await);
        }
        let mut late = connect(&port).await;
        assert!(ask(&mut late, &line).await.starts_with("HTTP/1.1 200"));
    }
    assert!(ask(&mut early, &line).await.starts_with("HTTP/1.1 200"));
    let mut closed = 0;
    for stranger in &mut strangers[..400] {
        closed += usize::from(is_closed(stranger).await);
    }
    assert_eq!(closed, 400, "the oldest were closed");
}

#[tokio::test]
async fn without_a_token_a_local_call_authenticates() {
    let port = serve(Guard::Local, None, hasty(), LONG);
    let mut honest = connect(&port).await;
    assert!(ask(&mut honest, "GET / HTTP/1.1").await.starts_with("HTTP/1.1 200"));
    until_closed(connect(&port).await).await;
    assert!(!is_closed(&mut honest).await);
}

#[tokio::test]
async fn the_start_of_a_handshake_needs_no_token_and_is_bounded() {
    let port = guarded(Limits::default(), None);
    let ask = async |head: &str| {
        let mut stream = connect(&port).await;
        let line = format!("{head}\r\nContent-Type: application/grpc");
        ask(&mut stream, &line).await
    };
    // Large requests, other methods and other calls are rejected as usual.
    let path = "/fastjob.v1.Handshake/Begin";
    for head in [
        format!("POST {path} HTTP/1.1\r\nContent-Length: 4194304"),
        format!("POST {path} HTTP/1.1\r\nContent-Length: many"),
        format!("PUT {path} HTTP/1.1"),
        "POST /fastjob.v1.Handshake/Prove HTTP/1.1".to_owned(),
    ] {
        let said = ask(&head).await;
        assert!(!said.contains("unimplemented") && !said.contains("grpc-status: 12"), "{said}");
    }
    let mut rest = connect(&port).await;
    let said = super::strangers::ask(&mut rest, &format!("POST {path} HTTP/1.1")).await;
    assert!(said.starts_with("HTTP/1.1 401"), "{said}");
    // This port does not have the service, and says so without a token.
    let said = ask(&format!("POST {path} HTTP/1.1\r\nContent-Length: 5")).await;
    assert!(said.contains("grpc-status: 12"), "{said}");
}

#[tokio::test]
async fn unauthenticated_connections_do_not_delay_a_shutdown() {
    let port =
        guarded(Limits { authenticate: Duration::from_secs(600), ..Limits::default() }, None);
    let _quiet = connect(&port).await;
    let mut preface = connect(&port).await;
    preface.write_all(PREFACE).await.unwrap();
    let mut half = connect(&port).await;
    half.write_all(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n").await.unwrap();
    // All connections are served: this one came last.
    let mut refused = connect(&port).await;
    assert!(ask(&mut refused, "GET /echo HTTP/1.1").await.starts_with("HTTP/1.1 401"));
    port.stop.cancel();
    let ended = tokio::time::timeout(LONG / 2, port.served).await;
    ended.expect("an unauthenticated connection delayed the shutdown").unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected_during_a_shutdown_too() {
    let bounds = super::hasty();
    let port = serve_within(Guard::Local, None, Limits::default(), LONG, bounds.clone());
    let url = format!("http://{}/large", port.addr);
    let unread = client().build().unwrap().get(&url).send().await.unwrap();
    port.stop.cancel();
    until_free(&bounds).await;
    tokio::time::timeout(LONG / 2, port.served).await.expect("it was not closed").unwrap();
    assert!(unread.bytes().await.is_err());
}
