//! The door for the nodes of the cluster: what is theirs is open to their credential alone.

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

/// Lets a question of a node pass with the [`Question`](crate::ops::Question) that it is, and whatever
/// is not for nodes as it is.
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
            tracing::debug!(%err, "refused a call for nodes");
            Problem::new(Kind::NotANode, err.to_string()).into_response()
        }
    }
}
