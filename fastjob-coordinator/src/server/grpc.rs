//! The little that the port knows of gRPC: how to tell a call, and how to refuse it.

use axum::{extract::Request, response::Response};
use http::{
    HeaderMap, Method,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

/// By this call a coordinator proves that it is of a cluster.
pub(super) const PROVE: &str = "/fastjob.v1.ClusterProof/Prove";

/// Longest question for it, with the frame around it.
const PROVE_BYTES: u64 = 2 * 1024;

/// Whether a request is a gRPC call.
pub(super) fn is_spoken(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(b"application/grpc"))
}

/// Whether a request is a question for the proof, and not a large one.
pub(super) fn asks_for_proof(request: &Request) -> bool {
    let length = request.headers().get(CONTENT_LENGTH);
    let length =
        length.map(|length| length.to_str().ok().and_then(|text| text.parse::<u64>().ok()));
    request.uri().path() == PROVE
        && request.method() == Method::POST
        && is_spoken(request.headers())
        && length.is_none_or(|length| length.is_some_and(|length| length <= PROVE_BYTES))
}

/// An answer of trailers only.
pub(super) fn refusal(code: tonic::Code, message: String) -> Response {
    tonic::Status::new(code, message).into_http()
}
