//! Handlers as the executor calls them: the object-safe twin of `JobHandler`.

use std::pin::Pin;

use fastjob_core::{JobContext, JobHandler, JobResult};

/// The future of one attempt.
pub type Running<'a> = Pin<Box<dyn Future<Output = JobResult> + Send + 'a>>;

/// A handler of any type. Every `JobHandler` is one; the macro makes others of functions.
pub trait DynHandler: Send + Sync + 'static {
    /// Does the work of one attempt. User code runs only when the future is polled.
    fn call<'a>(&'a self, ctx: &'a JobContext) -> Running<'a>;
}

impl<H: JobHandler> DynHandler for H {
    fn call<'a>(&'a self, ctx: &'a JobContext) -> Running<'a> {
        Box::pin(async move { self.execute(ctx).await })
    }
}
