//! Controls a running attempt: stops it, aborts it, and gives access to its reports.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{attempt::Attempt, name::Name, reports::Said};
use crate::logs::AttemptLog;

/// Why an attempt has to end before its handler returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// A user asked for it, or a newer attempt replaces it.
    Asked,
    /// It timed out.
    TimeIsUp,
    /// The process stops.
    Leaving,
    /// It is exclusive, and the coordinator can no longer be heard.
    CutOff,
}

/// Stops or aborts a running attempt, and holds its reports.
pub(super) struct Control {
    pub(super) name: Name,
    pub(super) exclusive: bool,
    pub(super) handler: String,
    pub(super) said: Arc<Said>,
    /// Zero means no timeout.
    pub(super) timeout: Duration,
    pub(super) grace: Duration,
    /// Fires when the handler has to end.
    pub(super) token: CancellationToken,
    /// Fires when the handler has to be dropped. Only the attempt waits for it.
    aborted: Notify,
    /// The last checkpoint of the previous attempt.
    pub(super) checkpoint: Option<Arc<str>>,
    why: OnceLock<(Why, Instant)>,
    entered: OnceLock<Entered>,
}

/// What is known once an attempt's handler has been entered.
pub(super) struct Entered {
    pub(super) at: Instant,
    pub(super) started_at: Timestamp,
    pub(super) log: AttemptLog,
}

impl Control {
    pub(super) fn new(attempt: &Attempt) -> Self {
        Self {
            name: attempt.name,
            exclusive: attempt.exclusive,
            handler: attempt.handler.clone(),
            said: Arc::new(Said::new(attempt.name)),
            timeout: attempt.timeout,
            grace: attempt.grace,
            token: CancellationToken::new(),
            aborted: Notify::new(),
            checkpoint: attempt.checkpoint.clone(),
            why: OnceLock::new(),
            entered: OnceLock::new(),
        }
    }

    /// Fires the stop token. The first reason is kept.
    pub(super) fn stop(&self, why: Why) {
        self.why.get_or_init(|| (why, Instant::now()));
        self.token.cancel();
    }

    /// Drops the handler at its next `.await`.
    pub(super) fn abort(&self) {
        self.aborted.notify_one();
    }

    /// Waits until the handler has to be dropped.
    pub(super) async fn aborted(&self) {
        self.aborted.notified().await;
    }

    /// Why and when the stop token fired.
    pub(super) fn stopped(&self) -> Option<(Why, Instant)> {
        self.why.get().copied()
    }

    /// Records that the handler is entered now.
    pub(super) fn enter(&self, started_at: Timestamp, log: AttemptLog) {
        self.entered.get_or_init(|| Entered { at: Instant::now(), started_at, log });
    }

    /// When the handler was entered, if it was.
    pub(super) fn entered(&self) -> Option<&Entered> {
        self.entered.get()
    }
}
