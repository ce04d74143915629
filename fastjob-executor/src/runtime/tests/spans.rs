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
