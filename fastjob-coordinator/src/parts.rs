//! The parts of the process that run until it ends. If one ends, all end. Each part has a name. A
//! panic in it counts as its end, and its owner sees it at once.

use std::{any::Any, panic::AssertUnwindSafe};

use futures_util::FutureExt;

/// A part that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) part: &'static str,
    /// The message of its panic, if that was the reason.
    pub(crate) panic: Option<String>,
}

/// Runs a part to its end.
pub(crate) async fn part(part: &'static str, work: impl Future<Output = ()>) -> Ended {
    Ended { part, panic: caught(work).await.err() }
}

/// Runs a part that has parts of its own, and returns the inner one that ended.
pub(crate) async fn whole(
    part: &'static str,
    work: impl Future<Output = Result<(), Ended>>,
) -> Ended {
    match caught(work).await {
        Ok(Ok(())) => Ended { part, panic: None },
        Ok(Err(inner)) => inner,
        Err(panic) => Ended { part, panic: Some(panic) },
    }
}

/// What the work returns, or the message of its panic.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    // The work's state is dropped with it, and locks that it held stay usable: they are read
    // through `PoisonError::into_inner`.
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| message(&*panic))
}

/// The message of a panic.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_panics_ends_with_its_name_and_its_message() {
        let panics = async { panic!("row {}", 7) };
        let ended = part("writer", panics).await;
        assert_eq!(ended, Ended { part: "writer", panic: Some("row 7".to_owned()) });
        let ended = part("writer", async {}).await;
        assert_eq!(ended, Ended { part: "writer", panic: None });
    }

    #[tokio::test]
    async fn the_inner_part_that_ended_is_named() {
        let inner = Ended { part: "heartbeat", panic: Some("no".to_owned()) };
        assert_eq!(whole("keeper", std::future::ready(Err(inner.clone()))).await, inner);
    }
}
