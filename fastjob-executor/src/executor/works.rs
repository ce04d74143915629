//! The parts of a running executor: starts them, and stops them together.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    failure::{Failure, Parts},
    logs::Logs,
    runtime::Runtime,
    session::{Identity, Link, Peers, Place},
};

/// How long a stopping process waits for attempt logs to reach the disk.
const LOGS: Duration = Duration::from_secs(5);

/// How long a stopping process waits for attempt logs to be uploaded, if a coordinator keeps them.
const UPLOADS: Duration = Duration::from_secs(10);

/// Everything that runs beside the handlers.
pub(super) struct Works {
    pub(super) identity: Identity,
    pub(super) runtime: Runtime,
    pub(super) logs: Logs,
}

/// When the executor ends, for any reason, its attempts end too.
struct EndsAll(Runtime);

impl Drop for EndsAll {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl Works {
    /// Runs until `stop` fires, then drains.
    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let Self { identity, runtime, logs } = self;
        let _ends_all = EndsAll(runtime.clone());
        let grace = identity.config.stop_grace;
        let addresses = identity.config.coordinators.clone();
        let identity = Arc::new(identity);
        let peers = Peers::default();
        let failures = logs.failures();
        // Links end when everything has been delivered, or at the deadline.
        let done = CancellationToken::new();
        let mut parts = Parts::default();
        let (linked, failing, stopping) = (runtime.clone(), failures.clone(), done.clone());
        let uploads = logs.uploads();
        parts.spawn("the link manager", async move {
            let run = |id, place: Place, stop| {
                let (identity, runtime) = (Arc::clone(&identity), linked.clone());
                let Place { address, node } = place;
                let (peers, uploads) = (peers.clone(), uploads.clone());
                Link { id, address, node, identity, runtime, peers, uploads, stop }.run()
            };
            peers.keep_links(&addresses, (&failing, &stopping), run).await;
        });
        let (sweeping, sweeper) = (done.clone(), logs.clone());
        parts.spawn("the log sweeper", async move { sweeper.sweep_loop(sweeping).await });
        let (uploading, uploader) = (done.clone(), logs.clone());
        parts.spawn("the upload of logs", async move { uploader.upload_loop(uploading).await });
        let (watching, watched) = (done.clone(), runtime.clone());
        parts.spawn("the silence watchdog", async move { watched.watch_silence(watching).await });
        let (watching, watched) = (done.clone(), runtime.clone());
        parts.spawn("the attempt watchdog", async move {
            watched.watch_attempts(watching).await;
        });
        let (entering, entered) = (done.clone(), runtime.clone());
        parts.spawn("the entry of due attempts", async move { entered.enter_due(entering).await });
        let ends = async {
            stop.cancelled().await;
            tracing::info!("executor is stopping");
            runtime.leave();
            runtime.drain(grace).await;
        };
        tokio::select! {
            () = ends => {}
            () = failures.raised() => {}
            // No part may end before this.
            part = parts.next(&failures) => {
                if failures.first().is_none() {
                    failures.raise(part, "ended unexpectedly");
                }
            }
        }
        if failures.first().is_some() {
            runtime.give_up();
            runtime.flush().await;
        }
        if timeout(LOGS, logs.flush()).await.is_err() {
            tracing::warn!(
                waited = ?LOGS,
                "the last lines of attempt logs may be lost: writing them to disk timed out"
            );
        }
        let left = logs.uploads().finish(UPLOADS).await;
        if left > 0 {
            tracing::warn!(
                logs = left,
                "attempt logs are not uploaded completely: an executor that starts with this log \
                 path uploads the rest"
            );
        }
        done.cancel();
        parts.all(&failures).await;
        tracing::info!("executor stopped");
        failures.first().map_or(Ok(()), Err)
    }
}
