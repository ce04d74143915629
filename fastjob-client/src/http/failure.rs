//! Calls that were not answered, or not as a coordinator answers.

use std::error::Error;

use fastjob_core::error::causes;
use reqwest::StatusCode;
use serde_json::Value;

use super::{ServerUrl, client::Shared};
use crate::{ClientError, types::ProblemDetails};

/// Most characters of an answer that an error shows.
const EXCERPT: usize = 200;

/// The innermost cause; the outer ones only say that a request was made.
pub(super) fn root(err: &(dyn Error + 'static)) -> String {
    causes(err).last().unwrap_or(err).to_string()
}

/// The error of a call without an answer.
pub(super) fn unanswered(err: reqwest::Error, server: &ServerUrl, client: &Shared) -> ClientError {
    let (server, reason) = (server.to_string(), root(&err));
    let (is_timeout, is_connect) = (err.is_timeout(), err.is_connect());
    let source = Box::new(err);
    if is_timeout {
        let waited = if is_connect { client.connect_timeout } else { client.timeout };
        ClientError::Timeout { server, waited }
    } else if reason.contains("certificate") {
        ClientError::Untrusted { server, reason, source }
    } else if is_connect {
        ClientError::Unreachable { server, reason, source }
    } else {
        ClientError::Interrupted { server, reason, source }
    }
}

/// The error of an answer whose status is not that of a success.
pub(super) fn refused(status: StatusCode, body: &str, server: &ServerUrl) -> ClientError {
    let problem = Some(body).filter(|_| !status.is_redirection()).and_then(problem);
    match problem {
        Some(problem) => {
            ClientError::of_problem(ProblemDetails { status: status.as_u16(), ..problem })
        }
        None => not_fastjob(status, body, None, server),
    }
}

pub(super) fn not_fastjob(
    status: StatusCode,
    body: &str,
    source: Option<serde_json::Error>,
    server: &ServerUrl,
) -> ClientError {
    let answer = body.lines().next().unwrap_or_default().chars().take(EXCERPT).collect();
    ClientError::NotFastJob { server: server.to_string(), status: status.as_u16(), answer, source }
}

/// Problem details: a JSON object that says what is wrong. The media type does not matter, because
/// a proxy may have changed it.
fn problem(body: &str) -> Option<ProblemDetails> {
    let value: Value = serde_json::from_str(body).ok()?;
    let has_text = |key: &str| value.get(key).is_some_and(Value::is_string);
    if !has_text("detail") && !has_text("title") {
        return None;
    }
    serde_json::from_value(value).ok()
}
