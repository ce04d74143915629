//! A local server that receives what channels send, and answers like the real services.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use fastjob_tests::eventually;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// A received request.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    /// Keys are in lower case.
    pub(super) headers: BTreeMap<String, String>,
    /// The JSON body; `null` if it is not JSON.
    pub(super) body: Value,
}

/// Keeps every request. A function computes the body of the response, whose status is 200.
pub(super) struct Hook {
    pub(super) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Hook {
    /// Listens and answers each request with 200 and no body.
    pub(super) async fn listen() -> Self {
        Self::answering(|_| String::new()).await
    }

    pub(super) async fn answering(
        answer: impl Fn(&Request) -> String + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let Some(request) = read(&mut stream).await else { continue };
                let body = answer(&request);
                kept.lock().unwrap().push(request);
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        Self { port, requests }
    }

    /// The requests so far.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The bodies of alarms of this kind, in the default format of webhooks.
    pub(super) fn of(&self, kind: &str) -> Vec<Value> {
        let bodies = self.requests().into_iter().map(|request| request.body);
        bodies.filter(|body| body["kind"] == kind).collect()
    }

    /// Waits for the first alarm of this kind.
    pub(super) async fn gets(&self, kind: &str) -> Value {
        eventually(&format!("alarm {kind} has arrived"), Duration::from_secs(20), || async {
            self.of(kind).first().cloned()
        })
        .await
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let url = reqwest::Url::parse(&format!("http://hook{target}")).ok()?;
    let mut request = Request {
        method,
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        ..Request::default()
    };
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        request.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; request.headers.get("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    request.body = serde_json::from_slice(&body).unwrap_or_default();
    Some(request)
}
