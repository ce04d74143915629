//! Errors of the REST API: RFC 9457 problem details.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The prefix of every `type`.
const URN: &str = "urn:fastjob:problem:";

/// Why a request was rejected, as RFC 9457 problem details.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ProblemDetails {
    /// A URN that programs may rely on: see [`kind`](Self::kind).
    #[serde(rename = "type", default = "blank")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub type_uri: String,
    /// The kind of problem, for people.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub status: u16,
    /// What is wrong, and what to do.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub detail: String,
    /// Every invalid field, if fields are invalid.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub problems: Vec<InvalidField>,
    /// Members that a newer coordinator has added.
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

fn blank() -> String {
    "about:blank".to_owned()
}

/// One invalid field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct InvalidField {
    /// Its path, such as `retry.count`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub field: String,
    /// What is wrong with it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub message: String,
}

impl InvalidField {
    /// A field with what is wrong with it.
    pub fn new(field: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { field: field.into(), message: message.to_string() }
    }
}

impl ProblemDetails {
    /// The problem of this kind.
    pub fn new(kind: ProblemKind, detail: impl Into<String>, problems: Vec<InvalidField>) -> Self {
        let (status, name, title) = kind.words();
        Self {
            type_uri: format!("{URN}{name}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            problems,
            extensions: Map::new(),
        }
    }

    /// The kind of problem; `None` if a newer coordinator has added it.
    pub fn kind(&self) -> Option<ProblemKind> {
        let name = self.type_uri.strip_prefix(URN)?;
        ProblemKind::ALL.into_iter().find(|kind| kind.words().1 == name)
    }
}

impl fmt::Display for ProblemDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.detail.as_str(), self.title.as_str()) {
            ("", "") => write!(f, "the coordinator answered {}", self.status),
            ("", title) => f.write_str(title),
            (detail, _) => f.write_str(detail),
        }
    }
}

/// The kinds of problems, from their `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub enum ProblemKind {
    /// The request cannot be parsed.
    Unreadable,
    /// The token is missing.
    Unauthorized,
    /// The credential of a node is missing or rejected.
    NotANode,
    /// The token is wrong.
    WrongToken,
    /// The caller is not allowed to do this.
    Forbidden,
    /// No resource has this path.
    UnknownPath,
    /// The job, task or other resource does not exist.
    NotFound,
    /// The path does not support the method.
    WrongMethod,
    /// The body took too long to arrive.
    TooSlow,
    /// The request conflicts with the current state.
    Conflict,
    /// The name matches more than one job.
    AmbiguousName,
    /// The job is not at a version that the caller accepts. The member `revision` has the current
    /// revision, if the job exists.
    PreconditionFailed,
    /// The body is too long.
    TooLarge,
    /// The URI is too long.
    UriTooLong,
    /// The content type of the body is not JSON.
    WrongMediaType,
    /// The request can be parsed, but is not valid.
    Invalid,
    /// The limit on open tasks has been reached.
    OverQuota,
    /// A bug in the coordinator.
    Internal,
    /// The store failed.
    StoreFailed,
    /// Temporarily unavailable.
    Unavailable,
}

impl ProblemKind {
    /// Every kind of this release.
    pub const ALL: [Self; 20] = [
        Self::Unreadable,
        Self::Unauthorized,
        Self::NotANode,
        Self::WrongToken,
        Self::Forbidden,
        Self::UnknownPath,
        Self::NotFound,
        Self::WrongMethod,
        Self::TooSlow,
        Self::Conflict,
        Self::AmbiguousName,
        Self::PreconditionFailed,
        Self::TooLarge,
        Self::UriTooLong,
        Self::WrongMediaType,
        Self::Invalid,
        Self::OverQuota,
        Self::Internal,
        Self::StoreFailed,
        Self::Unavailable,
    ];

    /// The HTTP status, the end of the `type` and the title.
    pub const fn words(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Unreadable => (400, "unreadable", "Unreadable request"),
            Self::Unauthorized => (401, "unauthorized", "Token needed"),
            Self::NotANode => (401, "not-a-node", "For nodes only"),
            Self::WrongToken => (401, "wrong-token", "Wrong token"),
            Self::Forbidden => (403, "forbidden", "Not allowed"),
            Self::UnknownPath => (404, "unknown-path", "Unknown path"),
            Self::NotFound => (404, "not-found", "Not found"),
            Self::WrongMethod => (405, "wrong-method", "Method not allowed"),
            Self::TooSlow => (408, "too-slow", "Request too slow"),
            Self::Conflict => (409, "conflict", "Conflict"),
            Self::AmbiguousName => (409, "ambiguous-name", "Ambiguous name"),
            Self::PreconditionFailed => (412, "precondition-failed", "Changed meanwhile"),
            Self::TooLarge => (413, "too-large", "Body too long"),
            Self::UriTooLong => (414, "uri-too-long", "Address too long"),
            Self::WrongMediaType => (415, "wrong-media-type", "Wrong content type"),
            Self::Invalid => (422, "invalid", "Invalid request"),
            Self::OverQuota => (429, "over-quota", "Quota reached"),
            Self::Internal => (500, "internal", "Internal error"),
            Self::StoreFailed => (503, "store-failed", "The store failed"),
            Self::Unavailable => (503, "unavailable", "Unavailable"),
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.words().0
    }
}
