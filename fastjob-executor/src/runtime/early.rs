//! Attempts that arrive before they are due. They wait here, and reach their job's lane when they
//! are due.
//!
//! Until then they can be stopped or returned like every attempt that waits.

use std::{collections::BTreeMap, sync::Arc};

use fastjob_core::AttemptId;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Inner, Ready, Runtime, TAKEN,
    attempt::Attempt,
    sleep_until,
    state::{Held, State, Waiting},
};

/// How many batches of due attempts are entered before the executor's other work continues.
const BATCHES: usize = 16;

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

    /// Lets up to [`TAKEN`] due attempts reach their lanes, and returns those that can run now.
    fn take_due(&mut self, now: Instant) -> Vec<Ready> {
        let mut ready = Vec::new();
        for _ in 0..TAKEN {
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
    pub(crate) async fn enter_due(&self, stop: CancellationToken) {
        let sooner = Arc::clone(&self.0.lock().early.sooner);
        loop {
            let mut next = None;
            for _ in 0..BATCHES {
                let now = Instant::now();
                let ready = {
                    let mut state = self.0.lock();
                    let ready = state.take_due(now);
                    next = state.early.next_at();
                    ready
                };
                for ready in ready {
                    Inner::spawn(&self.0, ready);
                }
                if next.is_none_or(|next| next > now) {
                    break;
                }
            }
            // An instant that has passed would not make it wait.
            tokio::task::yield_now().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = sooner.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }
}
