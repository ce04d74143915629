//! Events inside a handler land in its attempt's log, without any set-up.
//!
//! While a handler is polled, the current dispatcher is a tee: everything goes on to the subscriber
//! that was there before, which keeps deciding about spans and their ids, and events at INFO and
//! above are also appended to the attempt's log. One tee serves all attempts, because a new
//! dispatcher makes `tracing` ask every callsite again. What a handler spawns runs under the
//! dispatcher of whoever polls it, as always with `tracing`: such events reach the subscriber, not
//! the log.
//!
//! What the tee cannot hand through is the subscriber's own type (`Dispatch::downcast_ref`), since
//! that takes `unsafe`. [`JobLogLayer`] is for those who need it; where it is in place there is no
//! tee.

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

/// Made once per executor, where the user's subscriber is current. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Capture(Arc<Taps>);

struct Taps {
    first: Tap,
    /// Set once if there was no subscriber at first, and one came later.
    late: OnceLock<Tap>,
}

/// How the events of handlers are seen.
enum Tap {
    Tee {
        tee: Dispatch,
        blind: bool,
    },
    /// The user's subscriber has the layer.
    Layer,
}

impl Capture {
    /// Captures besides the dispatcher that is current now.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Taps { first: Tap::here(), late: OnceLock::new() }))
    }

    /// Runs a handler's future; what it says goes to `log`.
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
    /// What the outer subscriber said to the callsite it was asked about last. Its answer is kept
    /// until the event comes, since a record of the `log` crate is asked about under its own
    /// target, and then comes under another.
    static VERDICT: Cell<Option<(Identifier, bool)>> = const { Cell::new(None) };
}

impl Subscriber for Tee {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let outer = self.outer.register_callsite(metadata);
        if !layer::is_wanted(metadata) || outer.is_always() { outer } else { Interest::sometimes() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // What the tee adds. `tracing` takes the most of all, and the outer one is still asked.
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
            // Nobody asked, or the event's own values said something in between.
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
