//! The trace of an attempt, in the service's own set-up of OpenTelemetry.
//!
//! The context of the attempt is the current one while its handler is polled. A layer of
//! `tracing-opentelemetry` takes it as the parent of the handler's span, and puts the context of
//! that span in its place. This needs no access to the layer, so it works under any subscriber.

use std::future::Future;

use fastjob_core::{JobContext, Trace};

/// Runs a handler with the context of its attempt as the current one.
#[cfg(feature = "opentelemetry")]
pub(crate) async fn under<F: Future>(trace: Option<&Trace>, work: F) -> F::Output {
    use opentelemetry::{
        Context,
        context::FutureExt as _,
        trace::{SpanContext, TraceContextExt as _, TraceFlags},
    };
    let Some(trace) = trace else { return work.await };
    let Trace { context, state } = trace;
    let flags = if context.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    // A state that cannot be read is not passed on, as W3C Trace Context says.
    let state = state.as_deref().and_then(|state| state.parse().ok()).unwrap_or_default();
    let (id, span) = (context.trace.get().into(), context.span.get().into());
    let context = SpanContext::new(id, span, flags, true, state);
    work.with_context(Context::new().with_remote_span_context(context)).await
}

#[cfg(not(feature = "opentelemetry"))]
pub(crate) async fn under<F: Future>(_: Option<&Trace>, work: F) -> F::Output {
    work.await
}

/// The header `traceparent` for what a handler starts outside of this process: of its current span if
/// that is known, else of its attempt.
pub(crate) fn traceparent(ctx: &JobContext) -> Option<String> {
    #[cfg(feature = "opentelemetry")]
    {
        use opentelemetry::{Context, trace::TraceContextExt as _};
        let context = Context::current();
        let span = context.span();
        let current = span.span_context();
        if current.is_valid() {
            let (trace, span) = (current.trace_id(), current.span_id());
            let flags = u8::from(current.is_sampled());
            return Some(format!("00-{trace}-{span}-{flags:02x}"));
        }
    }
    ctx.traceparent()
}

/// The name of the handler's span in tracing systems.
pub(crate) fn name_of(ctx: &JobContext) -> Option<String> {
    is_exported(ctx).then(|| format!("process {}", ctx.job_name()))
}

/// The kind of the handler's span in tracing systems.
pub(crate) fn kind_of(ctx: &JobContext) -> Option<&'static str> {
    is_exported(ctx).then_some("consumer")
}

/// Whether the handler's span may be exported. These fields are for that alone.
fn is_exported(ctx: &JobContext) -> bool {
    cfg!(feature = "opentelemetry") && ctx.trace().is_some()
}
