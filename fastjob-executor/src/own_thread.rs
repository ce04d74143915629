//! The executor's own thread, separate from the service's runtime threads.
//!
//! Handlers run on the service's runtime. A handler that blocks occupies one of its threads, and a
//! few blocking handlers stall the whole runtime. The parts that keep the connections to the
//! coordinators alive and enforce attempt timeouts therefore run on their own thread, with a small
//! runtime.

use std::{future::Future, io, thread};

use tokio::{runtime, sync::oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{Dispatch, dispatcher, subscriber::NoSubscriber};

use crate::failure::panic_text;

/// Why work on its own thread returned no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ThreadError {
    #[error("the thread could not be started")]
    Start(#[source] io::Error),
    #[error("it {0}")]
    Panicked(String),
}

/// Runs `work` to completion on its own thread and returns its result. If the caller drops the
/// returned future, the work ends at its next `.await`. Log output goes to the caller's subscriber.
///
/// # Errors
///
/// Fails with [`ThreadError`] if the thread cannot be started or the work panics.
pub(crate) async fn run<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, ThreadError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ThreadError::Start)?;
    let abandoned = CancellationToken::new();
    let _guard = abandoned.clone().drop_guard();
    let (done, ended) = oneshot::channel();
    let log = dispatcher::get_default(Dispatch::clone);
    let thread = thread::Builder::new().name("fastjob-executor".to_owned()).spawn(move || {
        // Without a scoped subscriber, a global one that is installed later applies here too.
        let _log = (!log.is::<NoSubscriber>()).then(|| dispatcher::set_default(&log));
        let result = runtime.block_on(async {
            tokio::select! {
                result = work => Some(result),
                () = abandoned.cancelled() => None,
            }
        });
        // A hanging disk or name server must not delay the shutdown.
        runtime.shutdown_background();
        // The caller may have dropped the receiver.
        done.send(result).ok();
    });
    let thread = thread.map_err(ThreadError::Start)?;
    let result = ended.await;
    match (thread.join(), result) {
        (Err(panic), _) => Err(ThreadError::Panicked(panic_text(&*panic))),
        (Ok(()), Ok(Some(result))) => Ok(result),
        (Ok(()), Ok(None) | Err(_)) => Err(ThreadError::Panicked("ended without a result".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_continues_while_the_callers_threads_are_blocked() {
        let (said, heard) = std::sync::mpsc::channel();
        let work = tokio::spawn(run(async move {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            said.send(()).unwrap();
        }));
        tokio::task::yield_now().await;
        // Blocks the only thread.
        heard.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
        work.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn work_ends_when_its_caller_is_dropped_and_a_panic_is_an_error() {
        let (kept, dropped) = oneshot::channel::<()>();
        let work = tokio::spawn(run(async move {
            let _kept = kept;
            std::future::pending::<()>().await
        }));
        tokio::task::yield_now().await;
        work.abort();
        assert!(dropped.await.is_err());
        let panics = run(async { panic!("oh no") }).await;
        assert_eq!(panics.unwrap_err().to_string(), "it panicked: oh no");
    }
}
