//! Attempts that arrive before they are due. They wait here, and reach their job's lane when they
//! are due.
//!
//! Until then they can be stopped or returned like every attempt that waits.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastjob_core::AttemptId;
use tokio::{sync::Notify, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Inner, Ready, Runtime, TAKEN,
    attempt::Attempt,
    sleep_until,
    state::{Held, State, Waiting},
};

/// Attempts that are entered under one lock, which all threads need: few, so that these do not sleep
/// while they wait for it.
const AT_ONCE: usize = 4;
/// How long the threads of the handlers have to enter what is due, before another thread helps.
const BLOCKED: Duration = Duration::from_millis(2);

/// The attempts that are not due yet, by their due instants.
#[derive(Default)]
pub(super) struct Early {
    order: BTreeMap<(Instant, AttemptId), Attempt>,
    /// An attempt has become the first one.
    sooner: Arc<Notify>,
}

impl Early {
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.order.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Removes an attempt that is no longer held.
    pub(super) fn remove(&mut self, at: Instant, id: AttemptId) {
        self.order.remove(&(at, id));
    }
}

impl State {
    /// Keeps an attempt until it is due.
    pub(super) fn keep_until(&mut self, at: Instant, arrived: Attempt) {
        self.insert(Held::Waiting(Waiting::early(&arrived, at)));
        let is_first = self.early.next_at().is_none_or(|first| at < first);
        self.early.order.insert((at, arrived.name.id), arrived);
        if is_first {
            self.early.sooner.notify_one();
        }
    }

    /// Lets up to [`AT_ONCE`] due attempts reach their lanes, and returns those that can run now.
    fn take_due(&mut self, now: Instant) -> Vec<Ready> {
        let mut ready = Vec::new();
        for _ in 0..AT_ONCE {
            let Some(first) = self.early.order.first_entry().filter(|first| first.key().0 <= now)
            else {
                break;
            };
            let arrived = first.remove();
            ready.extend(self.arrive(arrived));
        }
        ready
    }
}

impl Runtime {
    /// Enters attempts that arrived early when they are due, until `stop` fires.
    ///
    /// The threads of the handlers enter them: each of them finds what it runs in its own queue. If
    /// handlers block these threads, this one enters a part.
    pub(crate) async fn enter_due(&self, stop: CancellationToken) {
        let sooner = Arc::clone(&self.0.lock().early.sooner);
        let mut threads = JoinSet::new();
        loop {
            let (now, next) = (Instant::now(), self.0.lock().early.next_at());
            let is_due = next.is_some_and(|at| at <= now);
            let look_at = if is_due { Some(now + BLOCKED) } else { next };
            while is_due && threads.len() < self.0.handlers.metrics().num_workers() {
                let inner = Arc::clone(&self.0);
                let enter = async move {
                    while Inner::enter_batch(&inner, now) {
                        // What was entered runs first.
                        tokio::task::yield_now().await;
                    }
                };
                threads.spawn_on(enter, &self.0.handlers);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                Some(ended) = threads.join_next() => match ended {
                    Ok(()) => {}
                    Err(err) if err.is_panic() => {
                        self.0.failures.raise("the entry of due attempts", err.to_string());
                    }
                    // The runtime of the handlers has ended: nothing is left undone here.
                    Err(_) => _ = Inner::enter_batch(&self.0, now),
                },
                () = sooner.notified() => {}
                () = sleep_until(look_at) => {
                    if is_due {
                        Inner::enter_batch(&self.0, now);
                    }
                }
            }
        }
    }
}

impl Inner {
    /// Enters a batch of the attempts that are due at `now`. Returns whether there may be more.
    fn enter_batch(inner: &Arc<Self>, now: Instant) -> bool {
        for _ in 0..TAKEN / AT_ONCE {
            let ready = {
                let mut state = inner.lock();
                if state.early.next_at().is_none_or(|at| at > now) {
                    return false;
                }
                state.take_due(now)
            };
            for ready in ready {
                Self::spawn(inner, ready);
            }
        }
        true
    }
}
