//! The executor's own thread, apart from those of the service.
//!
//! Handlers run on the service's runtime, and one that blocks takes a thread of it away: a few such,
//! and nothing else runs there. What keeps the executor in touch with its coordinators, and what
//! looks after the time limits of its attempts, therefore has a thread and a small runtime of its
//! own.

use std::{future::Future, io, panic, thread};

use tokio::{runtime, sync::oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{Dispatch, dispatcher, subscriber::NoSubscriber};

/// Runs `work` on a thread of its own until it has ended. It ends too, at its next `.await`, if
/// nobody waits for it any more. What it logs goes where the caller's goes.
pub(crate) async fn run(work: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let abandoned = CancellationToken::new();
    let _guard = abandoned.clone().drop_guard();
    let (done, ended) = oneshot::channel();
    let log = dispatcher::get_default(Dispatch::clone);
    let thread = thread::Builder::new().name("fastjob-executor".to_owned()).spawn(move || {
        // If there is none, one that is set for the whole process later holds here too.
        let _log = (!log.is::<NoSubscriber>()).then(|| dispatcher::set_default(&log));
        runtime.block_on(async {
            tokio::select! {
                () = work => {}
                () = abandoned.cancelled() => {}
            }
        });
        // A disk or a name server that hangs holds nobody up.
        runtime.shutdown_background();
        // Nobody may be waiting any more.
        done.send(()).ok();
    })?;
    // An error says that it panicked, which is then said where it can be seen.
    drop(ended.await);
    if let Err(panic) = thread.join() {
        panic::resume_unwind(panic);
    }
    Ok(())
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
    async fn work_that_nobody_waits_for_ends_and_a_panic_is_its_callers() {
        let (kept, dropped) = oneshot::channel::<()>();
        let work = tokio::spawn(run(async move {
            let _kept = kept;
            std::future::pending().await
        }));
        tokio::task::yield_now().await;
        work.abort();
        assert!(dropped.await.is_err());
        let panics = tokio::spawn(run(async { panic!("oh no") })).await;
        assert!(panics.unwrap_err().is_panic());
    }
}
