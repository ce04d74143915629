//! When a part of the executor fails, the whole executor ends.

use std::{sync::Mutex, time::Duration};

use fastjob_core::{JobContext, JobHandler, JobResult, Lease, Partition};
use tokio::sync::oneshot;

use super::*;
use crate::{
    registration::Registration,
    registry::Discovery,
    runtime::{Attempt, LinkId, Name},
    state::States,
};

/// Never ends; reports when it is entered and when it is dropped.
struct Endless {
    entered: Mutex<Option<oneshot::Sender<()>>>,
    dropped: Mutex<Option<oneshot::Sender<()>>>,
}

impl JobHandler for Endless {
    async fn execute(&self, _: &JobContext) -> JobResult {
        let _dropped = self.dropped.lock().unwrap().take();
        self.entered.lock().unwrap().take().unwrap().send(()).unwrap();
        std::future::pending().await
    }
}

/// An executor with a running attempt, whose coordinator is unreachable.
struct Alone {
    works: Works,
    dropped: oneshot::Receiver<()>,
    _folder: tempfile::TempDir,
}

impl Alone {
    async fn new() -> Self {
        let ((enter, entered), (drop, dropped)) = (oneshot::channel(), oneshot::channel());
        let endless = Endless { entered: Mutex::new(Some(enter)), dropped: Mutex::new(Some(drop)) };
        let service: ServiceName = "test".parse().unwrap();
        let handlers = vec![Registration::named("endless", endless)];
        let registry = Arc::new(
            Registry::collect(&service, Discovery::Off, handlers, &States::default()).unwrap(),
        );
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::open(folder.path(), 1, 64 << 20).unwrap();
        let clock = Clock::manual();
        let runtime = Runtime::new(Arc::clone(&registry), logs.clone(), Capture::new(), 10, clock);
        let lease = Lease { partition: Partition(0), term: 1 };
        runtime.take(LinkId(9), vec![lease]);
        let attempt = Attempt::for_test(Name::of(1, 7), "endless");
        runtime.start(LinkId(9), lease, vec![attempt]);
        entered.await.unwrap();
        let identity = Identity {
            service,
            name: "executor-1".parse().unwrap(),
            secret: "1".repeat(32),
            registry,
            figures: Figures::new(),
            metrics: crate::metrics::ExecutorMetrics::default(),
            key: None,
            // No server listens on this port.
            config: ExecutorConfig {
                coordinators: vec!["http://127.0.0.1:9".to_owned()],
                ..ExecutorConfig::default()
            },
            ca_cert: None,
        };
        Self { works: Works { identity, runtime, logs }, dropped, _folder: folder }
    }
}

#[tokio::test(start_paused = true)]
async fn an_executor_whose_log_writer_panics_ends_with_an_error_and_aborts_running_attempts() {
    let Alone { works, dropped, _folder } = Alone::new().await;
    works.logs.break_writer();
    let failure = works.run(CancellationToken::new()).await.unwrap_err();
    assert_eq!(failure.part, "the log writer thread");
    assert!(dropped.await.is_err(), "the handler was dropped");
    let text = ExecutorError::from(failure).to_string();
    assert_eq!(
        text,
        "the executor ended because the log writer thread failed: panicked: broken by a test"
    );
}

#[tokio::test(start_paused = true)]
async fn an_executor_whose_log_disk_hangs_ends_when_it_is_stopped() {
    let Alone { works, dropped, _folder } = Alone::new().await;
    let _hangs = works.logs.hang_writer();
    let stop = CancellationToken::new();
    stop.cancel();
    let run = tokio::time::timeout(Duration::from_secs(600), works.run(stop)).await;
    run.expect("it ends").unwrap();
    assert!(dropped.await.is_err());
}

#[tokio::test]
async fn an_executor_whose_future_is_dropped_aborts_running_attempts() {
    let Alone { works, dropped, _folder } = Alone::new().await;
    let run = tokio::spawn(works.run(CancellationToken::new()));
    tokio::task::yield_now().await;
    run.abort();
    assert!(dropped.await.is_err());
}
