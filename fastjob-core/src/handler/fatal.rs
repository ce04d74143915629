//! Marks an error as permanent, wherever in a chain of causes it is.

use std::{error::Error, fmt};

use crate::error::causes;

/// A permanent error: the task fails at once, without retries.
///
/// It wraps the cause and has its text. Other errors may wrap it in turn, also with
/// `anyhow::Context`: [`JobError`](crate::JobError) finds it in the chain of causes. So functions
/// that know nothing of jobs can mark what no retry will fix:
///
/// ```
/// use fastjob_core::{FatalExt as _, JobContext, JobError};
///
/// fn account(id: &str) -> anyhow::Result<u32> {
///     use anyhow::Context as _;
///     id.parse().fatal().with_context(|| format!("no account `{id}`"))
/// }
///
/// async fn close(ctx: &JobContext, id: String) -> Result<u32, JobError> {
///     Ok(account(&id)?)
/// }
///
/// let err = JobError::from(account("x").unwrap_err());
/// assert!(!err.is_retryable());
/// assert_eq!(err.message(), "no account `x`: invalid digit found in string");
/// ```
pub struct Fatal(Permanent);

/// The mark. `Fatal` has it as its source, because `anyhow` and the like box the outermost error in
/// a type of their own: only its sources can be recognized.
struct Permanent(Box<dyn Error + Send + Sync>);

impl Fatal {
    /// Marks an error, or a text, as permanent.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Permanent(cause.into()))
    }

    /// The wrapped error.
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0.0
    }

    /// The wrapped error, without the mark.
    pub fn into_inner(self) -> Box<dyn Error + Send + Sync> {
        self.0.0
    }

    /// Whether an error or one of its causes is marked.
    pub(super) fn is_in(err: &(dyn Error + 'static)) -> bool {
        causes(err).any(|err| err.is::<Permanent>() || err.is::<Self>())
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fatal").field(&self.0.0).finish()
    }
}

impl Error for Fatal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl fmt::Display for Permanent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Permanent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Permanent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// Marks the error of a `Result` as permanent: `id.parse::<u64>().fatal()?`.
pub trait FatalExt<T> {
    /// Wraps the error in [`Fatal`], so that the task is not retried.
    ///
    /// # Errors
    ///
    /// Fails with the wrapped error of `self`.
    fn fatal(self) -> Result<T, Fatal>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> FatalExt<T> for Result<T, E> {
    fn fatal(self) -> Result<T, Fatal> {
        self.map_err(Fatal::new)
    }
}
