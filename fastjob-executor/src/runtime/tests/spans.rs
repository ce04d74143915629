//! The `tracing` span of an attempt.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use tracing::{info, info_span};
use tracing_subscriber::{fmt, layer::SubscriberExt as _, registry};

use super::*;

#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Logs before and after it waits, outside and inside a span of its own.
struct Talks;

impl JobHandler for Talks {
    async fn execute(&self, _: &JobContext) -> JobResult {
        info!("outside");
        tokio::task::yield_now().await;
        info_span!("page", number = 3).in_scope(|| info!("inside"));
        Ok(().into())
    }
}

#[tokio::test(start_paused = true)]
async fn the_spans_and_events_of_a_handler_nest_in_the_span_of_its_attempt() {
    for with_layer in [false, true] {
        let printed = Printed::default();
        let writer = printed.clone();
        let printing =
            fmt::layer().without_time().with_ansi(false).with_writer(move || writer.clone());
        let layer = with_layer.then(crate::job_log_layer);
        let subscriber = registry().with(printing).with(layer);
        let _current = tracing::subscriber::set_default(subscriber);
        let handlers = vec![Registration::named("talks", Talks)];
        let bench = Bench::with(handlers, &Handle::current());
        let attempt = Attempt {
            handler: "talks".to_owned(),
            job_name: "billing.talk".to_owned(),
            number: 2,
            task: TaskId(8),
            ..attempt(9)
        };
        bench.start_one(attempt);
        pass(Duration::from_millis(1)).await;
        assert!(bench.said().join(" ").contains("9 succeeded"));
        let text = String::from_utf8(printed.0.lock().unwrap().clone()).unwrap();
        let span = "attempt{job=\"billing.talk\" handler=\"talks\" task.id=8 attempt.id=9 \
                    attempt.number=2}:";
        for event in [
            format!("{span} {}: outside", module_path!()),
            format!("{span}page{{number=3}}: {}: inside", module_path!()),
        ] {
            assert!(text.contains(&event), "{event} is not in {text}");
        }
        // The log has the events alone.
        let page = bench.runtime.0.logs.read(AttemptId(9), 0, 4096).await.unwrap();
        let log = page.text;
        assert!(log.contains("outside") && log.contains("inside"), "{log}");
        assert!(!log.contains("attempt.id"), "{log}");
    }
}

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Logs the trace that it is part of, before and after it waits.
struct Traced;

impl JobHandler for Traced {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        ctx.log(ctx.traceparent().unwrap_or_default());
        ctx.log(ctx.tracestate().unwrap_or_default());
        tokio::task::yield_now().await;
        info!("in the trace");
        Ok(crate::trace::traceparent(ctx).unwrap_or_default().into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_knows_the_trace_of_its_attempt_and_its_span_names_it() {
    let printed = Printed::default();
    let writer = printed.clone();
    let printing = fmt::layer().without_time().with_ansi(false).with_writer(move || writer.clone());
    let _current = tracing::subscriber::set_default(registry().with(printing));
    let bench = Bench::with(vec![Registration::named("traced", Traced)], &Handle::current());
    for (id, trace) in [(9, Some(format!("{TRACEPARENT} a=1"))), (10, None)] {
        let trace = trace.map(|text| text.parse().unwrap());
        bench.start_one(Attempt { handler: "traced".to_owned(), trace, ..attempt(id) });
    }
    pass(Duration::from_millis(1)).await;
    let page = bench.runtime.0.logs.read(AttemptId(9), 0, 4096).await.unwrap();
    assert!(page.text.contains(TRACEPARENT) && page.text.contains("a=1"), "{}", page.text);
    let text = String::from_utf8(printed.0.lock().unwrap().clone()).unwrap();
    let line = |attempt: &str| text.lines().find(|line| line.contains(attempt)).unwrap();
    let of_trace = line("attempt.id=9 ");
    assert!(of_trace.contains("trace.id=4bf92f3577b34da6a3ce929d0e0e4736"), "{of_trace}");
    assert!(!line("attempt.id=10 ").contains("trace.id"), "{text}");
}

#[cfg(feature = "opentelemetry")]
#[tokio::test]
async fn the_context_of_the_attempt_is_the_current_one_while_its_handler_is_polled() {
    use opentelemetry::{Context, trace::TraceContextExt as _};
    let current = || Context::current().span().span_context().clone();
    let trace = format!("{TRACEPARENT} a=1").parse().unwrap();
    let work = async {
        tokio::task::yield_now().await;
        current()
    };
    let inside = crate::trace::under(Some(&trace), work).await;
    assert_eq!(inside.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(inside.span_id().to_string(), "00f067aa0ba902b7");
    assert!(inside.is_sampled() && inside.is_remote());
    assert_eq!(inside.trace_state().header(), "a=1");
    assert!(!current().is_valid(), "not outside");
    assert!(!crate::trace::under(None, async { current() }).await.is_valid());
}
