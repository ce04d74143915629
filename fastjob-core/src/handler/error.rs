//! Why a handler failed, and whether a retry may help.

use std::{error::Error, fmt};

use super::Fatal;
use crate::error::chain;

/// Any error, as `?` converts it.
type BoxError = Box<dyn Error + Send + Sync>;

/// Why a handler failed, and whether it may be retried.
///
/// `?` converts everything that converts into a `Box<dyn Error + Send + Sync>`: every error,
/// `anyhow::Error`, a boxed error, a `&str` and a `String`. The message contains the whole chain of
/// causes:
///
/// ```
/// use fastjob_core::{FatalExt as _, JobError, JobResult};
///
/// fn parse(text: &str) -> JobResult {
///     let n: u32 = text.parse()?; // retryable
///     if n == 0 {
///         return Err(JobError::fatal("nothing to do for 0")); // not retried
///     }
///     let _: u8 = text.parse().fatal()?; // not retried
///     if n > 9 {
///         Err(format!("{n} is too much for now"))?; // retryable
///     }
///     Ok("done".into())
/// }
/// assert!(parse("x").unwrap_err().is_retryable());
/// assert!(!parse("0").unwrap_err().is_retryable());
/// assert!(!parse("256").unwrap_err().is_retryable());
/// assert_eq!(parse("10").unwrap_err().message(), "10 is too much for now");
/// ```
///
/// An error is retried, unless it or one of its causes is [`Fatal`] or a
/// [`ParamError`](crate::ParamError). So a fatal error stays fatal when other errors wrap it,
/// `anyhow::Error` included.
///
/// It does not implement `std::error::Error`, because it could then not convert from every error.
/// To return it from a function whose error is `anyhow::Error`, use [`Fatal`] there instead.
pub struct JobError {
    kind: Kind,
    message: String,
    source: Option<BoxError>,
}

/// What may follow an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Retryable,
    Fatal,
    /// Retryable too.
    Panicked,
}

impl JobError {
    /// A failure that a retry may fix: a text, or an error with its causes.
    pub fn retryable(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::Retryable, cause.into())
    }

    /// A permanent failure, a text or an error with its causes: the task fails at once, without
    /// retries. For the error of a `Result`, [`fatal`](crate::FatalExt::fatal) is shorter.
    pub fn fatal(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::Fatal, cause.into())
    }

    /// A panic of a handler. For code that runs handlers.
    pub fn panicked(message: impl Into<String>) -> Self {
        Self { kind: Kind::Panicked, message: message.into(), source: None }
    }

    fn new(kind: Kind, err: BoxError) -> Self {
        Self { kind, message: chain(&*err), source: Some(err) }
    }

    /// The same failure, as a permanent one.
    #[must_use]
    pub fn into_fatal(mut self) -> Self {
        self.kind = Kind::Fatal;
        self
    }

    /// The same failure, with what was attempted before its message: `charge the card: …`.
    ///
    /// ```
    /// use fastjob_core::JobError;
    ///
    /// let err = JobError::fatal("the card has expired").context("charge the card");
    /// assert_eq!(err.message(), "charge the card: the card has expired");
    /// assert!(!err.is_retryable());
    /// ```
    #[must_use]
    pub fn context(mut self, attempted: impl fmt::Display) -> Self {
        self.message = format!("{attempted}: {}", self.message);
        self
    }

    /// Whether a retry may fix it.
    pub fn is_retryable(&self) -> bool {
        self.kind != Kind::Fatal
    }

    /// Whether the handler panicked. Middleware sees a panic as such an error.
    pub fn is_panic(&self) -> bool {
        self.kind == Kind::Panicked
    }

    /// What failed, with its causes: `a: b: c`.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The error that this was converted from, whose own `source` leads to its causes.
    pub fn source(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.source.as_deref()
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobError")
            .field("kind", &self.kind)
            .field("message", &self.message)
            .finish()
    }
}

impl<E: Into<BoxError>> From<E> for JobError {
    fn from(err: E) -> Self {
        let err = err.into();
        let kind = if Fatal::is_in(&*err) { Kind::Fatal } else { Kind::Retryable };
        Self::new(kind, err)
    }
}

#[cfg(test)]
mod tests;
