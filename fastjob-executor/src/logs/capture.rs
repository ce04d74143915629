//! Captures the events of a handler into its attempt's log, without any setup.
//!
//! While a handler is polled, the current dispatcher is a tee. It forwards everything to the
//! previous subscriber, which still decides about spans and their ids, and also appends events at
//! INFO and above to the attempt's log. One tee serves all attempts, because a new dispatcher makes
//! `tracing` rebuild its callsite cache. A task that a handler spawns runs under the dispatcher of
//! the thread that polls it, as usual with `tracing`: its events reach the subscriber, but not the
//! log.
//!
//! The tee cannot expose the subscriber's own type (`Dispatch::downcast_ref`), since that requires
//! `unsafe`. Services that need it add [`JobLogLayer`]; the tee is then not used.

use std::{
    cell::Cell,
    sync::{Arc, OnceLock},
};

use tracing::{
    Dispatch, Event, Metadata, Subscriber,
    callsite::Identifier,
    dispatcher,
    instrument::WithSubscriber as _,
    level_filters::LevelFilter,
    span,
    subscriber::{Interest, NoSubscriber},
};
use tracing_core::span::Current;

use super::{
    AttemptLog,
    layer::{self, CURRENT, JobLogLayer},
};

/// Created once per executor, while the user's subscriber is current. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Capture(Arc<Taps>);

struct Taps {
    first: Tap,
    /// Set once if there was no subscriber at first and one was installed later.
    late: OnceLock<Tap>,
}

/// How the events of handlers are captured.
enum Tap {
    Tee {
        tee: Dispatch,
        blind: bool,
    },
    /// The user's subscriber has the layer.
    Layer,
}

impl Capture {
    /// Captures in addition to the current dispatcher.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Taps { first: Tap::here(), late: OnceLock::new() }))
    }

    /// Runs a handler's future; its events go to `log`.
    pub(crate) async fn scope<F: Future>(&self, log: AttemptLog, future: F) -> F::Output {
        match self.tap() {
            Tap::Tee { tee, .. } => CURRENT.scope(log, future.with_subscriber(tee.clone())).await,
            Tap::Layer => CURRENT.scope(log, future).await,
        }
    }

    fn tap(&self) -> &Tap {
        let Taps { first, late } = &*self.0;
        match first {
            Tap::Tee { blind: true, .. } => late.get().unwrap_or_else(|| {
                let still_none = dispatcher::get_default(Dispatch::is::<NoSubscriber>);
                if still_none { first } else { late.get_or_init(Tap::here) }
            }),
            Tap::Tee { .. } | Tap::Layer => first,
        }
    }
}

impl Tap {
    fn here() -> Self {
        let outer = dispatcher::get_default(Dispatch::clone);
        if outer.is::<JobLogLayer>() {
            return Self::Layer;
        }
        let blind = outer.is::<NoSubscriber>();
        Self::Tee { tee: Dispatch::new(Tee { outer }), blind }
    }
}

struct Tee {
    outer: Dispatch,
}

thread_local! {
    /// The outer subscriber's last `enabled` answer, and its callsite. The answer is kept until the
    /// event arrives: for a record of the `log` crate, `enabled` sees the record's own target, but
    /// the event has another target.
    static VERDICT: Cell<Option<(Identifier, bool)>> = const { Cell::new(None) };
}

impl Subscriber for Tee {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let outer = self.outer.register_callsite(metadata);
        if !layer::is_wanted(metadata) || outer.is_always() { outer } else { Interest::sometimes() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // The level that the tee needs. `tracing` uses the maximum; the outer subscriber is still
        // asked.
        Some(LevelFilter::INFO)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let outer = self.outer.enabled(metadata);
        if metadata.is_event() {
            VERDICT.set(Some((metadata.callsite(), outer)));
        }
        outer || layer::is_wanted(metadata)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let outer = match VERDICT.take() {
            Some((callsite, verdict)) if callsite == metadata.callsite() => verdict,
            // `enabled` was not called, or formatting the event's values logged another event in
            // between.
            Some(_) | None => self.outer.enabled(metadata),
        };
        if layer::is_wanted(metadata) {
            layer::append(event);
        }
        if outer {
            self.outer.event(event);
        }
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        self.outer.new_span(attributes)
    }

    fn record(&self, id: &span::Id, values: &span::Record<'_>) {
        self.outer.record(id, values);
    }

    fn record_follows_from(&self, id: &span::Id, follows: &span::Id) {
        self.outer.record_follows_from(id, follows);
    }

    fn enter(&self, id: &span::Id) {
        self.outer.enter(id);
    }

    fn exit(&self, id: &span::Id) {
        self.outer.exit(id);
    }

    fn clone_span(&self, id: &span::Id) -> span::Id {
        self.outer.clone_span(id)
    }

    fn try_close(&self, id: span::Id) -> bool {
        self.outer.try_close(id)
    }

    fn current_span(&self) -> Current {
        self.outer.current_span()
    }
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
