//! Panics in users' code end only their attempt; panics in the executor's code end the executor.

use fastjob_core::{JobError, attempt::End};

use super::*;
use crate::middleware::{DynMiddleware, Next};

/// Panics when it is dropped.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

/// Never ends, and panics when it is aborted.
struct Dropped;

impl JobHandler for Dropped {
    async fn execute(&self, _: &JobContext) -> JobResult {
        let _grenade = Grenade;
        std::future::pending().await
    }
}

/// Panics before it returns a future.
struct AtOnce;

impl JobHandler for AtOnce {
    #[expect(unreachable_code, reason = "names the type of the future")]
    fn execute(&self, _: &JobContext) -> impl Future<Output = JobResult> + Send {
        panic!("at once");
        std::future::pending()
    }
}

fn bench() -> Bench {
    let handlers = vec![
        Registration::named("dropped", Dropped),
        Registration::named("at-once", AtOnce),
        Registration::named("gives-up", Works { gives_up: true }),
    ];
    Bench::with(handlers, &Handle::current())
}

const FAILED_FATAL: End = End::Failed(FailReason::Fatal);
const PANICKED: End = End::Failed(FailReason::Panicked);

fn serial(id: i64, handler: &str) -> Attempt {
    Attempt {
        handler: handler.to_owned(),
        turn: by(BlockStrategy::Serial),
        timeout: Duration::from_secs(1),
        grace: Duration::from_secs(1),
        ..attempt(id)
    }
}

/// The message of the only outcome that is reported now.
fn message(bench: &Bench) -> (End, String) {
    let delivery = bench.runtime.to_deliver(LinkId(0));
    let outcomes = delivery.messages.into_iter().filter_map(|message| {
        if let Message::Finished(outcomes) = message { Some(outcomes) } else { None }
    });
    let outcomes: Vec<_> = outcomes.flatten().collect();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    (outcomes[0].end, outcomes[0].message.clone())
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_while_it_is_aborted_keeps_neither_its_place_nor_its_lane() {
    let bench = bench();
    // As many as there are places.
    for id in 1..=3 {
        bench.start_one(Attempt { job: JobId(id), ..serial(id, "dropped") });
    }
    bench.start_one(Attempt { timeout: Duration::ZERO, ..serial(4, "gives-up") });
    pass(Duration::from_secs(5)).await;
    let said = bench.said().join(" ");
    for id in 1..=3 {
        assert!(said.contains(&format!("{id} timed out")), "{said}");
    }
    assert!(said.contains("started 4"), "{said}");
    bench.stop(4).await;
    assert_eq!(bench.runtime.stat_counts(), (0, 0));
    assert_eq!(bench.runtime.0.failures.first(), None, "the executor keeps running");
}

#[tokio::test(start_paused = true)]
async fn a_handlers_panic_message_is_in_its_outcome() {
    let bench = bench();
    bench.start_one(serial(1, "dropped"));
    pass(Duration::from_secs(5)).await;
    bench.runtime.0.lock().outbox.resend(LEASE.partition);
    let (end, text) = message(&bench);
    assert_eq!(end, End::Failed(FailReason::TimedOut));
    assert!(text.ends_with("; while it was dropped, it panicked: dropped"), "{text}");
    bench.recorded(&[1]);
    bench.start_one(serial(2, "at-once"));
    pass(Duration::from_millis(1)).await;
    assert_eq!(message(&bench), (PANICKED, "panicked: at once".to_owned()));
    assert_eq!(bench.runtime.stat_counts(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_middleware_passes_on_is_reported_as_a_panic() {
    async fn passes_on(_: JobContext, next: Next) -> JobResult {
        next.run().await
    }
    async fn decides(_: JobContext, next: Next) -> JobResult {
        next.run().await.map_err(|err| JobError::fatal(format!("abandoned: {err}")))
    }
    for (layer, end, text) in [
        (Box::new(passes_on) as Box<dyn DynMiddleware>, PANICKED, "panicked: at once"),
        (Box::new(decides), FAILED_FATAL, "abandoned: panicked: at once"),
    ] {
        let handlers = vec![Registration::named("at-once", AtOnce)];
        let bench = Bench::around(handlers, &vec![layer].into(), &Handle::current());
        bench.start_one(serial(1, "at-once"));
        pass(Duration::from_millis(1)).await;
        assert_eq!(message(&bench), (end, text.to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_bookkeeping_ends_the_executor() {
    let bench = bench();
    bench.runtime.0.lock().breaks = true;
    bench.start_one(serial(1, "at-once"));
    bench.runtime.0.failures.raised().await;
    let failure = bench.runtime.0.failures.first().unwrap();
    assert_eq!(failure.part, "the attempt bookkeeping");
    assert_eq!(failure.why, "panicked: broken by a test");
}
