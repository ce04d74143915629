//! Counts of spans, which a node sends to a collector.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::out::{In, Out};

/// What became of the spans of this node.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    exported: AtomicU64,
    full: AtomicU64,
    failed: AtomicU64,
}

impl Traces {
    /// The collector has accepted spans.
    #[cfg(feature = "traces")]
    pub(crate) fn exported(&self, spans: u64) {
        self.exported.fetch_add(spans, Relaxed);
    }

    /// Spans were dropped, because too many wait.
    pub(crate) fn dropped_full(&self, spans: u64) {
        self.full.fetch_add(spans, Relaxed);
    }

    /// Spans were dropped, because the collector did not accept them.
    pub(crate) fn failed(&self, spans: u64) {
        self.failed.fetch_add(spans, Relaxed);
    }

    /// Spans that were dropped, because too many waited.
    #[cfg(test)]
    pub(crate) fn dropped(&self) -> u64 {
        self.full.load(Relaxed)
    }

    pub(super) fn write(&self, out: &mut Out<'_>) -> fmt::Result {
        let help = "Spans that a collector has accepted";
        out.counters(In::Count, "fastjob_spans_exported", help)?
            .count(&[], self.exported.load(Relaxed))?;
        out.counters_by(
            "fastjob_spans_dropped",
            "Spans that were dropped, because too many waited or because the collector did not \
             accept them",
            "reason",
            [("queue_full", self.full.load(Relaxed)), ("not_sent", self.failed.load(Relaxed))],
        )
    }
}
