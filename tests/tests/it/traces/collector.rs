//! A collector of traces, which speaks OTLP over gRPC.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use fastjob_tests::eventually;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// A span as it was received.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Received {
    /// The `service.name` of its resource.
    pub(super) service: String,
    pub(super) name: String,
    pub(super) kind: SpanKind,
    pub(super) trace: String,
    pub(super) span: String,
    /// Empty for the root of a trace.
    pub(super) parent: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) is_error: bool,
    pub(super) message: String,
    pub(super) begun: u64,
    pub(super) ended: u64,
}

impl Received {
    pub(super) fn has(&self, key: &str, value: impl ToString) -> bool {
        self.attributes.get(key) == Some(&value.to_string())
    }
}

/// A collector that remembers all spans. It ends with the runtime of its test.
#[derive(Clone, Default)]
pub(super) struct Collector {
    received: Arc<Mutex<Vec<Received>>>,
    port: u16,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let collector = Self { port, ..Self::default() };
        let service = TraceServiceServer::new(collector.clone());
        let incoming = TcpListenerStream::new(listener);
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(incoming));
        collector
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn spans(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits for so many spans that match.
    pub(super) async fn some(
        &self,
        what: &str,
        many: usize,
        matches: impl Fn(&Received) -> bool,
    ) -> Vec<Received> {
        let found = eventually(what, Duration::from_secs(30), async || {
            let mut spans = self.spans();
            spans.retain(&matches);
            (spans.len() >= many).then_some(spans)
        });
        let found = found.await;
        assert_eq!(found.len(), many, "{what}: {found:#?}");
        found
    }

    /// Waits for the only span that matches.
    pub(super) async fn one(&self, what: &str, matches: impl Fn(&Received) -> bool) -> Received {
        self.some(what, 1, matches).await.remove(0)
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut received = self.received.lock().unwrap();
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.map(|resource| texts(resource.attributes));
            let attributes = attributes.unwrap_or_default();
            let service = attributes.get("service.name").cloned().unwrap_or_default();
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                received.push(read(&service, span));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn read(service: &str, span: Span) -> Received {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let status = span.status.clone().unwrap_or_default();
    Received {
        service: service.to_owned(),
        kind: span.kind(),
        trace: hex(&span.trace_id),
        span: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name,
        attributes: texts(span.attributes),
        is_error: status.code() == StatusCode::Error,
        message: status.message,
        begun: span.start_time_unix_nano,
        ended: span.end_time_unix_nano,
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |pair: KeyValue| {
        let value = match pair.value.and_then(|value| value.value) {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => number.to_string(),
            other => format!("{other:?}"),
        };
        (pair.key, value)
    };
    attributes.into_iter().map(text).collect()
}
