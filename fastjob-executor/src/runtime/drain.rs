//! Shutdown: accepts no more work, lets running attempts end, and delivers their outcomes.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Inner, Runtime,
    control::Why,
    links::LinkId,
    state::{Held, State},
};

/// Minimum time for outcomes to be acknowledged and Goodbye to be answered when the process stops.
/// If more of the grace period is left, that applies.
const FLUSH: Duration = Duration::from_secs(5);

impl Runtime {
    /// Accepts no more work and returns waiting attempts. Announced on every session, including
    /// later ones.
    pub(crate) fn leave(&self) {
        self.0.lock().leave();
        self.0.changed.notify_one();
    }

    /// The link's coordinator has answered a Goodbye: it sends no more work.
    pub(crate) fn farewell(&self, link: LinkId) {
        if let Some(session) = self.0.lock().links.session(link) {
            session.farewell();
        }
        self.0.changed.notify_one();
    }

    /// Lets running attempts end by themselves for half of the grace period, then stops them, then
    /// aborts them. Returns when everything has been delivered, or the time is over.
    pub(crate) async fn drain(&self, grace: Duration) {
        let began = Instant::now();
        let by_itself = self.wait_until(grace / 2, |state| state.held.is_empty());
        if !by_itself.await {
            self.0.stop_all();
            if !self.wait_until(grace / 2, |state| state.held.is_empty()).await {
                self.0.abort_all();
            }
        }
        self.flush_within(grace.saturating_sub(began.elapsed()).max(FLUSH)).await;
    }

    /// Ends everything at once: a part of the executor has failed, and attempts must not run
    /// without it.
    pub(crate) fn give_up(&self) {
        self.0.lock().leave();
        self.0.stop_all();
        self.0.abort_all();
        self.0.changed.notify_one();
    }

    /// Delivers what is left, for a short time only.
    pub(crate) async fn flush(&self) {
        self.flush_within(FLUSH).await;
    }

    /// Waits until all outcomes are acknowledged, and every connected coordinator has confirmed
    /// that the executor leaves and has received the returned attempts. If a coordinator
    /// disconnected before that, waits for the next owner of its partitions.
    async fn flush_within(&self, limit: Duration) {
        let done =
            |state: &State| state.held.is_empty() && state.outbox.len() == 0 && state.has_parted();
        if self.wait_until(limit, done).await {
            return;
        }
        let state = self.0.lock();
        tracing::warn!(
            running = state.held.len(),
            outcomes = state.outbox.len(),
            answered = state.has_parted(),
            "the executor stops before its coordinators have confirmed everything"
        );
    }

    async fn wait_until(&self, deadline: Duration, done: impl Fn(&State) -> bool) -> bool {
        let wait = async {
            loop {
                if done(&self.0.lock()) {
                    return;
                }
                self.0.changed.notified().await;
            }
        };
        tokio::time::timeout(deadline, wait).await.is_ok()
    }
}

impl State {
    /// Whether no coordinator relies on this executor any more, as far as it can know.
    fn has_parted(&self) -> bool {
        self.unconfirmed.is_empty() && self.links.have_parted()
    }
}

impl Inner {
    fn stop_all(&self) {
        for held in self.lock().held.values() {
            if let Held::Running(running) = held {
                running.control.stop(Why::Leaving);
            }
        }
    }

    fn abort_all(&self) {
        for held in self.lock().held.values() {
            if let Held::Running(running) = held {
                running.control.abort();
            }
        }
    }
}
