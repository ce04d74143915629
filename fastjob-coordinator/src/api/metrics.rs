//! The metrics of this node, as OpenMetrics or in the older text format of Prometheus.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap,
    header::{ACCEPT, CONTENT_TYPE},
};

use super::Problem;
use crate::{metrics::Format, ops::Ops};

const OPEN_METRICS: &str = "application/openmetrics-text";

pub(super) async fn show(State(ops): State<Ops>, headers: HeaderMap) -> Result<Response, Problem> {
    let format = format(&headers);
    let text = ops.metrics(format).await?;
    let media = match format {
        Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        Format::Text => "text/plain; version=0.0.4; charset=utf-8",
    };
    Ok(([(CONTENT_TYPE, media)], text).into_response())
}

/// OpenMetrics, unless the client lists text formats and not this one: then it is an older scraper,
/// or a browser, which would save a format that it does not know as a file.
fn format(headers: &HeaderMap) -> Format {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepted: Vec<_> = accepted.flat_map(|value| value.split(',')).map(media).collect();
    let has = |name: &str| accepted.iter().any(|media| media.eq_ignore_ascii_case(name));
    match has(OPEN_METRICS) {
        false if has("text/plain") || has("text/html") => Format::Text,
        true | false => Format::OpenMetrics,
    }
}

/// A media type without its parameters.
fn media(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn openmetrics_is_sent_unless_only_other_texts_are_accepted() {
        let accept = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(text));
            format(&headers)
        };
        assert_eq!(format(&HeaderMap::new()), Format::OpenMetrics);
        assert_eq!(accept("*/*"), Format::OpenMetrics);
        let scraper = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
        assert_eq!(accept(scraper), Format::OpenMetrics);
        assert_eq!(accept("text/plain;version=0.0.4, */*;q=0.1"), Format::Text);
        assert_eq!(accept("text/html,application/xhtml+xml,*/*;q=0.8"), Format::Text);
    }
}
