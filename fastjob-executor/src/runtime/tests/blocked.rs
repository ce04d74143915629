//! Handlers that block the only thread of their service.

use std::sync::mpsc;

use super::*;

/// Blocks its thread until the test releases it.
struct Blocks {
    entered: mpsc::Sender<i64>,
    go: Mutex<mpsc::Receiver<()>>,
}

impl JobHandler for Blocks {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        ctx.checkpoint(&1)?;
        ctx.log("blocks");
        self.entered.send(ctx.attempt_id().0).unwrap();
        self.go.lock().unwrap().recv().unwrap();
        Ok("let go".into())
    }
}

/// A service with one thread.
struct Service {
    bench: Bench,
    thread: Option<tokio::runtime::Runtime>,
    entered: mpsc::Receiver<i64>,
    go: mpsc::Sender<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.thread.take().unwrap().shutdown_background();
    }
}

impl Service {
    fn new() -> Self {
        let thread = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let ((enter, entered), (go, wait)) = (mpsc::channel(), mpsc::channel());
        let blocks = Blocks { entered: enter, go: Mutex::new(wait) };
        let handlers = vec![Registration::named("blocks", blocks)];
        let bench = Bench::with(handlers, thread.handle());
        Self { bench, thread: Some(thread), entered, go }
    }

    /// Starts an attempt in a serial lane.
    fn start(&self, id: i64, change: impl FnOnce(&mut Attempt)) {
        let mut attempt = Attempt {
            handler: "blocks".to_owned(),
            turn: by(BlockStrategy::Serial),
            grace: Duration::from_secs(2),
            checkpoint: None,
            ..attempt(id)
        };
        change(&mut attempt);
        self.bench.start_one(attempt);
    }

    /// Waits until an attempt is in its handler.
    fn enters(&self, id: i64) {
        assert_eq!(self.entered.recv_timeout(Duration::from_secs(30)), Ok(id));
    }

    /// Waits until an attempt's end is reported, and returns the report.
    async fn finished(&self) -> String {
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while std::time::Instant::now() < deadline {
            let said = self.bench.said();
            if let Some(found) = said.into_iter().find(|said| said.starts_with("finished")) {
                return found;
            }
            pass(Duration::from_millis(1)).await;
            std::thread::yield_now();
        }
        panic!("nothing ended");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_blocks_its_thread_is_reported_as_started_and_timed_out_and_keeps_its_turn()
{
    let service = Service::new();
    service.start(1, |attempt| attempt.timeout = Duration::from_secs(5));
    service.start(2, |_| {});
    service.enters(1);
    pass(Duration::from_secs(1)).await;
    assert_eq!(service.bench.said(), ["started 1", "checkpoints 1: 1"]);
    pass(Duration::from_secs(5)).await;
    assert!(service.bench.said().is_empty(), "its grace is not over");
    pass(Duration::from_secs(4)).await;
    assert_eq!(service.bench.said(), ["finished 1 timed out with 1"]);
    assert_eq!(
        service.bench.runtime.stat_counts(),
        (1, 1),
        "it still runs, and the next one waits"
    );
    service.bench.recorded(&[1]);
    assert_eq!(service.bench.runtime.holding(), [AttemptId(2)]);
    service.start(1, |_| {});
    let again = ["finished 1 timed out with 1"];
    assert_eq!(service.bench.said(), again, "it does not run twice");
    service.go.send(()).unwrap();
    service.enters(2);
    assert_eq!(service.bench.runtime.stat_counts(), (1, 0));
    service.go.send(()).unwrap();
    assert_eq!(service.finished().await, "finished 2 succeeded with none");
    assert_eq!(service.bench.runtime.stat_counts(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_blocks_its_thread_is_stopped_and_one_behind_it_is_not_entered() {
    let service = Service::new();
    service.start(1, |_| {});
    service.enters(1);
    service.start(2, |attempt| attempt.job = JobId(2));
    pass(Duration::from_secs(1)).await;
    assert_eq!(service.bench.said()[0], "started 1", "the other waits for the thread");
    service.bench.stop_now(&[1, 2]);
    pass(Duration::from_secs(4)).await;
    assert_eq!(service.bench.said(), ["finished 1 stopped with 1"]);
    service.go.send(()).unwrap();
    assert_eq!(service.finished().await, "finished 2 stopped with none");
    assert!(service.entered.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_attempt_keeps_its_turn_from_one_that_replaces_it() {
    let service = Service::new();
    let replaces = |attempt: &mut Attempt| attempt.turn = by(BlockStrategy::ReplaceRunning);
    service.start(1, replaces);
    service.enters(1);
    service.start(2, replaces);
    pass(Duration::from_secs(4)).await;
    assert_eq!(service.bench.said().last().unwrap(), "finished 1 stopped with 1");
    service.start(3, replaces);
    assert_eq!(service.bench.said(), ["finished 2 stopped with none"]);
    assert_eq!(service.bench.runtime.stat_counts(), (1, 1));
    service.go.send(()).unwrap();
    service.enters(3);
    service.go.send(()).unwrap();
    assert_eq!(service.finished().await, "finished 3 succeeded with none");
    assert_eq!(service.bench.runtime.stat_counts(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_exclusive_attempt_that_blocks_its_thread_is_not_reported_before_it_has_ended() {
    let service = Service::new();
    let timeout = Duration::from_secs(5);
    service.start(1, |attempt| (attempt.timeout, attempt.exclusive) = (timeout, true));
    service.enters(1);
    pass(Duration::from_secs(60)).await;
    assert_eq!(service.bench.said(), ["started 1", "checkpoints 1: 1"]);
    service.go.send(()).unwrap();
    assert_eq!(service.finished().await, "finished 1 timed out with 1");
}
