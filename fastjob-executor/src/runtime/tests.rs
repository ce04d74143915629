//! The runtime as a link sees it: attempts in, messages out. Uses tokio's paused time.

mod blocked;
mod bounds;
mod draining;
mod early;
mod panics;
mod reused;
mod spans;
mod suspended;

use std::time::Duration;

use fastjob_core::{
    FailReason, JobContext, JobHandler, JobId, JobResult, Progress, ServiceName, TaskId,
    block::{Block, BlockStrategy},
};

use super::*;
use crate::{
    logs::{Capture, Logs},
    middleware::Layers,
    registration::Registration,
    registry::Discovery,
    state::States,
};

const LIMIT: Duration = Duration::from_secs(3);
const CAPACITY: u32 = 3;
const LEASE: Lease = Lease { partition: Partition(0), term: 1 };

/// A handler and what it does when it is stopped.
struct Works {
    gives_up: bool,
}

impl JobHandler for Works {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        let from = ctx.last_checkpoint::<u64>()?.unwrap_or(0);
        ctx.checkpoint(&(from + 1))?;
        ctx.progress(1, 2, "half");
        ctx.stop_token().cancelled().await;
        if !self.gives_up {
            std::future::pending::<()>().await;
        }
        Err(fastjob_core::JobError::retryable("gave up"))
    }
}

struct Bench {
    runtime: Runtime,
    stop: CancellationToken,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let handlers = vec![
            Registration::named("gives-up", Works { gives_up: true }),
            Registration::named("stubborn", Works { gives_up: false }),
        ];
        Self::with(handlers, &Handle::current())
    }

    /// Creates a bench with handlers that run on another tokio runtime.
    fn with(handlers: Vec<Registration>, on: &Handle) -> Self {
        Self::around(handlers, &Vec::new().into(), on)
    }

    /// Creates a bench with middleware around the handlers.
    fn around(handlers: Vec<Registration>, layers: &Layers, on: &Handle) -> Self {
        let service: ServiceName = "test".parse().unwrap();
        let states = States::default();
        let mut registry = Registry::collect(&service, Discovery::Off, handlers, &states).unwrap();
        registry.wrap(layers);
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::open(folder.path(), 1, 64 << 20).unwrap();
        let clock = Clock::manual();
        let runtime = {
            let _on = on.enter();
            Runtime::new(Arc::new(registry), logs, Capture::new(), CAPACITY, clock.clone())
        };
        let stop = CancellationToken::new();
        let (watched, watching) = (runtime.clone(), stop.clone());
        tokio::spawn(async move { watched.watch_silence(watching).await });
        let (watched, watching) = (runtime.clone(), stop.clone());
        tokio::spawn(async move { watched.watch_attempts(watching).await });
        let (watched, watching) = (runtime.clone(), stop.clone());
        tokio::spawn(async move { watched.enter_due(watching).await });
        runtime.link(LinkId(0));
        runtime.session_began(LinkId(0), true);
        runtime.take(LinkId(0), vec![LEASE]);
        runtime.to_deliver(LinkId(0));
        Self { runtime, stop, clock, _folder: folder }
    }

    /// The coordinator answers a heartbeat at once.
    fn heard(&self) {
        self.runtime.heard(LinkId(0), self.runtime.elapsed(), LIMIT, &[LEASE.partition]);
    }

    fn start(&self, id: i64, handler: &str, exclusive: bool) {
        self.start_one(Attempt { handler: handler.to_owned(), exclusive, ..attempt(id) });
    }

    fn start_one(&self, attempt: Attempt) {
        self.runtime.start(LinkId(0), LEASE, vec![attempt]);
    }

    /// Starts an attempt of a job with a block strategy.
    fn start_blocked(&self, id: i64, job: i64, strategy: BlockStrategy) {
        self.start_one(Attempt { job: JobId(job), turn: by(strategy), ..attempt(id) });
    }

    async fn stop(&self, id: i64) {
        self.stop_now(&[id]);
        pass(Duration::from_millis(1)).await;
    }

    fn stop_now(&self, ids: &[i64]) {
        self.runtime.stop(LinkId(0), names(ids));
    }

    fn recorded(&self, ids: &[i64]) {
        self.runtime.recorded(names(ids));
    }

    /// What the link sends now, as text.
    fn said(&self) -> Vec<String> {
        self.said_over(LinkId(0))
    }

    fn said_over(&self, link: LinkId) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            let delivery = self.runtime.to_deliver(link);
            if delivery.messages.is_empty() {
                return said;
            }
            said.extend(delivery.messages.iter().map(words));
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// When all attempts were created, unless a test sets another time.
const CREATED: i64 = 7;

fn attempt(id: i64) -> Attempt {
    Attempt {
        grace: Duration::from_secs(60),
        checkpoint: Some("6".into()),
        ..Attempt::for_test(Name::of(id, CREATED), "gives-up")
    }
}

fn names(ids: &[i64]) -> Vec<Name> {
    ids.iter().map(|id| Name::of(*id, CREATED)).collect()
}

/// The turn of an attempt whose lane has room for nine that wait.
fn by(strategy: BlockStrategy) -> Turn {
    Turn::By(Block { strategy, max_waiting: 9, max_running: 0, ..Block::default() })
}

fn words(message: &Message) -> String {
    let ids = |ids: &[AttemptId]| ids.iter().map(ToString::to_string).collect();
    let (what, of): (_, Vec<_>) = match message {
        Message::Started(started) => {
            ("started", started.iter().map(|(name, _)| name.id.to_string()).collect())
        }
        Message::Checkpoints(reported) => (
            "checkpoints",
            reported.iter().map(|(name, json)| format!("{}: {json}", name.id)).collect(),
        ),
        Message::Progress(reported) => {
            let words = |(name, reported): &(Name, Progress)| {
                format!("{}: {} of {}", name.id, reported.done, reported.total)
            };
            ("progress", reported.iter().map(words).collect())
        }
        Message::Holding(holding) => (
            if holding.leaving { "leaving, holding" } else { "holding" },
            holding.attempts.iter().map(|name| name.id.to_string()).collect(),
        ),
        Message::Goodbye(returned) => ("goodbye", ids(returned)),
        Message::Returned(returned) => ("returned", ids(returned)),
        Message::Finished(outcomes) => ("finished", outcomes.iter().map(outcome).collect()),
    };
    format!("{what} {}", of.join(", "))
}

fn outcome(outcome: &Outcome) -> String {
    let checkpoint = outcome.checkpoint.as_deref().unwrap_or("none");
    let end = outcome.end.reason().map_or(outcome.end.state().as_str(), FailReason::as_str);
    format!("{} {end} with {checkpoint}", outcome.name.id)
}

/// Lets time pass, so that the handlers make progress.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn an_attempts_reports_are_sent_and_sent_again_after_a_reconnect() {
    let bench = Bench::new();
    bench.start(1, "gives-up", false);
    pass(Duration::from_millis(1)).await;
    let reported = ["started 1", "checkpoints 1: 7", "progress 1: 1 of 2"];
    assert_eq!(bench.said(), reported);
    assert!(bench.said().is_empty());
    bench.runtime.session_began(LinkId(0), true);
    assert!(bench.said().is_empty(), "no node has claimed the partition");
    bench.runtime.take(LinkId(1), vec![Lease { term: 2, ..LEASE }]);
    assert!(bench.said().is_empty(), "another node acts on it");
    bench.runtime.take(LinkId(0), vec![Lease { term: 3, ..LEASE }]);
    assert_eq!(bench.said(), [&["holding 1"], reported.as_slice()].concat());
}

#[tokio::test(start_paused = true)]
async fn an_unsuccessful_outcome_includes_the_last_checkpoint() {
    let bench = Bench::new();
    bench.start(1, "gives-up", false);
    pass(Duration::from_millis(1)).await;
    bench.stop(1).await;
    assert_eq!(bench.said(), ["progress 1: 1 of 2", "finished 1 stopped with 7"]);
}

#[tokio::test(start_paused = true)]
async fn exclusive_attempts_are_stopped_after_a_silence_and_others_keep_running() {
    let bench = Bench::new();
    bench.heard();
    bench.start(1, "gives-up", true);
    bench.start(2, "gives-up", false);
    pass(LIMIT / 2).await;
    bench.heard();
    bench.said();
    pass(LIMIT - Duration::from_millis(1)).await;
    assert!(bench.said().is_empty());
    pass(Duration::from_millis(2)).await;
    assert_eq!(bench.said(), ["finished 1 executor lost with 7"]);
    pass(LIMIT * 10).await;
    assert!(bench.said().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_exclusive_attempt_that_does_not_stop_is_aborted_a_third_of_the_limit_later() {
    let bench = Bench::new();
    bench.heard();
    bench.start(1, "stubborn", true);
    pass(LIMIT * 4 / 3 - Duration::from_millis(1)).await;
    assert_eq!(bench.said().len(), 3, "it still runs, though its grace is longer");
    pass(Duration::from_millis(2)).await;
    assert_eq!(bench.said(), ["finished 1 executor lost with 7"]);
}

#[tokio::test(start_paused = true)]
async fn an_exclusive_attempt_that_arrives_too_late_is_not_entered() {
    let bench = Bench::new();
    bench.heard();
    pass(LIMIT).await;
    bench.start(1, "gives-up", true);
    pass(Duration::from_millis(1)).await;
    assert_eq!(bench.said(), ["finished 1 executor lost with 6"]);
    bench.heard();
    bench.start(2, "gives-up", true);
    pass(Duration::from_millis(1)).await;
    assert_eq!(bench.said()[0], "started 2");
}

#[tokio::test(start_paused = true)]
async fn no_more_run_at_a_time_than_the_executor_has_places() {
    let bench = Bench::new();
    for id in 1..=5 {
        bench.start(id, "gives-up", false);
    }
    pass(Duration::from_millis(1)).await;
    assert_eq!(bench.said()[0], "started 1, 2, 3");
    assert_eq!(bench.runtime.stat_counts(), (3, 2));
    assert_eq!(bench.runtime.holding().len(), 5);
    bench.stop(2).await;
    assert_eq!(bench.said()[0], "started 4", "the first that arrived");
    bench.stop(5).await;
    assert_eq!(bench.said().last().unwrap(), "finished 5 stopped with none", "not entered");
    bench.stop(1).await;
    assert_eq!(bench.runtime.stat_counts(), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_waits_for_a_place_keeps_its_turn_in_its_lane() {
    let bench = Bench::new();
    for id in 1..=3 {
        bench.start(id, "gives-up", false);
    }
    for id in 11..=13 {
        bench.start_blocked(id, 2, BlockStrategy::Serial);
    }
    pass(Duration::from_millis(1)).await;
    bench.said();
    // The next attempt in the lane gets the turn, and waits for a place instead.
    bench.stop(11).await;
    assert_eq!(bench.said(), ["finished 11 stopped with none"]);
    bench.stop(1).await;
    bench.stop(2).await;
    assert_eq!(bench.said()[0], "started 12", "and it is not yet the turn of 13");
    assert_eq!(bench.runtime.stat_counts(), (2, 1));
    bench.stop(12).await;
    assert_eq!(bench.said()[0], "started 13");
}

#[tokio::test(start_paused = true)]
async fn block_strategies_treat_attempts_that_wait_for_a_place_like_running_ones() {
    let bench = Bench::new();
    for id in 1..=3 {
        bench.start(id, "gives-up", false);
    }
    pass(Duration::from_millis(1)).await;
    bench.said();
    bench.start_blocked(11, 2, BlockStrategy::ReplaceRunning);
    bench.start_blocked(12, 2, BlockStrategy::ReplaceRunning);
    bench.start_blocked(21, 3, BlockStrategy::SkipNew);
    bench.start_blocked(22, 3, BlockStrategy::SkipNew);
    assert_eq!(bench.said(), ["finished 11 stopped with none, 22 skipped with none"]);
    bench.stop(1).await;
    bench.stop(2).await;
    assert_eq!(bench.runtime.stat_counts(), (3, 0));
    bench.runtime.leave();
    assert_eq!(bench.said()[0], "goodbye ", "nothing waits");
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_an_older_task_ends_as_stopped_and_leaves_the_newer_one_alone() {
    let bench = Bench::new();
    bench.start_blocked(20, 2, BlockStrategy::ReplaceRunning);
    pass(Duration::from_millis(1)).await;
    bench.said();
    let (turn, job) = (by(BlockStrategy::ReplaceRunning), JobId(2));
    bench.start_one(Attempt { task: TaskId(10), number: 2, job, turn, ..attempt(30) });
    pass(Duration::from_millis(1)).await;
    assert_eq!(bench.said(), ["finished 30 stopped with none"]);
    assert_eq!(bench.runtime.stat_counts(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn attempts_that_wait_for_a_place_are_returned_when_the_process_stops() {
    let bench = Bench::new();
    for id in 1..=3 {
        bench.start(id, "gives-up", false);
    }
    for id in 11..=13 {
        bench.start_blocked(id, 2, BlockStrategy::Serial);
    }
    pass(Duration::from_millis(1)).await;
    bench.said();
    bench.runtime.leave();
    assert_eq!(bench.said(), ["goodbye 11, 12, 13"]);
    bench.stop(1).await;
    assert_eq!(bench.runtime.stat_counts(), (2, 0), "the place stays free");
}
