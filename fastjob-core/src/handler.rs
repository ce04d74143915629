//! Handlers, their results and their errors.

use std::{fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use crate::context::JobContext;

/// The code of a job. Annotate it with `#[job("name")]` of `fastjob-executor`.
///
/// One value serves all attempts, and attempts may run concurrently.
#[async_trait::async_trait]
pub trait JobHandler: Send + Sync + 'static {
    /// Does the work of one attempt.
    ///
    /// # Errors
    ///
    /// Any `std::error::Error` converts into a retryable [`JobError`]. [`JobError::fatal`] creates
    /// a permanent one.
    async fn execute(&self, ctx: &JobContext) -> JobResult;
}

#[async_trait::async_trait]
impl<T: JobHandler + ?Sized> JobHandler for Arc<T> {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        (**self).execute(ctx).await
    }
}

/// What a handler returns.
pub type JobResult = Result<JobOutput, JobError>;

/// The result of a task: nothing, a text, or JSON.
///
/// ```
/// use fastjob_core::JobOutput;
///
/// assert_eq!(JobOutput::from("done").as_str(), Some("done"));
/// assert_eq!(JobOutput::json(&[1, 2])?.as_str(), Some("[1,2]"));
/// assert_eq!(JobOutput::json(&())?.as_str(), None);
/// # Ok::<(), fastjob_core::JobError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobOutput(Option<String>);

impl JobOutput {
    /// Maximum bytes of a result. The executor fails an attempt that returns more.
    pub const MAX: usize = 256 * 1024;

    /// A value as JSON. A string is kept as it is; `()` and `None` are no result.
    ///
    /// # Errors
    ///
    /// Fails with a permanent error if the value cannot be serialized as JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, JobError> {
        match serde_json::to_value(value) {
            Ok(serde_json::Value::Null) => Ok(Self(None)),
            Ok(serde_json::Value::String(text)) => Ok(Self(Some(text))),
            Ok(value) => Ok(Self(Some(value.to_string()))),
            Err(err) => Err(JobError::fatal(format!("the result is not JSON: {err}"))),
        }
    }

    /// The result as text, if there is one.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The result as text, if there is one.
    pub fn into_text(self) -> Option<String> {
        self.0
    }
}

impl From<()> for JobOutput {
    fn from((): ()) -> Self {
        Self(None)
    }
}

impl From<&str> for JobOutput {
    fn from(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}

impl From<String> for JobOutput {
    fn from(text: String) -> Self {
        Self(Some(text))
    }
}

impl From<serde_json::Value> for JobOutput {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self(None),
            serde_json::Value::String(text) => Self(Some(text)),
            other @ (serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_)) => Self(Some(other.to_string())),
        }
    }
}

/// Why a handler failed, and whether it may be retried.
///
/// Any error converts into a retryable one, with its whole error chain in the message:
///
/// ```
/// use fastjob_core::{JobError, JobResult};
///
/// fn parse(text: &str) -> JobResult {
///     let n: u32 = text.parse()?; // retryable
///     if n == 0 {
///         return Err(JobError::fatal("nothing to do for 0")); // not retried
///     }
///     Ok("done".into())
/// }
/// assert!(parse("x").unwrap_err().is_retryable());
/// assert!(!parse("0").unwrap_err().is_retryable());
/// ```
pub struct JobError {
    retryable: bool,
    message: String,
}

impl JobError {
    /// A failure that a retry may fix.
    pub fn retryable(message: impl fmt::Display) -> Self {
        Self { retryable: true, message: message.to_string() }
    }

    /// A permanent failure: the task fails at once, without retries.
    pub fn fatal(message: impl fmt::Display) -> Self {
        Self { retryable: false, message: message.to_string() }
    }

    /// Whether the job's retry strategy applies.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// The error message.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.retryable { "retryable" } else { "fatal" };
        write!(f, "{} ({kind})", self.message)
    }
}

// `JobError` does not implement `std::error::Error`, so that this covers every error of a handler.
impl<E: std::error::Error> From<E> for JobError {
    fn from(err: E) -> Self {
        let mut message = err.to_string();
        let mut source = err.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        Self { retryable: true, message }
    }
}

/// Why a param could not be parsed as the handler's type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParamError {
    /// The task has no param.
    #[error(
        "the task has no param, the handler needs one: start it with a param, or set one in its job"
    )]
    Missing,
    /// It is not JSON of the type that the handler expects.
    #[error("the param does not have the type that the handler expects")]
    Invalid(#[source] serde_json::Error),
}

/// Parses a param: JSON of the type, or the text itself if the type is a string.
///
/// # Errors
///
/// Fails with [`ParamError`] if there is no param or it does not have the type. A type that accepts
/// `null` (such as `Option<T>` and `()`) also accepts a missing param.
pub fn parse_param<T: DeserializeOwned>(param: Option<&str>) -> Result<T, ParamError> {
    let Some(text) = param else {
        return serde_json::from_str("null").map_err(|_| ParamError::Missing);
    };
    serde_json::from_str(text).or_else(|err| {
        // Plain text is a valid param for a handler that expects a string.
        serde_json::from_value(serde_json::Value::String(text.to_owned()))
            .map_err(|_| ParamError::Invalid(err))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not save")]
    struct Outer(#[source] std::num::ParseIntError);

    #[test]
    fn an_errors_message_includes_its_causes() {
        let err: JobError = Outer("x".parse::<u8>().unwrap_err()).into();
        assert_eq!(err.message(), "could not save: invalid digit found in string");
        assert!(err.is_retryable());
    }

    #[test]
    fn a_param_is_json_or_a_plain_text() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Hello {
            name: String,
        }
        let hello: Hello = parse_param(Some(r#"{"name":"ann"}"#)).unwrap();
        assert_eq!(hello, Hello { name: "ann".to_owned() });
        assert_eq!(parse_param::<String>(Some("plain words")).unwrap(), "plain words");
        assert_eq!(parse_param::<u32>(Some("7")).unwrap(), 7);
        assert_eq!(parse_param::<Option<u32>>(None).unwrap(), None);
        parse_param::<()>(None).unwrap();
        assert!(matches!(parse_param::<u32>(None), Err(ParamError::Missing)));
        assert!(matches!(parse_param::<u32>(Some("{}")), Err(ParamError::Invalid(_))));
    }
}
