//! Code around every handler of an executor: logging, metrics, limits.

use std::sync::Arc;

use fastjob_core::{JobContext, JobError, JobResult};

use crate::{
    guard::Guarded,
    handler::{DynHandler, Running},
};

/// Code that runs around every attempt of an executor, added with
/// [`Builder::middleware`](crate::Builder::middleware).
///
/// An `async fn` with the arguments `(JobContext, Next)` is middleware, and so is a closure. It calls
/// [`Next::run`] to continue. If it returns an outcome instead, the handler is not called:
///
/// ```no_run
/// use fastjob_executor::{Next, prelude::*};
///
/// async fn logging(ctx: JobContext, next: Next) -> JobResult {
///     let result = next.run().await;
///     match &result {
///         Ok(_) => tracing::info!("done"),
///         Err(err) if err.is_panic() => tracing::error!(%err, "the handler panicked"),
///         Err(err) => tracing::warn!(%err, retryable = err.is_retryable(), "failed"),
///     }
///     result
/// }
///
/// # async fn run() -> Result<(), ExecutorError> {
/// Executor::builder("billing")
///     .middleware(logging)
///     .middleware(|ctx: JobContext, next: Next| async move {
///         if ctx.job_name() == "frozen" {
///             return Err(JobError::fatal("the job is frozen"));
///         }
///         next.run().await
///     })
///     .run()
///     .await
/// # }
/// ```
///
/// A struct with state implements the trait:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use fastjob_executor::{Middleware, Next, prelude::*};
///
/// #[derive(Default)]
/// struct Failures(AtomicU64);
///
/// impl Middleware for Failures {
///     async fn handle(&self, _: JobContext, next: Next) -> JobResult {
///         let result = next.run().await;
///         self.0.fetch_add(u64::from(result.is_err()), Ordering::Relaxed);
///         result
///     }
/// }
/// ```
///
/// Middleware runs in the `tracing` span of the attempt, and its events are part of the attempt's
/// log. It sees what the handler returns, including a panic as an error
/// ([`JobError::is_panic`]). It does not see an abort: the attempt is then dropped at an `.await`, with
/// its middleware, as any future is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not middleware",
    note = "middleware is an `async fn` or a closure with the arguments `(JobContext, Next)` that \
            returns `JobResult`, or a type that implements `Middleware`"
)]
pub trait Middleware: Send + Sync + 'static {
    /// Runs an attempt. Implement it as an `async fn`.
    fn handle(&self, ctx: JobContext, next: Next) -> impl Future<Output = JobResult> + Send;
}

impl<F, R> Middleware for F
where
    F: Fn(JobContext, Next) -> R + Send + Sync + 'static,
    R: Future<Output = JobResult> + Send,
{
    fn handle(&self, ctx: JobContext, next: Next) -> impl Future<Output = JobResult> + Send {
        self(ctx, next)
    }
}

/// The object-safe twin of [`Middleware`].
pub(crate) trait DynMiddleware: Send + Sync {
    fn call(&self, ctx: JobContext, next: Next) -> Running<'_>;
}

impl<M: Middleware> DynMiddleware for M {
    fn call(&self, ctx: JobContext, next: Next) -> Running<'_> {
        Box::pin(async move { self.handle(ctx, next).await })
    }
}

/// The rest of an attempt: the inner middleware, and then the handler.
pub struct Next {
    chain: Arc<Chain>,
    /// The number of middlewares that have been entered.
    entered: usize,
    ctx: JobContext,
}

impl Next {
    /// Runs the rest of the attempt and returns its outcome.
    ///
    /// # Errors
    ///
    /// Fails with the error of the handler or of the inner middleware. If they panic, the error says
    /// so ([`JobError::is_panic`]); the attempt is reported as panicked if that error is returned.
    pub async fn run(self) -> JobResult {
        let Self { chain, entered, ctx } = self;
        let rest = chain.enter(entered, &ctx);
        Guarded::new(rest).await.unwrap_or_else(|panic| Err(JobError::panicked(panic)))
    }
}

impl std::fmt::Debug for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next").field("ctx", &self.ctx).finish_non_exhaustive()
    }
}

/// All middleware of an executor, outermost first.
pub(crate) type Layers = Arc<[Box<dyn DynMiddleware>]>;

/// A handler with the middleware around it.
struct Chain {
    layers: Layers,
    handler: Arc<dyn DynHandler>,
}

impl Chain {
    fn enter<'a>(self: &'a Arc<Self>, entered: usize, ctx: &'a JobContext) -> Running<'a> {
        match self.layers.get(entered) {
            None => self.handler.call(ctx),
            Some(layer) => {
                let chain = Arc::clone(self);
                let next = Next { chain, entered: entered + 1, ctx: ctx.clone() };
                layer.call(ctx.clone(), next)
            }
        }
    }
}

struct Layered(Arc<Chain>);

impl DynHandler for Layered {
    fn call<'a>(&'a self, ctx: &'a JobContext) -> Running<'a> {
        self.0.enter(0, ctx)
    }
}

/// The handler with the middleware around it; the handler itself if there is none.
pub(crate) fn around(handler: Arc<dyn DynHandler>, layers: &Layers) -> Arc<dyn DynHandler> {
    if layers.is_empty() {
        return handler;
    }
    Arc::new(Layered(Arc::new(Chain { layers: Arc::clone(layers), handler })))
}

#[cfg(test)]
mod tests;
