//! The spans of calls that start tasks.

use fastjob_core::{Trace, TraceContext, trace::SpanId};
use jiff::Timestamp;

use super::{Item, Traces};
use crate::clock::wall_now;

/// A call that starts tasks, while it is carried out.
#[must_use = "it is exported when it `ends`"]
pub(crate) struct Call {
    traces: Traces,
    begun: Timestamp,
    /// The trace of what it starts.
    trace: Option<Trace>,
    /// The span of the caller; `None` if the trace begins here.
    parent: Option<TraceContext>,
    is_recorded: bool,
}

/// A call that was answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CallSpan {
    pub(crate) trace: Trace,
    pub(crate) parent: Option<TraceContext>,
    /// What it does, such as `start`.
    pub(crate) verb: &'static str,
    /// What it does that to, as the caller names it.
    pub(crate) target: String,
    /// The task that it has started, or that an earlier call had.
    pub(crate) task: Option<i64>,
    /// Why it failed.
    pub(crate) error: Option<String>,
    pub(crate) begun: Timestamp,
    pub(crate) ended: Timestamp,
}

impl Traces {
    /// Begins a call, in the trace of its caller. Without one, a new trace begins if it is recorded.
    pub(crate) fn call(&self, caller: Option<Trace>) -> Call {
        let (mut trace, mut parent, mut is_recorded) = (caller, None, false);
        if let Some(inner) = &self.0 {
            let own = rand::random();
            match &mut trace {
                // The caller has decided.
                Some(trace) => {
                    is_recorded = trace.context.is_sampled;
                    if let Some(span) = SpanId::new(own).filter(|_| is_recorded) {
                        parent = Some(trace.context);
                        trace.context = trace.context.at(span);
                    }
                }
                None => {
                    let root = TraceContext::root(rand::random(), own);
                    trace = root.into_recorded(inner.sampler).map(Trace::from);
                    is_recorded = trace.is_some();
                }
            }
        }
        Call { traces: self.clone(), begun: wall_now(), trace, parent, is_recorded }
    }
}

impl Call {
    /// The trace of what the call starts.
    pub(crate) fn trace(&self) -> Option<Trace> {
        self.trace.clone()
    }

    /// Ends the call: with the task that it has started, if it is one, or with why it failed.
    pub(crate) fn end<E: ToString>(
        self,
        verb: &'static str,
        target: String,
        outcome: Result<Option<i64>, &E>,
    ) {
        let Self { traces, begun, trace, parent, is_recorded } = self;
        let (Some(inner), Some(trace)) = (&traces.0, trace.filter(|_| is_recorded)) else { return };
        let (task, error) = match outcome {
            Ok(task) => (task, None),
            Err(err) => (None, Some(err.to_string())),
        };
        let ended = wall_now();
        let span = CallSpan { trace, parent, verb, target, task, error, begun, ended };
        inner.add(Item::Call(Box::new(span)));
    }
}
