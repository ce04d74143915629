//! The one thread that carries lines to the disk.
//!
//! An attempt puts itself in the queue at a line and is written out with all that came since. The
//! queue has one place per attempt, and the lines that wait are bounded for all attempts together:
//! a disk that stands still cannot eat the service's memory. The thread ends by itself when the
//! last user of the logs is gone.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
};

use tokio::sync::oneshot;

use super::attempt::Live;
use crate::failure::{Failures, panic_text};

/// Most bytes of lines that wait for the disk, in the whole executor.
const BACKLOG_MAX: usize = 64 * 1024 * 1024;

enum Ask {
    Write(Arc<Live>),
    /// Answered when everything asked before has been done.
    Flush(oneshot::Sender<()>),
    #[cfg(test)]
    Panic,
    /// Waits until the other end is dropped.
    #[cfg(test)]
    Hang(mpsc::Receiver<()>),
}

pub(super) struct Writer {
    queue: mpsc::Sender<Ask>,
    waiting: AtomicUsize,
    failing: AtomicBool,
}

impl Writer {
    /// Starts the thread. If it panics, the executor ends.
    pub(super) fn start(failures: Failures) -> io::Result<Self> {
        let (queue, asks) = mpsc::channel();
        let work = move || {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(&asks))) {
                failures.raise("the thread that writes logs", panic_text(&*panic));
            }
        };
        thread::Builder::new().name("fastjob-logs".to_owned()).spawn(work)?;
        Ok(Self { queue, waiting: AtomicUsize::new(0), failing: AtomicBool::new(false) })
    }

    /// Takes `bytes` of the room for lines that wait; false if there is none left.
    pub(super) fn reserve(&self, bytes: usize) -> bool {
        let fits = |waiting: usize| waiting.checked_add(bytes).filter(|sum| *sum <= BACKLOG_MAX);
        self.waiting.fetch_update(Relaxed, Relaxed, fits).is_ok()
    }

    pub(super) fn release(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Relaxed);
    }

    pub(super) fn queue(&self, live: Arc<Live>) {
        // Fails only if the thread panicked; then the executor ends.
        self.queue.send(Ask::Write(live)).ok();
    }

    pub(super) async fn flush(&self) {
        let (done, answer) = oneshot::channel();
        if self.queue.send(Ask::Flush(done)).is_ok() {
            answer.await.ok(); // an error means that the thread is gone: nothing to wait for
        }
    }

    #[cfg(test)]
    pub(super) fn panics(&self) {
        self.queue.send(Ask::Panic).ok();
    }

    #[cfg(test)]
    pub(super) fn hangs(&self) -> mpsc::Sender<()> {
        let (guard, hangs) = mpsc::channel();
        self.queue.send(Ask::Hang(hangs)).ok();
        guard
    }

    /// Says once that logs cannot be written, until they can again.
    pub(super) fn report(&self, live: &Live, written: &io::Result<()>) {
        match written {
            Ok(()) => {
                if self.failing.swap(false, Relaxed) {
                    tracing::info!("logs of attempts are written again");
                }
            }
            Err(error) => {
                if !self.failing.swap(true, Relaxed) {
                    let path = live.path();
                    tracing::warn!(path = %path.display(), %error, "cannot write logs of attempts");
                }
            }
        }
    }
}

fn work(asks: &mpsc::Receiver<Ask>) {
    for ask in asks {
        match ask {
            Ask::Write(live) => live.write_out(),
            Ask::Flush(done) => drop(done.send(())), // nobody waits any more: fine
            #[cfg(test)]
            Ask::Panic => panic!("broken by a test"),
            #[cfg(test)]
            Ask::Hang(guard) => {
                guard.recv().ok();
            }
        }
    }
}
