//! What is reported without a collector.

use fastjob_core::{Trace, TraceContext};

use super::*;

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 a=1";

fn recording(sample: f64) -> (Traces, Exporter, Metrics) {
    let endpoint = Some("http://localhost:4317".to_owned());
    let config = TracesConfig { endpoint, sample, ..TracesConfig::default() };
    let metrics = Metrics::default();
    let (traces, exporter) = Traces::new(&config, &metrics, "n1");
    (traces, exporter.unwrap(), metrics)
}

fn caller() -> Trace {
    CALLER.parse().unwrap()
}

fn end(call: Call) {
    call.end::<&str>("start", "report".to_owned(), Ok(Some(7)));
}

fn next(exporter: &mut Exporter) -> Option<CallSpan> {
    match exporter.queue.try_recv() {
        Ok(Item::Call(span)) => Some(*span),
        Ok(other) => panic!("{other:?}"),
        Err(_) => None,
    }
}

#[test]
fn a_call_is_a_span_between_its_caller_and_what_it_starts() {
    let (traces, mut exporter, _) = recording(0.0);
    let call = traces.call(Some(caller()));
    let passed = call.trace().unwrap();
    assert_eq!(passed.context.trace, caller().context.trace);
    assert_ne!(passed.context.span, caller().context.span);
    assert_eq!(passed.state, caller().state);
    end(call);
    let span = next(&mut exporter).unwrap();
    assert_eq!((span.trace, span.parent), (passed, Some(caller().context)));
    assert_eq!((span.verb, span.task), ("start", Some(7)));
    let call = traces.call(Some(caller()));
    call.end("start", "gone".to_owned(), Err(&"no such job"));
    assert_eq!(next(&mut exporter).unwrap().error.as_deref(), Some("no such job"));
}

#[test]
fn the_caller_decides_and_else_the_share() {
    let (none, mut exporter, _) = recording(0.0);
    assert_eq!(none.call(None).trace(), None);
    end(none.call(None));
    let unsampled = caller().at(TraceContext { is_sampled: false, ..caller().context });
    end(none.call(Some(unsampled.clone())));
    assert_eq!(next(&mut exporter), None);

    let (all, mut exporter, _) = recording(1.0);
    assert_eq!(all.call(Some(unsampled.clone())).trace(), Some(unsampled));
    let call = all.call(None);
    let new = call.trace().unwrap();
    assert!(new.context.is_sampled);
    end(call);
    assert_eq!(next(&mut exporter).unwrap().parent, None, "the trace begins with it");
}

#[test]
fn without_a_collector_the_trace_of_the_caller_is_passed_on() {
    let (off, exporter) = Traces::new(&TracesConfig::default(), &Metrics::default(), "n1");
    assert!(exporter.is_none() && off.sampler().is_none());
    assert_eq!(off.call(Some(caller())).trace(), Some(caller()));
    assert_eq!(off.call(None).trace(), None);
    end(off.call(Some(caller())));
}

#[test]
fn spans_beyond_the_queue_are_dropped_and_counted() {
    let (traces, exporter, metrics) = recording(1.0);
    for _ in 0..QUEUE + 3 {
        end(traces.call(None));
    }
    assert_eq!(exporter.queue.len(), QUEUE);
    assert_eq!(metrics.traces.dropped(), 3);
}
