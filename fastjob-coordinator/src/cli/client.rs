//! The REST client of a coordinator.

use std::{io, time::Duration};

use reqwest::{Method, RequestBuilder, Response, StatusCode, header, redirect};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::error::{Error, Failure, chain};
use crate::config::{ClientConfig, ServerUrl, Token};

const CONNECT: Duration = Duration::from_secs(5);
const REQUEST: Duration = Duration::from_secs(30);
/// Items per request of a list: the maximum that a coordinator returns.
const PAGE: usize = 500;

const TRUST: &str = "if the coordinator's certificate comes from a private CA, set its certificate \
                     with --ca-cert or FASTJOB_CA_CERT";

/// A client of one coordinator.
pub(super) struct Client {
    http: reqwest::Client,
    server: ServerUrl,
    token: Option<Token>,
}

/// The response of a coordinator to a change.
pub(super) struct Answer {
    /// JSON, unchanged.
    pub(super) body: String,
    /// What saving did, if something was saved.
    pub(super) saved: Option<String>,
}

/// A list, up to the requested limit.
#[derive(Serialize)]
pub(super) struct Items {
    pub(super) items: Vec<Value>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

impl Answer {
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.body).map_err(|err| not_understood(&err))
    }
}

impl Items {
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<Vec<T>, Error> {
        let items = self.items.into_iter().map(serde_json::from_value);
        items.collect::<Result<_, _>>().map_err(|err| not_understood(&err))
    }
}

fn not_understood(err: &serde_json::Error) -> Error {
    Error::failed(format!(
        "the response is not valid ({err}): is this a coordinator, and of this release?"
    ))
}

impl Client {
    pub(super) fn new(config: &ClientConfig) -> Result<Self, Error> {
        config.token_is_safe().map_err(Error::failed)?;
        crate::crypto::choose();
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("fastjob/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(REQUEST);
        if config.server.is_plain() {
            // Also works on a machine without any certificates.
            http = http.tls_certs_only([]);
        } else if let Some(path) = &config.ca_cert {
            let unreadable = |why: String| {
                Error::failed(format!("could not read certificates in {}: {why}", path.display()))
            };
            let pem = std::fs::read(path).map_err(|err| unreadable(err.to_string()))?;
            let certs = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|err| unreadable(chain(&err)))?;
            if certs.is_empty() {
                return Err(unreadable("the file contains none".to_owned()));
            }
            http = http.tls_certs_merge(certs);
        }
        if config.server.is_loopback() {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|err| Failure {
            title: format!("could not set up TLS: {}", root(&err)),
            hints: vec![TRUST.to_owned()],
            ..Failure::default()
        })?;
        Ok(Self { http, server: config.server.clone(), token: config.token.clone() })
    }

    pub(super) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Answer, Error> {
        self.send(self.request(Method::GET, path).query(query)).await
    }

    pub(super) async fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Answer, Error> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub(super) async fn put(&self, path: &[&str], body: &impl Serialize) -> Result<Answer, Error> {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    pub(super) async fn delete(&self, path: &[&str]) -> Result<Answer, Error> {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// A list, page by page, up to `limit`.
    pub(super) async fn list(
        &self,
        path: &[&str],
        filter: &[(&str, String)],
        limit: Option<usize>,
    ) -> Result<Items, Error> {
        #[derive(serde::Deserialize)]
        struct Page {
            items: Vec<Value>,
            next_cursor: Option<String>,
        }
        let mut all = Items { items: Vec::new(), next_cursor: None };
        loop {
            let left = limit.map_or(PAGE, |limit| limit.saturating_sub(all.items.len()).min(PAGE));
            let mut query = filter.to_vec();
            query.push(("limit", left.to_string()));
            query.extend(all.next_cursor.take().map(|cursor| ("cursor", cursor)));
            let page: Page = self.get(path, &query).await?.read()?;
            let is_last = page.next_cursor.is_none() || page.items.is_empty();
            all.items.extend(page.items);
            all.next_cursor = page.next_cursor;
            if is_last || limit.is_some_and(|limit| all.items.len() >= limit) {
                return Ok(all);
            }
        }
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let path = [&["api", "v1"], path].concat();
        let request = self.http.request(method, self.server.join(&path));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
        .header(header::ACCEPT, "application/json")
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, Error> {
        let response = request.send().await.map_err(|err| self.unreachable(&err))?;
        let status = response.status();
        let saved = saved(&response);
        let body = response.text().await.map_err(|err| self.unreachable(&err))?;
        if status.is_success() {
            return Ok(Answer { body, saved });
        }
        Err(self.refused(status, &body))
    }

    fn refused(&self, status: StatusCode, body: &str) -> Error {
        let reason = status.canonical_reason().unwrap_or_default();
        let mut failure = Failure::from_answer(status.as_u16(), reason, body);
        if status.is_redirection() {
            failure
                .hints
                .push(format!("{} sent a redirect: redirects are not followed", self.server));
        }
        failure.into()
    }

    fn unreachable(&self, err: &reqwest::Error) -> Error {
        let (server, cause) = (&self.server, root(err));
        let mut failure = Failure { passing: true, ..Failure::default() };
        if is_refused(err) {
            failure.title = format!(
                "no coordinator is listening at {server}: is it running? start one with `fastjob \
                 serve`, or set its URL with --server or FASTJOB_SERVER"
            );
        } else if err.is_timeout() {
            let waited = if err.is_connect() { CONNECT } else { REQUEST };
            failure.title = format!("{server} did not respond within {} s", waited.as_secs());
        } else if cause.contains("certificate") {
            failure.title = format!("could not verify the certificate of {server}: {cause}");
            failure.hints.push(TRUST.to_owned());
            failure.passing = false;
        } else if err.is_connect() {
            failure.title = format!("could not connect to {server}: {cause}");
            failure
                .hints
                .push("set the URL of the coordinator with --server or FASTJOB_SERVER".to_owned());
            if cause.contains("InvalidContentType") {
                failure.hints.push(
                    "the server does not seem to use TLS: use http instead of https".to_owned(),
                );
            }
        } else {
            failure.title = format!("connection to {server} was interrupted: {cause}");
            // A TLS port answers plain text with an alert, which is not HTTP.
            if cause.contains("invalid HTTP version") {
                failure.hints.push(
                    "the server does not seem to use plain HTTP: use https instead of http"
                        .to_owned(),
                );
            }
        }
        failure.into()
    }
}

fn saved(response: &Response) -> Option<String> {
    let value = response.headers().get("fastjob-saved")?;
    value.to_str().ok().map(str::to_owned)
}

/// The innermost cause; the outer ones only say that a request was made.
fn root(err: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = err;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn is_refused(err: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(err);
    while let Some(err) = cause {
        if let Some(err) = err.downcast_ref::<io::Error>()
            && err.kind() == io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        cause = err.source();
    }
    false
}
