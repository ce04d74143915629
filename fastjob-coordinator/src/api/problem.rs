//! What is answered when something was not done: RFC 9457 problem details.
//!
//! Every refusal of the REST interface has this one shape, and a `type` out of a short list that
//! programs may rely on; the words are for people. What failed inside is logged, not told.

use std::fmt;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;

use crate::ops;

/// Begins every `type`.
const URN: &str = "urn:fastjob:problem:";

/// What sort of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The request cannot be read at all.
    Unreadable,
    /// There is no token.
    Unauthorized,
    /// There is no credential of a node.
    NotANode,
    /// There is a token, and not the right one.
    WrongToken,
    /// Whoever asks may not.
    Forbidden,
    /// Nothing is served at this path.
    UnknownPath,
    /// There is no such job, task or other thing.
    NotFound,
    /// The path does not know the method.
    WrongMethod,
    /// The body took too long to arrive.
    TooSlow,
    /// It does not fit with what is there.
    Conflict,
    /// The name stands for more than one job.
    AmbiguousName,
    /// The body is too long.
    TooLarge,
    /// The address is too long.
    UriTooLong,
    /// The body is not JSON by its own account.
    WrongMediaType,
    /// It was understood, and is not right.
    Invalid,
    /// As many tasks are open as may be.
    OverQuota,
    /// A mistake in the coordinator.
    Internal,
    /// The store failed.
    StoreFailed,
    /// Not just now.
    Unavailable,
}

impl Kind {
    /// The status, the end of the `type` and the title.
    const fn words(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Unreadable => (StatusCode::BAD_REQUEST, "unreadable", "Unreadable request"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Token needed"),
            Self::NotANode => (StatusCode::UNAUTHORIZED, "not-a-node", "For nodes only"),
            Self::WrongToken => (StatusCode::UNAUTHORIZED, "wrong-token", "Wrong token"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Self::UnknownPath => (StatusCode::NOT_FOUND, "unknown-path", "Unknown path"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::WrongMethod => {
                (StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "Method not allowed")
            }
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow", "Request too slow"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "Conflict"),
            Self::AmbiguousName => (StatusCode::CONFLICT, "ambiguous-name", "Ambiguous name"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Body too long"),
            Self::UriTooLong => (StatusCode::URI_TOO_LONG, "uri-too-long", "Address too long"),
            Self::WrongMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong-media-type", "Wrong content type")
            }
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Invalid request"),
            Self::OverQuota => (StatusCode::TOO_MANY_REQUESTS, "over-quota", "Quota reached"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
            Self::StoreFailed => {
                (StatusCode::SERVICE_UNAVAILABLE, "store-failed", "The store failed")
            }
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
        }
    }

    const fn status(self) -> StatusCode {
        self.words().0
    }
}

/// One field that is not right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Field {
    field: String,
    message: String,
}

impl Field {
    pub(crate) fn new(field: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { field: field.into(), message: message.to_string() }
    }
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    fields: Vec<Field>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), fields: Vec::new() }
    }

    /// Names every field that is not right; the detail is their sum.
    pub(crate) fn invalid(fields: Vec<Field>) -> Self {
        let all: Vec<_> = fields.iter().map(|f| format!("{}: {}", f.field, f.message)).collect();
        Self { kind: Kind::Invalid, detail: all.join("; "), fields }
    }

    /// In words.
    #[cfg(test)]
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The sort of problem.
    #[cfg(test)]
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The JSON of this problem.
    pub(crate) fn written(&self) -> impl Serialize {
        #[derive(Serialize)]
        struct Written<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            detail: &'a str,
            problems: &'a [Field],
        }
        let (status, name, title) = self.kind.words();
        Written {
            r#type: format!("{URN}{name}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            problems: &self.fields,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.kind.status(), Json(self.written())).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(self.kind, Kind::StoreFailed | Kind::Unavailable | Kind::OverQuota) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<ops::Error> for Problem {
    fn from(err: ops::Error) -> Self {
        let kind = match &err {
            ops::Error::NotFound(_) => Kind::NotFound,
            ops::Error::Ambiguous { .. } => Kind::AmbiguousName,
            ops::Error::Conflict(_) => Kind::Conflict,
            ops::Error::Invalid { .. } => Kind::Invalid,
            ops::Error::OverQuota(_) => Kind::OverQuota,
            ops::Error::Unavailable(_) | ops::Error::Moved => Kind::Unavailable,
            ops::Error::Store(cause) => return store_failed(cause),
        };
        let detail = err.to_string();
        let fields = match err {
            ops::Error::Invalid { problems, .. } => {
                problems.into_iter().map(|p| Field::new(p.field, p.message)).collect()
            }
            ops::Error::NotFound(_)
            | ops::Error::Ambiguous { .. }
            | ops::Error::Conflict(_)
            | ops::Error::OverQuota(_)
            | ops::Error::Unavailable(_)
            | ops::Error::Moved
            | ops::Error::Store(_) => Vec::new(),
        };
        Self { kind, detail, fields }
    }
}

/// Says in the log what happened to the store, and to the caller only that it did.
fn store_failed(cause: &dyn std::error::Error) -> Problem {
    tracing::error!(error = %Chain(cause), "a request failed because the store did");
    Problem::new(
        Kind::StoreFailed,
        "the store failed, so it is not known whether this was done; the coordinator's log says why",
    )
}

/// An error with its causes, those that say something new.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = self.0.to_string();
        let mut next = self.0.source();
        while let Some(cause) = next {
            let words = cause.to_string();
            if !told.contains(&words) {
                told = format!("{told}: {words}");
            }
            next = cause.source();
        }
        f.write_str(&told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(problem: &Problem) -> serde_json::Value {
        serde_json::to_value(problem.written()).unwrap()
    }

    #[test]
    fn a_problem_has_the_shape_of_rfc_9457() {
        let problem = Problem::invalid(vec![Field::new("name", "is empty"), Field::new("a", 1)]);
        assert_eq!(
            json(&problem),
            serde_json::json!({
                "type": "urn:fastjob:problem:invalid", "title": "Invalid request", "status": 422,
                "detail": "name: is empty; a: 1",
                "problems": [
                    {"field": "name", "message": "is empty"}, {"field": "a", "message": "1"}
                ],
            })
        );
        let response = problem.into_response();
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn what_ops_refuse_has_a_status() {
        #[track_caller]
        fn check(err: ops::Error, status: u16, detail: &str) {
            let problem = Problem::from(err);
            assert_eq!(problem.kind.status().as_u16(), status);
            assert_eq!(problem.detail, detail);
        }
        check(ops::Error::NotFound("no job is named `a`".into()), 404, "no job is named `a`");
        check(ops::Error::Conflict("job `a` exists".into()), 409, "job `a` exists");
        check(ops::Error::Unavailable("not yet".into()), 503, "not yet");
        check(ops::Error::OverQuota("too many".into()), 429, "too many");
        let choices = vec!["x.a".to_owned(), "y.a".to_owned()];
        let problem = Problem::from(ops::Error::Ambiguous { name: "a".into(), choices });
        assert_eq!(problem.kind, Kind::AmbiguousName);
        assert!(problem.detail.contains("x.a or y.a"));
        let field = fastjob_core::job::Problem { field: "cron".into(), message: "no".into() };
        let err = ops::Error::Invalid { message: "cron: no".into(), problems: vec![field] };
        assert_eq!(Problem::from(err), Problem::invalid(vec![Field::new("cron", "no")]));
    }

    #[test]
    fn what_failed_in_the_store_is_not_told() {
        let problem = store_failed(&std::io::Error::other("password of the database"));
        assert!(!json(&problem).to_string().contains("password"));
        let response = problem.into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }
}
