//! Traces: exports what the engines and calls report of recorded traces, by OTLP.
//!
//! Nothing waits for an export. Spans go into a bounded queue, and what does not fit is dropped and
//! counted. A collector that is down or slow is logged once, and changes nothing else.

mod call;
#[cfg(feature = "traces")]
mod export;
#[cfg(feature = "traces")]
mod span;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use fastjob_core::trace::Sampler;
use fastjob_engine::Span;
use tokio::sync::mpsc;

pub(crate) use self::call::{Call, CallSpan};
use crate::{config::TracesConfig, metrics::Metrics};

/// The maximum number of spans that wait to be exported, of about half a kilobyte each.
const QUEUE: usize = 16 * 1024;

/// The spans of this node. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traces(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    sampler: Sampler,
    queue: mpsc::Sender<Item>,
    metrics: Metrics,
}

/// Something to export.
#[derive(Debug)]
#[cfg_attr(not(any(feature = "traces", test)), expect(dead_code, reason = "nothing is exported"))]
enum Item {
    Ended(Span),
    Call(Box<CallSpan>),
}

/// What exports the spans of a node.
pub(crate) struct Exporter {
    queue: mpsc::Receiver<Item>,
    #[cfg_attr(
        not(any(feature = "traces", test)),
        expect(dead_code, reason = "nothing is exported")
    )]
    config: TracesConfig,
    /// The id of this run of the process.
    #[cfg_attr(
        not(any(feature = "traces", test)),
        expect(dead_code, reason = "nothing is exported")
    )]
    node: String,
    metrics: Metrics,
}

impl Traces {
    /// The spans of a node, and what exports them; nothing is recorded without an endpoint.
    pub(crate) fn new(
        config: &TracesConfig,
        metrics: &Metrics,
        node: &str,
    ) -> (Self, Option<Exporter>) {
        // A ratio that is not one was refused when the settings were checked.
        let sampler = config.endpoint.as_ref().and_then(|_| Sampler::new(config.sample).ok());
        let Some(sampler) = sampler else { return (Self::default(), None) };
        let (sender, queue) = mpsc::channel(QUEUE);
        let inner = Inner { sampler, queue: sender, metrics: metrics.clone() };
        let (config, node, metrics) = (config.clone(), node.to_owned(), metrics.clone());
        (Self(Some(Arc::new(inner))), Some(Exporter { queue, config, node, metrics }))
    }

    /// Which new traces are recorded; `None` if no spans are.
    pub(crate) fn sampler(&self) -> Option<Sampler> {
        self.0.as_ref().map(|inner| inner.sampler)
    }

    /// Takes what has ended. Never waits.
    pub(crate) fn report(&self, spans: impl IntoIterator<Item = Span>) {
        if let Some(inner) = &self.0 {
            spans.into_iter().for_each(|span| inner.add(Item::Ended(span)));
        }
    }
}

impl Inner {
    fn add(&self, item: Item) {
        if self.queue.try_send(item).is_err() {
            self.metrics.traces.dropped_full(1);
        }
    }
}

#[cfg(not(feature = "traces"))]
impl Exporter {
    /// Settings that would need this are refused when they are checked.
    pub(crate) async fn run(mut self, _: tokio_util::sync::CancellationToken) {
        while self.queue.recv().await.is_some() {
            self.metrics.traces.failed(1);
        }
    }
}
