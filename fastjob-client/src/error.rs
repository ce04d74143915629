//! Why a call failed.

use std::{error::Error, io, time::Duration};

use fastjob_core::error::causes;

use crate::types::{ProblemDetails, ProblemKind};

/// The cause of an error.
type Cause = Box<dyn Error + Send + Sync>;

/// Why a call failed, or a client could not be created.
///
/// A call that failed with [`Timeout`](Self::Timeout), [`Interrupted`](Self::Interrupted) or
/// [`Unavailable`](Self::Unavailable) may have had an effect, and so may one that a proxy answered
/// with 502 to 504: see [`may_have_had_effect`](Self::may_have_had_effect). Give a start a
/// [key](crate::Start::key), so that it can be repeated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// A setting of the client cannot be used.
    #[error("{name}: {message}")]
    Setting {
        /// The setting, or its variable.
        name: &'static str,
        /// What is wrong with it, and what to do.
        message: String,
    },
    /// The token would be sent in plain text to another machine.
    #[error(
        "the token would be sent in plain text to {server}: use https, or allow it with \
         `insecure_plaintext` if the connection is protected otherwise"
    )]
    InsecureTransport {
        /// The address.
        server: String,
    },
    /// The machine has no certificates that TLS could trust, or they cannot be read.
    #[error(
        "could not set up TLS: {reason}; the certificate of a private CA is set with `ca_cert`"
    )]
    Tls {
        /// What is wrong.
        reason: String,
        /// The cause.
        #[source]
        source: Cause,
    },
    /// What would be sent cannot be written as JSON. Nothing was sent.
    #[error("the {what} cannot be written as JSON")]
    Unserializable {
        /// The param, the job and so on.
        what: &'static str,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// No job or channel can have this name. Nothing was sent.
    #[error("`{name}` cannot be the name of a job or a channel")]
    InvalidName {
        /// The name.
        name: String,
    },
    /// There was no connection, so nothing was done.
    #[error(
        "could not connect to {server}: {reason}; check that a coordinator runs there and that the \
         address is right{}",
        tls_hint(reason)
    )]
    Unreachable {
        /// The address.
        server: String,
        /// What failed.
        reason: String,
        /// The cause.
        #[source]
        source: Cause,
    },
    /// The server's certificate is not trusted, so nothing was sent.
    #[error(
        "could not verify the certificate of {server}: {reason}; if it comes from a private CA, set \
         that CA's certificate with `ca_cert`"
    )]
    Untrusted {
        /// The address.
        server: String,
        /// What is wrong with the certificate.
        reason: String,
        /// The cause.
        #[source]
        source: Cause,
    },
    /// There was no answer in time. The call may have had an effect.
    #[error(
        "{server} did not answer within {waited:?}: try again later, or set a longer timeout; the \
         call may have had an effect"
    )]
    Timeout {
        /// The address.
        server: String,
        /// How long the client waited.
        waited: Duration,
    },
    /// The connection ended before the answer. The call may have had an effect.
    #[error(
        "the connection to {server} was interrupted: {reason}; the call may have had an effect{}",
        plain_hint(reason)
    )]
    Interrupted {
        /// The address.
        server: String,
        /// What failed.
        reason: String,
        /// The cause.
        #[source]
        source: Cause,
    },
    /// The answer does not come from a coordinator, or from one that this client does not understand.
    /// Redirects are not followed, because the token would be sent to another server.
    #[error(
        "{server} answered {status}{}: this is not the answer of a coordinator; check the address, \
         and that no proxy answers in its place",
        excerpt(answer)
    )]
    NotFastJob {
        /// The address.
        server: String,
        /// The HTTP status.
        status: u16,
        /// The first line of the answer.
        answer: String,
        /// Why the answer cannot be read, if its status is that of a success.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// The token is missing, wrong, or does not allow the call.
    #[error("{0}: set the token of the coordinator, FASTJOB_TOKEN")]
    Unauthorized(Box<ProblemDetails>),
    /// The job, the task or another thing does not exist.
    #[error("{0}")]
    NotFound(Box<ProblemDetails>),
    /// The call conflicts with the current state, or a job's name is ambiguous.
    #[error("{0}")]
    Conflict(Box<ProblemDetails>),
    /// The job was changed since it was read, so this change was not made: see
    /// [`JobHandle::only_if`](crate::JobHandle::only_if). Nothing was done.
    #[error("{0}")]
    Changed(Box<ProblemDetails>),
    /// The request is not valid: [`ProblemDetails::problems`] lists every invalid field.
    #[error("{0}")]
    Invalid(Box<ProblemDetails>),
    /// A limit of the coordinator is reached. Nothing was done; try again later.
    #[error("{0}")]
    OverQuota(Box<ProblemDetails>),
    /// The coordinator is temporarily unavailable: either nothing was done, or the result is unknown.
    #[error("{0}")]
    Unavailable(Box<ProblemDetails>),
    /// The coordinator rejected the call for another reason.
    #[error("{0}")]
    Problem(Box<ProblemDetails>),
    /// The task did not end while the caller waited; it continues.
    #[error("task {task} has not ended after {waited:?}; it continues")]
    NotEnded {
        /// The task.
        task: i64,
        /// How long the caller waited.
        waited: Duration,
    },
    /// The embedded coordinator has stopped. A call that was in progress may have had an effect.
    #[error(
        "the embedded coordinator has stopped: handles can be used only while `Coordinator::run` runs"
    )]
    Stopped,
}

impl ClientError {
    /// The error of a problem that the coordinator reported.
    pub fn of_problem(problem: ProblemDetails) -> Self {
        let variant = match problem.kind() {
            Some(ProblemKind::NotFound) => Self::NotFound,
            Some(ProblemKind::Invalid) => Self::Invalid,
            Some(_) | None => match problem.status {
                401 | 403 => Self::Unauthorized,
                409 => Self::Conflict,
                412 => Self::Changed,
                429 => Self::OverQuota,
                502..=504 => Self::Unavailable,
                _ => Self::Problem,
            },
        };
        variant(Box::new(problem))
    }

    /// The problem that the coordinator reported, if it did.
    pub fn problem(&self) -> Option<&ProblemDetails> {
        match self {
            Self::Unauthorized(problem)
            | Self::NotFound(problem)
            | Self::Conflict(problem)
            | Self::Changed(problem)
            | Self::Invalid(problem)
            | Self::OverQuota(problem)
            | Self::Unavailable(problem)
            | Self::Problem(problem) => Some(problem),
            Self::Setting { .. }
            | Self::InsecureTransport { .. }
            | Self::Tls { .. }
            | Self::Unserializable { .. }
            | Self::InvalidName { .. }
            | Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::Timeout { .. }
            | Self::Interrupted { .. }
            | Self::NotFastJob { .. }
            | Self::NotEnded { .. }
            | Self::Stopped => None,
        }
    }

    /// Whether the same call may succeed later without a change: the coordinator is unreachable,
    /// slow, unavailable or at a limit.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Interrupted { .. }
            | Self::OverQuota(_)
            | Self::Unavailable(_) => true,
            // A proxy whose coordinator is away.
            Self::NotFastJob { status, .. } => matches!(status, 429 | 502..=504),
            Self::Setting { .. }
            | Self::InsecureTransport { .. }
            | Self::Tls { .. }
            | Self::Unserializable { .. }
            | Self::InvalidName { .. }
            | Self::Untrusted { .. }
            | Self::Unauthorized(_)
            | Self::NotFound(_)
            | Self::Conflict(_)
            | Self::Changed(_)
            | Self::Invalid(_)
            | Self::Problem(_)
            | Self::NotEnded { .. }
            | Self::Stopped => false,
        }
    }

    /// Whether the call may have had an effect although it failed: its answer was lost, or a proxy or
    /// an unavailable coordinator answered.
    pub fn may_have_had_effect(&self) -> bool {
        match self {
            Self::Timeout { .. }
            | Self::Interrupted { .. }
            | Self::Unavailable(_)
            | Self::Stopped => true,
            // A proxy that has sent the call on and got no answer.
            Self::NotFastJob { status, .. } => matches!(status, 502..=504),
            Self::Setting { .. }
            | Self::InsecureTransport { .. }
            | Self::Tls { .. }
            | Self::Unserializable { .. }
            | Self::InvalidName { .. }
            | Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::Unauthorized(_)
            | Self::NotFound(_)
            | Self::Conflict(_)
            | Self::Changed(_)
            | Self::Invalid(_)
            | Self::OverQuota(_)
            | Self::Problem(_)
            | Self::NotEnded { .. } => false,
        }
    }

    /// Whether no process listens at the address.
    pub fn is_refused(&self) -> bool {
        let mut causes = causes(self).filter_map(|err| err.downcast_ref::<io::Error>());
        causes.any(|err| err.kind() == io::ErrorKind::ConnectionRefused)
    }
}

fn excerpt(answer: &str) -> String {
    if answer.is_empty() { String::new() } else { format!(" (`{answer}`)") }
}

/// A port without TLS answers a handshake with something else.
fn tls_hint(reason: &str) -> &'static str {
    match reason.contains("InvalidContentType") {
        true => "; the server does not seem to use TLS: use http instead of https",
        false => "",
    }
}

/// A TLS port answers plain text with an alert, which is not HTTP.
fn plain_hint(reason: &str) -> &'static str {
    match reason.contains("invalid HTTP version") {
        true => "; the server does not seem to use plain HTTP: use https instead of http",
        false => "",
    }
}
