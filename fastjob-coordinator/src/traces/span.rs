//! What has ended, as spans of OpenTelemetry.

use std::time::SystemTime;

use fastjob_core::{FailReason, Job, TaskState, Trace, TraceContext, attempt::End};
use fastjob_engine::{AttemptSpan, Span, TaskSpan};
use jiff::Timestamp;
use opentelemetry::{
    InstrumentationScope, KeyValue, Value,
    trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::{CallSpan, Item};

/// The name of the library that records these spans.
const SCOPE: &str = "fastjob-coordinator";

pub(super) fn of(item: &Item) -> SpanData {
    match item {
        Item::Ended(Span::Attempt(attempt)) => of_attempt(attempt),
        Item::Ended(Span::Task(task)) => of_task(task),
        Item::Call(call) => of_call(call),
    }
}

/// What every span has.
struct Frame<'a> {
    trace: &'a Trace,
    own: TraceContext,
    parent: Option<TraceContext>,
    kind: SpanKind,
    name: String,
    begun: Timestamp,
    ended: Timestamp,
    status: Status,
}

impl Frame<'_> {
    fn with(self, attributes: Vec<KeyValue>, events: Vec<Event>) -> SpanData {
        let Self { trace, own, parent, kind, name, begun, ended, status } = self;
        let state = trace.state.as_deref().and_then(|state| state.parse().ok());
        let mut all = SpanEvents::default();
        all.events = events;
        SpanData {
            span_context: SpanContext::new(
                own.trace.get().into(),
                own.span.get().into(),
                TraceFlags::SAMPLED,
                false,
                state.unwrap_or_default(),
            ),
            parent_span_id: parent
                .map_or(SpanId::INVALID, |parent| SpanId::from(parent.span.get())),
            parent_span_is_remote: kind == SpanKind::Server && parent.is_some(),
            span_kind: kind,
            name: name.into(),
            start_time: SystemTime::from(begun),
            // The clocks of two nodes differ.
            end_time: SystemTime::from(ended.max(begun)),
            attributes,
            dropped_attributes_count: 0,
            events: all,
            links: SpanLinks::default(),
            status,
            instrumentation_scope: InstrumentationScope::builder(SCOPE)
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }
}

fn of_attempt(span: &AttemptSpan) -> SpanData {
    let (own, parent) = span.contexts();
    let row = &span.row;
    let reason = span.end.reason();
    let mut attributes = of_job(span.job.as_deref(), row.job.0, row.task.0);
    attributes.extend([
        attribute("messaging.operation.type", "send"),
        attribute("messaging.operation.name", "dispatch"),
        attribute("messaging.message.id", row.attempt.to_string()),
        attribute("fastjob.attempt_id", row.attempt.0),
        attribute("fastjob.attempt", i64::from(row.number)),
        attribute("fastjob.cause", row.cause.as_str()),
        attribute("fastjob.outcome", outcome(span.end)),
    ]);
    if row.shard.total > 1 {
        attributes.push(attribute("fastjob.shard", i64::from(row.shard.index)));
        attributes.push(attribute("fastjob.shards", i64::from(row.shard.total)));
    }
    if let Some(executor) = &span.executor {
        attributes.push(attribute("fastjob.executor", executor.to_string()));
    }
    if let Some(reason) = reason {
        attributes.push(attribute("error.type", reason.as_str()));
    }
    let mut events = Vec::new();
    if let Some(started_at) = span.started_at {
        let waited = started_at.as_millisecond() - row.due_at.as_millisecond();
        attributes.push(attribute("fastjob.wait_ms", waited.max(0)));
        events.push(Event::new("handler entered", SystemTime::from(started_at), Vec::new(), 0));
    }
    let status = match reason {
        Some(reason) => failed(span.message.as_deref().unwrap_or(reason.as_str())),
        None => Status::Unset,
    };
    Frame {
        trace: &span.trace.trace,
        own,
        parent: Some(parent),
        kind: SpanKind::Producer,
        name: named("dispatch", span.job.as_deref()),
        // An earlier engine has sent it, when it was due or later.
        begun: span.sent_at.unwrap_or(row.due_at.max(row.created_at)).min(span.ended_at),
        ended: span.ended_at,
        status,
    }
    .with(attributes, events)
}

fn of_task(span: &TaskSpan) -> SpanData {
    let (own, parent) = span.contexts();
    let mut attributes = of_job(span.job.as_deref(), span.job_id.0, span.task.0);
    attributes.extend([
        attribute("fastjob.cause", span.cause.as_str()),
        attribute("fastjob.state", span.state.as_str()),
    ]);
    if let Some(fire_at) = span.fire_at {
        attributes.push(attribute("fastjob.fire_at", fire_at.to_string()));
    }
    let status = match span.state {
        TaskState::Failed => failed(span.message.as_deref().unwrap_or("a shard failed")),
        TaskState::Queued
        | TaskState::Running
        | TaskState::Stopping
        | TaskState::Succeeded
        | TaskState::Stopped
        | TaskState::Skipped => Status::Unset,
    };
    Frame {
        trace: &span.trace.trace,
        own,
        parent,
        kind: SpanKind::Internal,
        name: named("task", span.job.as_deref()),
        begun: span.trace.since,
        ended: span.ended_at,
        status,
    }
    .with(attributes, Vec::new())
}

fn of_call(span: &CallSpan) -> SpanData {
    let mut attributes = vec![attribute("fastjob.target", span.target.clone())];
    attributes.extend(span.task.map(|task| attribute("fastjob.task_id", task)));
    Frame {
        trace: &span.trace,
        own: span.trace.context,
        parent: span.parent,
        kind: SpanKind::Server,
        name: format!("{} {}", span.verb, span.target),
        begun: span.begun,
        ended: span.ended,
        status: span.error.as_deref().map_or(Status::Unset, failed),
    }
    .with(attributes, Vec::new())
}

/// What the spans of tasks and attempts have in common.
fn of_job(job: Option<&Job>, id: i64, task: i64) -> Vec<KeyValue> {
    let mut attributes = vec![
        attribute("messaging.system", "fastjob"),
        attribute("fastjob.job_id", id),
        attribute("fastjob.task_id", task),
    ];
    if let Some(job) = job {
        attributes.extend([
            attribute("messaging.destination.name", job.path().to_string()),
            attribute("fastjob.job", job.name.to_string()),
            attribute("fastjob.service", job.service.to_string()),
            attribute("fastjob.handler", job.handler.to_string()),
        ]);
    }
    attributes
}

fn named(verb: &str, job: Option<&Job>) -> String {
    job.map_or_else(|| verb.to_owned(), |job| format!("{verb} {}", job.path()))
}

fn attribute(key: &'static str, value: impl Into<Value>) -> KeyValue {
    KeyValue::new(key, value)
}

fn failed(why: &str) -> Status {
    Status::error(why.to_owned())
}

fn outcome(end: End) -> &'static str {
    match end {
        End::Succeeded => "succeeded",
        End::Failed(reason) => FailReason::as_str(reason),
        End::Stopped => "stopped",
        End::Skipped => "skipped",
    }
}
