//! What happens, as a stream of events.

use std::time::Duration;

use reqwest::{Response, header};
use serde::de::DeserializeOwned;

use super::{Client, ServerUrl, client::Server, failure};
use crate::{
    ClientError,
    types::{Changed, Counts, TaskView},
};

/// A coordinator sends something at least every 15 s.
const SILENCE: Duration = Duration::from_secs(50);
/// Longer than any stream: the timeout of a call is not that of a stream.
const ENDLESS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// The longest event.
const EVENT_MAX: usize = 4 * 1024 * 1024;

/// What to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsQuery {
    /// The tasks whose changes are events, at most 100.
    pub tasks: Vec<i64>,
    /// Only the open tasks of this service are counted.
    pub service: Option<String>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PageEvent {
    /// What is counted; the first event.
    Counts(Counts),
    /// Lists are outdated.
    Changed(Changed),
    /// One of the tasks has another state, progress, or reason to wait. It has no param and no
    /// result.
    Task(Box<TaskView>),
}

/// A stream of events.
#[derive(Debug)]
pub struct Events {
    response: Response,
    server: ServerUrl,
    /// What has arrived and is not an event yet.
    bytes: Vec<u8>,
    has_ended: bool,
}

impl Client {
    /// Watches what happens. Nothing is lost if the stream ends and is opened again: the first events
    /// say everything.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if no coordinator answers, or if it rejects the query.
    pub async fn events(&self, query: &EventsQuery) -> Result<Events, ClientError> {
        let shared = self.shared();
        let (all, first) = (shared.servers.len(), shared.current());
        let mut failure = None;
        for at in (first..all).chain(0..first) {
            match self.open(query, &shared.servers[at]).await {
                Ok(events) => {
                    shared.remember(at);
                    return Ok(events);
                }
                Err(error) if error.is_transient() => failure = failure.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or_else(|| ClientError::Timeout {
            server: self.server().to_string(),
            waited: shared.timeout,
        }))
    }

    async fn open(&self, query: &EventsQuery, server: &Server) -> Result<Events, ClientError> {
        let (shared, url) = (self.shared(), &server.url);
        let mut parts = Vec::new();
        if !query.tasks.is_empty() {
            let tasks: Vec<_> = query.tasks.iter().map(ToString::to_string).collect();
            parts.push(("tasks", tasks.join(",")));
        }
        if let Some(service) = &query.service {
            parts.push(("service", service.clone()));
        }
        let mut request = server
            .http
            .get(url.join(&["api", "v1", "events"]))
            .query(&parts)
            .header(header::ACCEPT, "text/event-stream")
            .timeout(ENDLESS);
        if let Some(token) = &shared.token {
            request = request.bearer_auth(token.expose());
        }
        let timeout = || ClientError::Timeout { server: url.to_string(), waited: shared.timeout };
        let sent = tokio::time::timeout(shared.timeout, request.send());
        let response = sent.await.map_err(|_| timeout())?;
        let response = response.map_err(|err| failure::unanswered(err, url, shared))?;
        let status = response.status();
        if !status.is_success() {
            let body = tokio::time::timeout(shared.timeout, response.text());
            let body = body.await.map_err(|_| timeout())?;
            let body = body.map_err(|err| failure::unanswered(err, url, shared))?;
            return Err(failure::refused(status, &body, url));
        }
        let server = url.clone();
        Ok(Events { response, server, bytes: Vec::new(), has_ended: false })
    }
}

impl Events {
    /// The next event; `None` if the coordinator stops.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if the connection is lost, or if what arrives cannot be read.
    pub async fn next(&mut self) -> Result<Option<PageEvent>, ClientError> {
        loop {
            if self.has_ended {
                return Ok(None);
            }
            let Some(end) = self.bytes.windows(2).position(|pair| pair == b"\n\n") else {
                self.read_more().await?;
                continue;
            };
            let block: Vec<u8> = self.bytes.drain(..end + 2).collect();
            let block = String::from_utf8_lossy(&block);
            let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
            let data = field("data:").unwrap_or_default().trim_start();
            let event = match field("event:").map(str::trim) {
                Some("counts") => PageEvent::Counts(self.read(data)?),
                Some("changed") => PageEvent::Changed(self.read(data)?),
                Some("task") => PageEvent::Task(Box::new(self.read(data)?)),
                Some("bye") => {
                    self.has_ended = true;
                    continue;
                }
                // A comment, or an event of a newer coordinator.
                Some(_) | None => continue,
            };
            return Ok(Some(event));
        }
    }

    async fn read_more(&mut self) -> Result<(), ClientError> {
        let server = || self.server.to_string();
        let piece = tokio::time::timeout(SILENCE, self.response.chunk()).await;
        let piece =
            piece.map_err(|_| ClientError::Timeout { server: server(), waited: SILENCE })?;
        let interrupted =
            |reason: String, source| ClientError::Interrupted { server: server(), reason, source };
        match piece {
            Ok(Some(piece)) if self.bytes.len() + piece.len() <= EVENT_MAX => {
                self.bytes.extend_from_slice(&piece);
                Ok(())
            }
            Ok(Some(_)) => {
                let reason = format!("an event has more than {EVENT_MAX} bytes");
                Err(interrupted(reason.clone(), reason.into()))
            }
            Ok(None) => {
                let reason = "the stream ended".to_owned();
                Err(interrupted(reason.clone(), reason.into()))
            }
            Err(err) => Err(interrupted(failure::root(&err), Box::new(err))),
        }
    }

    fn read<T: DeserializeOwned>(&self, data: &str) -> Result<T, ClientError> {
        let status = self.response.status();
        let not_read = |err| failure::not_fastjob(status, data, Some(err), &self.server);
        serde_json::from_str(data).map_err(not_read)
    }
}
