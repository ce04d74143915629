//! The way to an attempt that runs: to end it, and to what it says of itself.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use fastjob_core::wire::v1;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{name::Name, reports::Said};
use crate::logs::AttemptLog;

/// Why an attempt is to end before its handler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Somebody asked, or a newer attempt takes its place.
    Asked,
    /// Its time is up.
    TimeIsUp,
    /// The process stops.
    Leaving,
    /// It is exclusive, and its coordinator is not heard any more.
    CutOff,
}

/// The way to end an attempt that runs, and what it says of itself.
pub(super) struct Control {
    pub(super) name: Name,
    pub(super) exclusive: bool,
    pub(super) handler: String,
    pub(super) said: Arc<Said>,
    /// Zero: none.
    pub(super) timeout: Duration,
    pub(super) grace: Duration,
    /// Fires when the handler is to end.
    pub(super) token: CancellationToken,
    /// Fires when the handler is to be dropped.
    pub(super) abort: CancellationToken,
    /// The last checkpoint of the attempt before.
    pub(super) checkpoint: Option<Arc<str>>,
    why: OnceLock<(Why, Instant)>,
    entered: OnceLock<Entered>,
}

/// What there is of an attempt once its handler is entered.
pub(super) struct Entered {
    pub(super) at: Instant,
    pub(super) at_ms: i64,
    pub(super) log: AttemptLog,
}

impl Control {
    pub(super) fn new(attempt: &v1::Attempt) -> Self {
        Self {
            name: Name::of(attempt),
            exclusive: attempt.exclusive,
            handler: attempt.handler.clone(),
            said: Arc::new(Said::new(Name::of(attempt))),
            timeout: Duration::from_millis(attempt.timeout_ms),
            grace: Duration::from_millis(attempt.grace_ms),
            token: CancellationToken::new(),
            abort: CancellationToken::new(),
            checkpoint: attempt.checkpoint.as_deref().map(Arc::from),
            why: OnceLock::new(),
            entered: OnceLock::new(),
        }
    }

    /// Fires the stop token. The first reason holds.
    pub(super) fn stop(&self, why: Why) {
        self.why.get_or_init(|| (why, Instant::now()));
        self.token.cancel();
    }

    /// Drops the handler at its next `.await`.
    pub(super) fn abort(&self) {
        self.abort.cancel();
    }

    /// Why the stop token has fired, and when.
    pub(super) fn stopped(&self) -> Option<(Why, Instant)> {
        self.why.get().copied()
    }

    /// The handler is entered now.
    pub(super) fn enter(&self, at_ms: i64, log: AttemptLog) {
        self.entered.get_or_init(|| Entered { at: Instant::now(), at_ms, log });
    }

    /// When the handler was entered, if it has been.
    pub(super) fn entered(&self) -> Option<&Entered> {
        self.entered.get()
    }
}
