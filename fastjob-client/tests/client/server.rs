//! A server that answers as a test wants, and records the requests.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What a request gets.
#[derive(Clone)]
pub(crate) enum Reply {
    /// A status and a body.
    Answer(u16, String),
    /// A status, further header lines, and a body.
    With(u16, &'static str, String),
    /// The connection is closed without an answer.
    Cut,
    /// Bytes, then the connection is closed.
    Raw(&'static [u8]),
    /// No answer, and the connection stays open.
    Silence,
}

impl Reply {
    pub(crate) fn json(body: &Value) -> Self {
        Self::Answer(200, body.to_string())
    }

    pub(crate) fn problem(status: u16, kind: &str, detail: &str) -> Self {
        let body = serde_json::json!({
            "type": format!("urn:fastjob:problem:{kind}"), "title": "No", "status": status,
            "detail": detail, "problems": [],
        });
        Self::Answer(status, body.to_string())
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Server {
    /// Answers in this order, then with the last reply again.
    pub(crate) async fn replying(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Arc<Mutex<VecDeque<Reply>>> =
            Arc::new(Mutex::new(replies.into_iter().collect()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&asked);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&replies), Arc::clone(&record)));
            }
        });
        Self { url, asked, serving }
    }

    /// The requests so far: method, path and query, token, body.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let Some(request) = read(&mut stream).await else { return };
    asked.lock().unwrap().push(request);
    let reply = {
        let mut replies = replies.lock().unwrap();
        match replies.len() {
            1 => replies[0].clone(),
            _ => replies.pop_front().unwrap(),
        }
    };
    let bytes = match reply {
        Reply::Cut => return,
        Reply::Silence => std::future::pending().await,
        Reply::Raw(bytes) => bytes.to_vec(),
        Reply::Answer(status, body) => answer(status, "", &body),
        Reply::With(status, headers, body) => answer(status, headers, &body),
    };
    // The client may have gone.
    stream.write_all(&bytes).await.ok();
    stream.shutdown().await.ok();
}

fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_lowercase().starts_with(name));
            line.and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
        };
        if body.len() < header("content-length:").parse().unwrap_or(0) {
            continue;
        }
        let first = head.lines().next()?.trim_end_matches(" HTTP/1.1");
        let asked = [first, header("authorization:"), body];
        let asked: Vec<_> = asked.into_iter().filter(|part| !part.is_empty()).collect();
        return Some(asked.join(" "));
    }
}
