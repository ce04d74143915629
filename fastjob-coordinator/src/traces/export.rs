//! Sends spans to a collector, in batches.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanExporter as _},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{
    metadata::MetadataMap,
    transport::{ClientTlsConfig, Endpoint},
};

use super::{Exporter, Item, span};
use crate::config::TracesConfig;

/// The maximum number of spans of one message.
const BATCH: usize = 1_024;
/// How long spans wait for others.
const GATHER: Duration = Duration::from_secs(1);

impl Exporter {
    /// Exports spans until `stop` is cancelled, and then those that are left.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let exporter = match exporter(&self.config, &self.node) {
            Ok(exporter) => Some(exporter),
            Err(error) => {
                // The settings were checked, so this is rare: of the system's certificates.
                tracing::error!(%error, "spans cannot be exported, they are dropped");
                None
            }
        };
        let mut health = Health::Unknown;
        loop {
            let mut batch = Vec::new();
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                some = self.queue.recv_many(&mut batch, BATCH) => if some == 0 { return },
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = gather(&mut self.queue, &mut batch) => {}
            }
            while batch.len() < BATCH
                && let Ok(item) = self.queue.try_recv()
            {
                batch.push(item);
            }
            if batch.is_empty() {
                // It was asked to stop, and nothing is left.
                return;
            }
            self.export(exporter.as_ref(), batch, &mut health).await;
        }
    }

    async fn export(&self, exporter: Option<&SpanExporter>, batch: Vec<Item>, health: &mut Health) {
        let many = batch.len() as u64;
        let Some(exporter) = exporter else { return self.metrics.traces.failed(many) };
        let batch: Vec<SpanData> = batch.iter().map(span::of).collect();
        let sent = tokio::time::timeout(self.config.timeout, exporter.export(batch)).await;
        let result = match sent {
            Ok(result) => result.map_err(|err| err.to_string()),
            Err(_) => Err("the collector did not answer in time".to_owned()),
        };
        match result {
            Ok(()) => {
                self.metrics.traces.exported(many);
                if std::mem::replace(health, Health::Well) == Health::Failing {
                    tracing::info!("spans are exported again");
                }
            }
            Err(error) => {
                self.metrics.traces.failed(many);
                if std::mem::replace(health, Health::Failing) != Health::Failing {
                    let endpoint = self.config.endpoint.as_deref().unwrap_or_default();
                    tracing::warn!(
                        endpoint,
                        error,
                        "spans cannot be exported: those that cannot be sent are dropped until the \
                         collector accepts some; jobs are not affected"
                    );
                }
            }
        }
    }
}

/// How the last export ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Unknown,
    Well,
    Failing,
}

/// Adds what comes within a moment, up to a whole batch.
async fn gather(queue: &mut mpsc::Receiver<Item>, batch: &mut Vec<Item>) {
    let gathering = async {
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            if queue.recv_many(batch, room).await == 0 {
                return;
            }
        }
    };
    // Either the batch is full, or the time is over.
    tokio::time::timeout(GATHER, gathering).await.ok();
}

fn exporter(config: &TracesConfig, node: &str) -> Result<SpanExporter, String> {
    let endpoint = config.endpoint.clone().unwrap_or_default();
    let is_secure = endpoint.starts_with("https:");
    let wrong = |err: &dyn std::error::Error| err.to_string();
    let mut channel = Endpoint::from_shared(endpoint)
        .map_err(|err| wrong(&err))?
        .connect_timeout(config.timeout)
        .timeout(config.timeout);
    if is_secure {
        let tls = ClientTlsConfig::new().with_enabled_roots();
        channel = channel.tls_config(tls).map_err(|err| wrong(&err))?;
    }
    let mut headers = http::HeaderMap::new();
    for (name, value) in &config.headers {
        let name: http::HeaderName = name.parse().map_err(|err| wrong(&err))?;
        let value = value.expose().parse::<http::HeaderValue>().map_err(|err| wrong(&err))?;
        headers.insert(name, value);
    }
    let mut exporter = SpanExporter::builder()
        .with_tonic()
        .with_channel(channel.connect_lazy())
        .with_timeout(config.timeout)
        .with_metadata(MetadataMap::from_headers(headers))
        .build()
        .map_err(|err| wrong(&err))?;
    let resource = Resource::builder_empty().with_attributes([
        KeyValue::new("service.name", config.service.clone()),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", node.to_owned()),
    ]);
    exporter.set_resource(&resource.build());
    Ok(exporter)
}
