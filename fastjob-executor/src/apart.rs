//! The executor's own thread, apart from those of the service.
//!
//! Handlers run on the service's runtime, and one that blocks takes a thread of it away: a few such,
//! and nothing else runs there. What keeps the executor in touch with its coordinators, and what
//! looks after the time limits of its attempts, therefore has a thread and a small runtime of its
//! own.

use std::{future::Future, io, thread};

use tokio::{runtime, sync::oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{Dispatch, dispatcher, subscriber::NoSubscriber};

use crate::failure::panic_text;

/// Why work on a thread of its own gave no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApartError {
    #[error("the thread could not be started")]
    Start(#[source] io::Error),
    #[error("it {0}")]
    Panicked(String),
}

/// Runs `work` on a thread of its own until it has ended, and returns its result. If the caller
/// drops the future that this returns, the work ends at its next `.await`. What it logs goes where
/// the caller's goes.
///
/// # Errors
///
/// Fails with [`ApartError`] if there is no thread for it, and if it panics.
pub(crate) async fn run<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, ApartError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ApartError::Start)?;
    let abandoned = CancellationToken::new();
    let _guard = abandoned.clone().drop_guard();
    let (done, ended) = oneshot::channel();
    let log = dispatcher::get_default(Dispatch::clone);
    let thread = thread::Builder::new().name("fastjob-executor".to_owned()).spawn(move || {
        // If there is none, one that is set for the whole process later holds here too.
        let _log = (!log.is::<NoSubscriber>()).then(|| dispatcher::set_default(&log));
        let result = runtime.block_on(async {
            tokio::select! {
                result = work => Some(result),
                () = abandoned.cancelled() => None,
            }
        });
        // A disk or a name server that hangs must not delay the end.
        runtime.shutdown_background();
        // The caller may have dropped its end.
        done.send(result).ok();
    });
    let thread = thread.map_err(ApartError::Start)?;
    let result = ended.await;
    match (thread.join(), result) {
        (Err(panic), _) => Err(ApartError::Panicked(panic_text(&*panic))),
        (Ok(()), Ok(Some(result))) => Ok(result),
        (Ok(()), Ok(None) | Err(_)) => Err(ApartError::Panicked("ended without a result".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_goes_on_while_the_threads_of_its_caller_are_blocked() {
        let (said, heard) = std::sync::mpsc::channel();
        let work = tokio::spawn(run(async move {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            said.send(()).unwrap();
        }));
        tokio::task::yield_now().await;
        // Blocks the one thread there is.
        heard.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
        work.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn work_whose_caller_has_gone_ends_and_a_panic_is_an_error() {
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
