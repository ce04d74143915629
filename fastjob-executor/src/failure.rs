//! Failures of the executor's parts. The first part that ends unexpectedly ends the whole executor,
//! with an error that names the part.

use std::{
    any::Any,
    collections::HashMap,
    future::Future,
    sync::{Arc, OnceLock},
};

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// A part of the executor that ended unexpectedly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) part: String,
    pub(crate) why: String,
}

/// The first failure of an executor. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Failures(Arc<Inner>);

#[derive(Default)]
struct Inner {
    first: OnceLock<Failure>,
    raised: CancellationToken,
}

impl Failures {
    /// Reports that a part has failed. The first report ends the executor.
    pub(crate) fn raise(&self, part: impl Into<String>, why: impl Into<String>) {
        let failure = Failure { part: part.into(), why: why.into() };
        tracing::error!(part = failure.part, why = failure.why, "a part of the executor failed");
        self.0.first.get_or_init(|| failure);
        self.0.raised.cancel();
    }

    /// Waits for the first failure.
    pub(crate) async fn raised(&self) {
        self.0.raised.cancelled().await;
    }

    /// The first failure, if there is one.
    pub(crate) fn first(&self) -> Option<Failure> {
        self.0.first.get().cloned()
    }
}

/// Named tasks that must run as long as the executor.
#[derive(Default)]
pub(crate) struct Parts {
    tasks: JoinSet<()>,
    names: HashMap<Id, String>,
}

impl Parts {
    pub(crate) fn spawn(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name.into());
    }

    /// Waits for the next part that ends, and reports a panic. Waits forever if there is no part.
    pub(crate) async fn next(&mut self, failures: &Failures) -> String {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.ended(ended, failures),
            None => std::future::pending().await,
        }
    }

    /// Waits until all parts have ended, and reports panics.
    pub(crate) async fn all(&mut self, failures: &Failures) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.ended(ended, failures);
        }
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>, failures: &Failures) -> String {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(err) => err.id(),
        };
        let name = self.names.remove(&id).unwrap_or_default();
        if let Err(err) = ended {
            let why = match err.try_into_panic() {
                Ok(panic) => panic_text(&*panic),
                Err(err) => err.to_string(),
            };
            failures.raise(name.clone(), why);
        }
        name
    }
}

/// The message of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.map_or_else(|| "it panicked".to_owned(), |text| format!("panicked: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_panics_is_named_and_the_first_failure_is_kept() {
        let (mut parts, failures) = (Parts::default(), Failures::default());
        parts.spawn("the quiet part", async {});
        assert_eq!(parts.next(&failures).await, "the quiet part");
        assert_eq!(failures.first(), None);
        parts.spawn("the loud part", async { panic!("oh no") });
        parts.all(&failures).await;
        failures.raised().await;
        failures.raise("another part", "later");
        let first = failures.first().unwrap();
        assert_eq!((first.part.as_str(), first.why.as_str()), ("the loud part", "panicked: oh no"));
    }
}
