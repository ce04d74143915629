//! Metrics.

use utoipa::openapi::{Content, ResponseBuilder, schema::Type};

use super::{call::Call, param::typed};

pub(super) fn calls() -> Vec<Call> {
    let text = || Content::new(Some(typed(Type::String)));
    let answer = ResponseBuilder::new()
        .description("The metrics of this node.")
        .content("application/openmetrics-text", text())
        .content("text/plain", text());
    vec![
        Call::get("/metrics", "getMetrics", "Read metrics")
            .about(
                "In OpenMetrics, or in the older text format of Prometheus if the request accepts \
                 only that.",
            )
            .responds(answer),
    ]
}
