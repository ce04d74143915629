//! How the port recognizes and rejects gRPC calls.

use axum::{extract::Request, response::Response};
use http::{
    HeaderMap, Method,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

/// Begins a handshake with an executor.
const BEGIN: &str = "/fastjob.v1.Handshake/Begin";
/// Asks the coordinator to prove itself in a handshake.
pub(super) const PROVE: &str = "/fastjob.v1.Handshake/Prove";
/// Opens an executor's session.
pub(super) const JOIN: &str = "/fastjob.v1.ExecutorLink/Join";

/// Keeps a piece of a log.
pub(super) const KEEP: &str = "/fastjob.v1.LogArchive/Keep";

/// Maximum body of the call that begins a handshake: an empty message and its prefix.
const BEGIN_BYTES: u64 = 64;

/// Whether a request is a gRPC call.
pub(super) fn is_spoken(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(b"application/grpc"))
}

/// Whether a request begins a handshake and has a small body.
pub(super) fn begins_handshake(request: &Request) -> bool {
    let length = request.headers().get(CONTENT_LENGTH);
    let length =
        length.map(|length| length.to_str().ok().and_then(|text| text.parse::<u64>().ok()));
    request.uri().path() == BEGIN
        && request.method() == Method::POST
        && is_spoken(request.headers())
        && length.is_none_or(|length| length.is_some_and(|length| length <= BEGIN_BYTES))
}

/// A trailers-only response.
pub(super) fn refusal(code: tonic::Code, message: String) -> Response {
    tonic::Status::new(code, message).into_http()
}
