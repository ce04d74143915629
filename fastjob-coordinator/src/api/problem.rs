//! Error responses: RFC 9457 problem details.
//!
//! Every error of the REST interface has this form, and a `type` from a short list that programs
//! may rely on; the texts are for people. Internal errors are logged, not returned.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use fastjob_client::types::ProblemDetails;
pub(crate) use fastjob_client::types::{InvalidField as Field, ProblemKind as Kind};
use fastjob_core::error::chain;
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, RETRY_AFTER},
};

use crate::ops;

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    fields: Vec<Field>,
    /// The version of a job: its id and its revision.
    current: Option<(i64, i64)>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), fields: Vec::new(), current: None }
    }

    /// Lists every invalid field; the detail combines them.
    pub(crate) fn invalid(fields: Vec<Field>) -> Self {
        let all: Vec<_> = fields.iter().map(|f| format!("{}: {}", f.field, f.message)).collect();
        Self { kind: Kind::Invalid, detail: all.join("; "), fields, current: None }
    }

    /// The same about fields of this field.
    pub(super) fn within(self, field: &str) -> Self {
        let fields = self.fields.into_iter();
        let within = |it: Field| Field { field: format!("{field}.{}", it.field), ..it };
        Self::invalid(fields.map(within).collect())
    }

    /// The detail, for people.
    #[cfg(test)]
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The kind of problem.
    #[cfg(test)]
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// As clients read it.
    pub(crate) fn details(self) -> ProblemDetails {
        let mut details = ProblemDetails::new(self.kind, self.detail, self.fields);
        if let Some((_, revision)) = self.current {
            details.extensions.insert("revision".to_owned(), revision.into());
        }
        details
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (kind, status, current) = (self.kind, self.status(), self.current);
        let mut response = (status, Json(self.details())).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(tag) = current.and_then(|at| HeaderValue::try_from(ops::tag(at)).ok()) {
            headers.insert(ETAG, tag);
        }
        if matches!(kind, Kind::StoreFailed | Kind::Unavailable | Kind::OverQuota) {
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
            ops::Error::Stale { .. } => Kind::PreconditionFailed,
            ops::Error::Invalid { .. } => Kind::Invalid,
            ops::Error::OverQuota(_) => Kind::OverQuota,
            ops::Error::Unavailable(_) | ops::Error::Moved => Kind::Unavailable,
            ops::Error::Store(cause) => return store_failed(cause),
        };
        let detail = err.to_string();
        let current = match &err {
            ops::Error::Stale { current, .. } => *current,
            ops::Error::NotFound(_)
            | ops::Error::Ambiguous { .. }
            | ops::Error::Conflict(_)
            | ops::Error::Invalid { .. }
            | ops::Error::OverQuota(_)
            | ops::Error::Unavailable(_)
            | ops::Error::Moved
            | ops::Error::Store(_) => None,
        };
        let fields = match err {
            ops::Error::Invalid { problems, .. } => {
                problems.into_iter().map(|p| Field::new(p.field, p.message)).collect()
            }
            ops::Error::NotFound(_)
            | ops::Error::Ambiguous { .. }
            | ops::Error::Conflict(_)
            | ops::Error::Stale { .. }
            | ops::Error::OverQuota(_)
            | ops::Error::Unavailable(_)
            | ops::Error::Moved
            | ops::Error::Store(_) => Vec::new(),
        };
        Self { kind, detail, fields, current }
    }
}

/// Logs the store's error; the caller only learns that the store failed.
fn store_failed(cause: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error = chain(cause), "request failed: store error");
    Problem::new(
        Kind::StoreFailed,
        "the store failed, so the result of this request is unknown; see the coordinator's log",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(problem: &Problem) -> serde_json::Value {
        serde_json::to_value(problem.clone().details()).unwrap()
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
    fn errors_of_ops_have_a_status() {
        #[track_caller]
        fn check(err: ops::Error, status: u16, detail: &str) {
            let problem = Problem::from(err);
            assert_eq!(problem.kind.status(), status);
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
    fn an_error_of_the_store_is_not_returned() {
        let problem = store_failed(&std::io::Error::other("password of the database"));
        assert!(!json(&problem).to_string().contains("password"));
        let response = problem.into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }
}
