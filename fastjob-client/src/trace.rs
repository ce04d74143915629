//! The trace that the calling code is part of.

use fastjob_core::Trace;

/// The trace of the current span, in the service's set-up of OpenTelemetry; `None` if there is none.
#[cfg(feature = "opentelemetry")]
pub(crate) fn current() -> Option<Trace> {
    use fastjob_core::{
        TraceContext,
        trace::{SpanId, TraceId},
    };
    use opentelemetry::{Context, trace::TraceContextExt as _};
    let context = Context::current();
    let span = context.span();
    let current = span.span_context();
    let trace = TraceId::new(u128::from_be_bytes(current.trace_id().to_bytes()))?;
    let span = SpanId::new(u64::from_be_bytes(current.span_id().to_bytes()))?;
    let state = current.trace_state().header();
    Some(Trace {
        context: TraceContext { trace, span, is_sampled: current.is_sampled() },
        state: Some(state).filter(|state| !state.is_empty()).map(Into::into),
    })
}

#[cfg(not(feature = "opentelemetry"))]
pub(crate) fn current() -> Option<Trace> {
    None
}
