//! Handlers, their results and their errors.

mod error;
mod fatal;

use std::{error::Error, fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

pub use self::{
    error::JobError,
    fatal::{Fatal, FatalExt},
};

use crate::context::JobContext;

/// The code of a job. Annotate it with `#[job("name")]` of `fastjob-executor`.
///
/// One value serves all attempts, and attempts may run concurrently.
///
/// ```
/// use fastjob_core::{JobContext, JobHandler, JobResult};
///
/// struct Hello;
///
/// impl JobHandler for Hello {
///     async fn execute(&self, ctx: &JobContext) -> JobResult {
///         ctx.log("hello");
///         Ok("done".into())
///     }
/// }
/// ```
///
/// The crate `async-trait` is not needed, and its attribute does not compile on this trait: a
/// method that it generates has other lifetime parameters than an `async fn` (error E0195). The
/// attribute of that name in `fastjob-executor` leaves the implementation as it is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler: it does not implement `JobHandler`",
    label = "not a handler",
    note = "implement it: `impl JobHandler for … {{ async fn execute(&self, ctx: &JobContext) -> \
            JobResult {{ … }} }}`"
)]
pub trait JobHandler: Send + Sync + 'static {
    /// Does the work of one attempt. Implement it as an `async fn`.
    ///
    /// # Errors
    ///
    /// `?` converts any error into a retryable [`JobError`]. [`JobError::fatal`] and
    /// [`fatal`](FatalExt::fatal) create a permanent one.
    fn execute(&self, ctx: &JobContext) -> impl Future<Output = JobResult> + Send;
}

impl<T: JobHandler> JobHandler for Arc<T> {
    fn execute(&self, ctx: &JobContext) -> impl Future<Output = JobResult> + Send {
        (**self).execute(ctx)
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

    /// A value as JSON. A string is kept as it is; `()` and `None` mean that there is no result.
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

/// Why a param could not be parsed as the handler's type. A task with such a param is not retried,
/// even if another error wraps this one.
#[derive(Debug)]
#[non_exhaustive]
pub enum ParamError {
    /// The task has no param.
    Missing(Fatal),
    /// It is not JSON of the type that the handler expects; the error of serde is inside.
    Invalid(Fatal),
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing(_) => "the task has no param, the handler needs one",
            Self::Invalid(_) => "the param does not have the type that the handler expects",
        })
    }
}

impl Error for ParamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The mark itself, which has the text once.
            Self::Missing(fatal) | Self::Invalid(fatal) => fatal.source(),
        }
    }
}

/// Parses a param: JSON of the type, or the text itself if the type is a string.
///
/// # Errors
///
/// Fails with [`ParamError`] if there is no param or it does not have the type. A type that accepts
/// `null` (such as `Option<T>` and `()`) also accepts a missing param.
pub fn parse_param<T: DeserializeOwned>(param: Option<&str>) -> Result<T, ParamError> {
    let Some(text) = param else {
        return serde_json::from_str("null").map_err(|_| {
            ParamError::Missing(Fatal::new("start it with a param, or set one in its job"))
        });
    };
    serde_json::from_str(text).or_else(|err| {
        // Plain text is a valid param for a handler that expects a string.
        serde_json::from_value(serde_json::Value::String(text.to_owned()))
            .map_err(|_| ParamError::Invalid(Fatal::new(err)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(matches!(parse_param::<u32>(None), Err(ParamError::Missing(_))));
        assert!(matches!(parse_param::<u32>(Some("{}")), Err(ParamError::Invalid(_))));
    }
}
