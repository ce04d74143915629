//! `httpJobHandler`: calls a URL. The response body is the task's result.
//!
//! The executor's owner lists the hosts that jobs may call; [`hosts`] checks them. Failures that a
//! retry may fix are retryable: no connection, a timeout, 408, 429 and 5xx. All others fail the
//! task at once: an invalid param, a host that is not listed, any other 4xx. Logs and messages
//! never contain the URL's user, password or query, or a header's value.

mod address;
mod dial;
mod hosts;
mod param;
mod redirect;

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use fastjob_core::{JobContext, JobError, JobHandler, JobResult, duration, error::causes};
use reqwest::{Client, ClientBuilder, StatusCode, Url};

pub(crate) use self::hosts::Hosts;
use self::{
    dial::{Dial, Lookup},
    hosts::Refused,
    param::{Expect, Request},
    redirect::{Hop, is_redirect},
};

/// Maximum bytes of an unexpected response that the error message quotes.
const EXCERPT_MAX: usize = 500;

/// Calls URLs with one client, which is created at the first call.
pub(super) struct Http {
    hosts: Arc<Hosts>,
    lookup: Lookup,
    caller: OnceLock<Result<Caller, String>>,
}

impl Http {
    pub(super) fn new(hosts: Hosts) -> Self {
        Self::looking_up(hosts, dial::system)
    }

    fn looking_up(hosts: Hosts, lookup: Lookup) -> Self {
        Self { hosts: Arc::new(hosts), lookup, caller: OnceLock::new() }
    }
}

impl JobHandler for Http {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        let request = Request::read(ctx.param_text()).map_err(JobError::fatal)?;
        let make = || Caller::new(Arc::clone(&self.hosts), self.lookup);
        let caller = self.caller.get_or_init(make).as_ref();
        let caller = caller.map_err(|why| JobError::fatal(why.as_str()))?;
        tokio::select! {
            biased;
            () = ctx.stop_token().cancelled() => {
                Err(JobError::retryable("stopped before the response arrived"))
            }
            result = caller.run(ctx, request) => result,
        }
    }
}

struct Caller {
    client: Client,
    hosts: Arc<Hosts>,
    /// Why https is unavailable. A machine without root certificates can still call http.
    no_tls: Option<String>,
}

impl Caller {
    fn new(hosts: Arc<Hosts>, lookup: Lookup) -> Result<Self, String> {
        // An error means that the service has installed its own provider, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = || client(Dial { hosts: Arc::clone(&hosts), lookup });
        let (client, no_tls) = match client().build() {
            Ok(client) => (client, None),
            Err(err) => {
                // Without trusted roots, it needs no certificates.
                let without = client().tls_certs_only([]).build().map_err(without_url)?;
                (without, Some(without_url(err)))
            }
        };
        Ok(Self { client, hosts, no_tls })
    }

    async fn run(&self, ctx: &JobContext, request: Request) -> JobResult {
        let what = format!("{} {}", request.method, show(&request.url));
        let (timeout, expect) = (request.timeout, request.expect.clone());
        let began = Instant::now();
        let late = |_| {
            let limit = duration::to_text(timeout);
            Err(JobError::retryable(format!("no response within {limit}")))
        };
        let calling = tokio::time::timeout(timeout, self.call(ctx, request));
        let answer = calling.await.unwrap_or_else(late);
        let took = began.elapsed().as_millis();
        match answer {
            Ok(answer) => {
                ctx.log(format_args!("{what}: {} in {took} ms", answer.status));
                if answer.cut {
                    let kept = answer.body.len();
                    ctx.log(format_args!(
                        "the response is longer: only its first {kept} bytes are kept"
                    ));
                }
                answer.judge(&what, &expect)
            }
            Err(err) => {
                ctx.log(format_args!("{what}: {err} after {took} ms"));
                let message = format!("{what}: {err}");
                Err(if err.is_retryable() {
                    JobError::retryable(message)
                } else {
                    JobError::fatal(message)
                })
            }
        }
    }

    async fn call(&self, ctx: &JobContext, request: Request) -> Result<Answer, JobError> {
        let Request { url, method, headers, body, max_response, redirects, expect, .. } = request;
        let mut hop = Hop { url, method, headers, body };
        let mut left = redirects;
        loop {
            let response = self.send(&hop).await?;
            let (status, headers) = (response.status(), response.headers());
            if redirects == 0 || expect.has(status.as_u16()) || !is_redirect(status, headers) {
                return Answer::read(response, max_response).await.map_err(failure);
            }
            if left == 0 {
                return Err(JobError::fatal(format!("it has more than {redirects} redirects")));
            }
            left -= 1;
            hop = hop.next(status, headers).map_err(JobError::fatal)?;
            ctx.log(format_args!("redirected to {}", show(&hop.url)));
        }
    }

    async fn send(&self, hop: &Hop) -> Result<reqwest::Response, JobError> {
        self.hosts.judge(&hop.url).map_err(JobError::fatal)?;
        if let Some(why) = self.no_tls.as_ref().filter(|_| hop.url.scheme() == "https") {
            return Err(JobError::fatal(format!("https does not work here: {why}")));
        }
        let mut call = self.client.request(hop.method.clone(), hop.url.clone());
        call = call.headers(hop.headers.clone());
        if let Some(body) = &hop.body {
            call = call.body(body.clone());
        }
        call.send().await.map_err(failure)
    }
}

struct Answer {
    status: StatusCode,
    body: String,
    cut: bool,
}

impl Answer {
    async fn read(mut response: reqwest::Response, max: usize) -> reqwest::Result<Self> {
        let (status, mut bytes, mut cut) = (response.status(), Vec::new(), false);
        while let Some(piece) = response.chunk().await? {
            let room = max - bytes.len();
            bytes.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.len() > room {
                cut = true;
                break;
            }
        }
        let mut body = String::from_utf8(bytes)
            .unwrap_or_else(|err| String::from_utf8_lossy(err.as_bytes()).into_owned());
        if cut && body.ends_with(char::REPLACEMENT_CHARACTER) {
            body.pop(); // an incomplete character at the cut
        }
        // The replacement characters may take more bytes than the original ones.
        body.truncate(body.floor_char_boundary(max));
        Ok(Self { status, body, cut })
    }

    fn judge(self, what: &str, expect: &Expect) -> JobResult {
        let Self { status, body, .. } = self;
        if expect.has(status.as_u16()) {
            return Ok(body.into());
        }
        let mut message = format!("{what}: answered {status}");
        if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            message.push_str("; set `redirects` in the param to follow redirects");
            return Err(JobError::fatal(message));
        }
        let body = body.trim();
        if !body.is_empty() {
            message.push_str(": ");
            message.push_str(&body[..body.floor_char_boundary(EXCERPT_MAX)]);
        }
        let may_pass =
            [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        Err(if status.is_client_error() && !may_pass {
            JobError::fatal(message)
        } else {
            JobError::retryable(message)
        })
    }
}

fn client(dial: Dial) -> ClientBuilder {
    Client::builder()
        .dns_resolver(dial)
        // Proxies from the environment would connect to addresses that are not checked here.
        .no_proxy()
        // Each hop is checked before it is requested.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .user_agent(concat!("fastjob/", env!("CARGO_PKG_VERSION")))
}

fn failure(err: reqwest::Error) -> JobError {
    let mut refused = causes(&err).filter_map(|cause| cause.downcast_ref::<Refused>());
    if let Some(refused) = refused.next() {
        return JobError::fatal(refused.to_string());
    }
    drop(refused);
    if err.is_builder() {
        JobError::fatal(without_url(err))
    } else {
        JobError::retryable(without_url(err))
    }
}

/// The whole error chain, without the URL, which may have a secret in its query.
fn without_url(err: reqwest::Error) -> String {
    fastjob_core::error::chain(&err.without_url())
}

/// The URL for logs and messages, without secrets.
fn show(url: &Url) -> String {
    let mut shown = url.clone();
    // Fails only for URLs without a host, which have no user and are never called.
    let _ = shown.set_username("").and_then(|()| shown.set_password(None));
    shown.set_fragment(None);
    shown.set_query(url.query().map(|_| "…"));
    shown.as_str().replace("?%E2%80%A6", "?…")
}

#[cfg(test)]
mod tests;
