//! The writer thread, which writes log lines to the disk.
//!
//! When an attempt logs a line, it enters the queue once; the writer then writes all its pending
//! lines. The queue has one place per attempt, and the pending lines of all attempts together are
//! bounded, so a hanging disk cannot exhaust the service's memory. The thread ends when the last
//! user of the logs is dropped.

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

/// Maximum bytes of pending lines, for the whole executor.
const BACKLOG_MAX: usize = 64 * 1024 * 1024;

enum Ask {
    Write(Arc<Live>),
    /// Answered when all earlier requests have been processed.
    Flush(oneshot::Sender<()>),
    #[cfg(test)]
    Panic,
    /// Blocks until the other end is dropped.
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
                failures.raise("the log writer thread", panic_text(&*panic));
            }
        };
        thread::Builder::new().name("fastjob-logs".to_owned()).spawn(work)?;
        Ok(Self { queue, waiting: AtomicUsize::new(0), failing: AtomicBool::new(false) })
    }

    /// Reserves `bytes` of the buffer for pending lines; returns false if there is no space.
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
            answer.await.ok(); // an error means that the thread has ended
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

    /// Logs once that writing fails, and once that it works again.
    pub(super) fn report(&self, live: &Live, written: &io::Result<()>) {
        match written {
            Ok(()) => {
                if self.failing.swap(false, Relaxed) {
                    tracing::info!("attempt logs are written again");
                }
            }
            Err(error) => {
                if !self.failing.swap(true, Relaxed) {
                    let path = live.path();
                    tracing::warn!(path = %path.display(), %error,
                        "could not write attempt logs: lines are lost");
                }
            }
        }
    }
}

fn work(asks: &mpsc::Receiver<Ask>) {
    for ask in asks {
        match ask {
            Ask::Write(live) => live.write_out(),
            Ask::Flush(done) => drop(done.send(())), // the caller may have stopped waiting
            #[cfg(test)]
            Ask::Panic => panic!("broken by a test"),
            #[cfg(test)]
            Ask::Hang(guard) => {
                guard.recv().ok();
            }
        }
    }
}
