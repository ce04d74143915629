//! The guard for requests of other nodes: internal paths require the cluster's credential.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    api::{Kind, Problem},
    ops::{Credential, INTERNAL, NODE_HEADER},
};

/// Adds a [`Question`](crate::ops::Question) to authenticated requests of nodes. Requests to other
/// paths pass unchanged.
pub(super) async fn stand(
    State(credential): State<Arc<Credential>>,
    mut request: Request,
    next: Next,
) -> Response {
    if !request.uri().path().starts_with(INTERNAL) {
        return next.run(request).await;
    }
    let mut shown = request.headers().get_all(NODE_HEADER).iter();
    let only = shown.next().filter(|_| shown.next().is_none());
    match credential.accept(request.uri().path(), only.map(|shown| shown.as_bytes())) {
        Ok(question) => {
            request.extensions_mut().insert(question);
            next.run(request).await
        }
        Err(err) => {
            tracing::debug!(%err, "rejected a call to an internal path");
            Problem::new(Kind::NotANode, err.to_string()).into_response()
        }
    }
}
