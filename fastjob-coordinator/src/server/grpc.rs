//! The little that the port knows of gRPC: how to tell a call, and how to refuse it.

use axum::response::Response;
use http::{HeaderMap, header::CONTENT_TYPE};

/// By this call a coordinator proves that it is of a cluster.
pub(super) const PROVE: &str = "/fastjob.v1.ClusterProof/Prove";

/// Whether a request is a gRPC call.
pub(super) fn is_spoken(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(b"application/grpc"))
}

/// An answer of trailers only.
pub(super) fn refusal(code: tonic::Code, message: String) -> Response {
    tonic::Status::new(code, message).into_http()
}
