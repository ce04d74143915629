use std::{io::Write, sync::Mutex};

use fastjob_core::AttemptId;
use jiff::Timestamp;
use tempfile::TempDir;
use tracing::{Instrument as _, Span, debug, info, info_span, warn};
use tracing_subscriber::{EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, registry};

use super::{
    super::{Logs, layer::job_log_layer},
    *,
};

/// The output of the user's subscriber.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A typical user subscriber, with a global filter layer.
fn filtered(filter: &str) -> (Dispatch, Printed) {
    let (printed, layer) = printing();
    (Dispatch::new(registry().with(EnvFilter::new(filter)).with(layer)), printed)
}

/// The same, with the filter on the printing layer only.
fn layer_filtered(filter: &str) -> (Dispatch, Printed) {
    let (printed, layer) = printing();
    (Dispatch::new(registry().with(layer.with_filter(EnvFilter::new(filter)))), printed)
}

fn printing<S>() -> (Printed, impl tracing_subscriber::Layer<S>)
where
    S: Subscriber + for<'a> registry::LookupSpan<'a>,
{
    let printed = Printed::default();
    let writer = printed.clone();
    (printed, fmt::layer().without_time().with_ansi(false).with_writer(move || writer.clone()))
}

struct Attempt {
    _dir: TempDir,
    logs: Logs,
    log: AttemptLog,
}

impl Attempt {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::open(dir.path(), 1, 64 << 20).unwrap();
        let log = logs.attempt(AttemptId(1), Timestamp::UNIX_EPOCH, None);
        Self { _dir: dir, logs, log }
    }

    /// The log, without timestamps and this module's name.
    fn said(&self) -> Vec<String> {
        let target = concat!(module_path!(), ": ");
        let text = |line: &str| line.split_once(' ').unwrap().1.replace(target, "");
        self.log.tail().1.lines().map(text).collect()
    }
}

/// Runs a handler's future under a capture in addition to `outer`, as an executor does.
async fn run<F: Future>(outer: &Dispatch, attempt: &Attempt, handler: F) -> F::Output {
    let capture = dispatcher::with_default(outer, Capture::new);
    capture.scope(attempt.log.clone(), handler).with_subscriber(outer.clone()).await
}

async fn talk() {
    info!(n = 3, name = "ann", "hello {}", "world");
    warn!(target: "mail", "late");
    debug!("not for the log");
    tokio::task::yield_now().await;
    tracing::error!(error = %"no disk");
}

const SAID: [&str; 3] =
    ["INFO hello world n=3 name=\"ann\"", "WARN mail: late", "ERROR  error=no disk"];

#[tokio::test]
async fn events_land_in_the_log_without_any_subscriber() {
    let attempt = Attempt::new();
    let span_works = async {
        talk().await;
        info_span!("inside", n = 1).in_scope(|| assert!(Span::current().is_disabled()));
    };
    run(&Dispatch::none(), &attempt, span_works).await;
    assert_eq!(attempt.said(), SAID);
}

#[tokio::test]
async fn the_users_subscriber_sees_the_same_events_as_without_capture() {
    for (filter, expected) in [
        ("trace", &["hello world", "late", "not for the log", "no disk"][..]),
        ("warn", &["late", "no disk"]),
        ("mail=info", &["late"]),
        ("off", &[]),
    ] {
        for (outer, printed) in [filtered(filter), layer_filtered(filter)] {
            let attempt = Attempt::new();
            run(&outer, &attempt, talk()).await;
            assert_eq!(attempt.said(), SAID, "{filter}");
            let printed = printed.text();
            assert_eq!(printed.lines().count(), expected.len(), "{filter}: {printed}");
            for (line, text) in printed.lines().zip(expected) {
                assert!(line.contains(text), "{filter}: {printed}");
            }
        }
    }
}

#[tokio::test]
async fn spans_inside_and_outside_nest_as_usual() {
    for (outer, printed) in [filtered("debug"), layer_filtered("debug")] {
        let attempt = Attempt::new();
        let handler = async {
            let inside = info_span!("inside", n = 1, later = tracing::field::Empty);
            inside.record("later", 2);
            async {
                tokio::task::yield_now().await;
                info!("deep");
                Span::current().in_scope(|| info!("again"));
            }
            .instrument(inside.clone())
            .await;
            drop(inside);
            info!("back");
        };
        let outside = dispatcher::with_default(&outer, || info_span!("outside"));
        run(&outer, &attempt, handler.instrument(outside.clone())).await;
        dispatcher::with_default(&outer, || outside.in_scope(|| info!("after")));
        let printed = printed.text().replace(module_path!(), "m");
        let expected = [
            " INFO outside:inside{n=1 later=2}: m: deep",
            " INFO outside:inside{n=1 later=2}: m: again",
            " INFO outside: m: back",
            " INFO outside: m: after",
        ];
        let lines: Vec<_> = printed.lines().collect();
        assert_eq!(lines, expected);
        assert_eq!(attempt.said(), ["INFO deep", "INFO again", "INFO back"]);
    }
}

#[tokio::test]
async fn spans_close_when_their_last_handle_is_dropped() {
    struct Closed(Arc<Mutex<Vec<&'static str>>>);
    impl<S: Subscriber + for<'a> registry::LookupSpan<'a>> tracing_subscriber::Layer<S> for Closed {
        fn on_close(&self, id: span::Id, ctx: tracing_subscriber::layer::Context<'_, S>) {
            self.0.lock().unwrap().push(ctx.span(&id).unwrap().name());
        }
    }
    let closed = Arc::new(Mutex::new(Vec::new()));
    let outer = Dispatch::new(registry().with(Closed(Arc::clone(&closed))));
    let kept = run(&outer, &Attempt::new(), async {
        let kept = info_span!("kept");
        info_span!("gone").in_scope(|| ());
        kept.clone()
    })
    .await;
    assert_eq!(*closed.lock().unwrap(), ["gone"]);
    drop(kept);
    assert_eq!(*closed.lock().unwrap(), ["gone", "kept"]);
}

#[tokio::test]
async fn each_attempt_has_its_own_events_and_others_have_none() {
    let (outer, printed) = filtered("info");
    let (one, two) = (Attempt::new(), Attempt::new());
    let capture = dispatcher::with_default(&outer, Capture::new);
    let handler = |n: u32| async move {
        for step in 0..3 {
            info!("{n} {step}");
            tokio::task::yield_now().await;
        }
    };
    let outside = async {
        for _ in 0..3 {
            info!("elsewhere");
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(
        capture.scope(one.log.clone(), handler(1)),
        outside.with_subscriber(outer.clone()),
        capture.scope(two.log.clone(), handler(2)),
    );
    assert_eq!(one.said(), ["INFO 1 0", "INFO 1 1", "INFO 1 2"]);
    assert_eq!(two.said(), ["INFO 2 0", "INFO 2 1", "INFO 2 2"]);
    assert_eq!(printed.text().lines().count(), 9);
}

#[tokio::test]
async fn an_event_whose_values_log_an_event_keeps_both() {
    for (outer, printed) in [filtered("mail=off,info"), layer_filtered("mail=off,info")] {
        let attempt = Attempt::new();
        let count = || {
            warn!(target: "mail", "counting");
            3
        };
        run(&outer, &attempt, async { info!(n = count(), "counted") }).await;
        assert_eq!(attempt.said(), ["WARN mail: counting", "INFO counted n=3"]);
        let printed = printed.text();
        assert!(printed.contains("counted") && !printed.contains("counting"), "{printed}");
    }
}

#[tokio::test]
async fn the_layer_captures_the_same_events() {
    let (printed, layer) = printing();
    let outer = Dispatch::new(registry().with(job_log_layer()).with(layer));
    let capture = dispatcher::with_default(&outer, Capture::new);
    assert!(matches!(capture.tap(), Tap::Layer));
    let attempt = Attempt::new();
    run(&outer, &attempt, async {
        talk().await;
        dispatcher::get_default(|here| assert!(here.is::<JobLogLayer>()));
    })
    .await;
    dispatcher::with_default(&outer, || info!("elsewhere"));
    assert_eq!(attempt.said(), SAID);
    assert!(printed.text().ends_with("elsewhere\n"));
}

#[tokio::test]
async fn a_subscriber_that_is_installed_late_is_used() {
    let attempt = Attempt::new();
    let capture = dispatcher::with_default(&Dispatch::none(), Capture::new);
    let run = async || capture.scope(attempt.log.clone(), async { info!("hello") }).await;
    run().with_subscriber(Dispatch::none()).await;
    let (outer, printed) = filtered("info");
    run().with_subscriber(outer).await;
    assert_eq!(attempt.said(), ["INFO hello", "INFO hello"]);
    assert_eq!(printed.text().lines().count(), 1);
}

#[tokio::test]
async fn a_handlers_events_are_in_its_log_file() {
    let attempt = Attempt::new();
    run(&Dispatch::none(), &attempt, talk()).await;
    let page = attempt.logs.read(AttemptId(1), 0, u32::MAX).await.unwrap();
    assert_eq!((0, page.text), attempt.log.tail());
}
