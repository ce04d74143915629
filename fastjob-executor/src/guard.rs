//! Wraps users' futures, so that a panic in a poll or a drop affects only its own attempt.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use crate::failure::panic_text;

/// A future that returns the panic message if it panics.
pub(crate) struct Guarded<F>(Option<Pin<Box<F>>>)
where
    F: ?Sized;

impl<F: Future + ?Sized> Guarded<F> {
    pub(crate) fn new(future: Pin<Box<F>>) -> Self {
        Self(Some(future))
    }
}

impl<F: ?Sized> Guarded<F> {
    /// Drops the future. If that panics, returns the panic message.
    pub(crate) fn end(&mut self) -> Option<String> {
        let future = self.0.take()?;
        let dropped = catch_unwind(AssertUnwindSafe(move || drop(future)));
        dropped.err().map(|panic| panic_text(&*panic))
    }
}

impl<F: Future + ?Sized> Future for Guarded<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.0 else {
            return Poll::Ready(Err("was polled after completion".to_owned()));
        };
        // The future is never polled again after a panic, so a broken invariant cannot be observed.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic_text(&*panic))),
        }
    }
}

impl<F: ?Sized> Drop for Guarded<F> {
    fn drop(&mut self) {
        if let Some(why) = self.end() {
            tracing::warn!(why, "a future panicked while it was dropped");
        }
    }
}
