//! `httpJobHandler`: calls a URL; the answer's body is the task's result.
//!
//! What a retry may mend is retryable: no connection, no answer in time, 408, 429 and 5xx. What it
//! cannot mend fails the task at once: a param that makes no request, any other 4xx. Neither log
//! nor message has the URL's user and password, its query, or a header's value.

mod param;

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use fastjob_core::{JobContext, JobError, JobHandler, JobResult, duration};
use reqwest::{Client, ClientBuilder, StatusCode, Url, redirect};

use self::param::{Expect, Request};

const REDIRECTS_MAX: usize = 10;

/// Most bytes of an unwanted answer that its error message has.
const EXCERPT_MAX: usize = 500;

/// Calls URLs over one client, which is made at the first call.
#[derive(Default)]
pub(super) struct Http(OnceLock<Result<Caller, String>>);

#[async_trait::async_trait]
impl JobHandler for Http {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        let request = Request::read(ctx.param_text()).map_err(JobError::fatal)?;
        let caller = self.0.get_or_init(Caller::new).as_ref().map_err(JobError::fatal)?;
        tokio::select! {
            biased;
            () = ctx.stop_token().cancelled() => {
                Err(JobError::retryable("stopped before the answer was there"))
            }
            result = caller.run(ctx, request) => result,
        }
    }
}

struct Caller {
    client: Client,
    /// Why https cannot work here: a machine without root certificates can still call http.
    no_tls: Option<String>,
}

impl Caller {
    fn new() -> Result<Self, String> {
        // An error means that the service has installed a provider of its own: as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        match client().build() {
            Ok(client) => Ok(Self { client, no_tls: None }),
            Err(err) => {
                let no_tls = Some(chain(err));
                // Trusting nobody, it needs no certificates.
                let client = client().tls_certs_only([]).build().map_err(chain)?;
                Ok(Self { client, no_tls })
            }
        }
    }

    async fn run(&self, ctx: &JobContext, request: Request) -> JobResult {
        if let Some(why) = self.no_tls.as_ref().filter(|_| request.url.scheme() == "https") {
            return Err(JobError::fatal(format!("https does not work here: {why}")));
        }
        let what = format!("{} {}", request.method, show(&request.url));
        let (timeout, expect) = (request.timeout, request.expect.clone());
        let began = Instant::now();
        let answer = self.call(request).await.map_err(|err| failure(err, timeout));
        let took = began.elapsed().as_millis();
        match answer {
            Ok(answer) => {
                ctx.log(format_args!("{what}: {} in {took} ms", answer.status));
                if answer.cut {
                    let kept = answer.body.len();
                    ctx.log(format_args!("the answer is longer: its first {kept} bytes are kept"));
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

    async fn call(&self, request: Request) -> reqwest::Result<Answer> {
        let Request { url, method, headers, body, timeout, max_response, expect: _ } = request;
        let mut call = self.client.request(method, url).headers(headers).timeout(timeout);
        if let Some(body) = body {
            call = call.body(body);
        }
        let mut response = call.send().await?;
        let (status, mut bytes, mut cut) = (response.status(), Vec::new(), false);
        while let Some(piece) = response.chunk().await? {
            let room = max_response - bytes.len();
            bytes.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.len() > room {
                cut = true;
                break;
            }
        }
        let mut body = String::from_utf8(bytes)
            .unwrap_or_else(|err| String::from_utf8_lossy(err.as_bytes()).into_owned());
        if cut && body.ends_with(char::REPLACEMENT_CHARACTER) {
            body.pop(); // the half of a character that was cut
        }
        // Replaced bytes take more room than they had.
        body.truncate(body.floor_char_boundary(max_response));
        Ok(Answer { status, body, cut })
    }
}

struct Answer {
    status: StatusCode,
    body: String,
    cut: bool,
}

impl Answer {
    fn judge(self, what: &str, expect: &Expect) -> JobResult {
        let Self { status, body, .. } = self;
        if expect.has(status.as_u16()) {
            return Ok(body.into());
        }
        let mut message = format!("{what}: answered {status}");
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

fn client() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::limited(REDIRECTS_MAX))
        .user_agent(concat!("fastjob/", env!("CARGO_PKG_VERSION")))
}

fn failure(err: reqwest::Error, timeout: Duration) -> JobError {
    if err.is_timeout() {
        return JobError::retryable(format!("no answer within {}", duration::to_text(timeout)));
    }
    if err.is_redirect() || err.is_builder() {
        return JobError::fatal(chain(err));
    }
    JobError::retryable(chain(err))
}

/// The whole chain of causes, without the URL: that may have a secret in its query.
fn chain(err: reqwest::Error) -> String {
    JobError::from(err.without_url()).to_string()
}

/// The URL as logs and messages have it.
fn show(url: &Url) -> String {
    let mut shown = url.clone();
    // Fails only for URLs that have no host and so no user; those are not called.
    let _ = shown.set_username("").and_then(|()| shown.set_password(None));
    shown.set_fragment(None);
    shown.set_query(url.query().map(|_| "…"));
    shown.as_str().replace("?%E2%80%A6", "?…")
}

#[cfg(test)]
mod tests;
