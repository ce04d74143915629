//! The guard for requests of other nodes: internal paths require the cluster's credential.

use axum::extract::Request;

use crate::{
    api::{Kind, Problem},
    ops::{Credential, INTERNAL, NODE_HEADER},
};

/// Adds a [`Question`](crate::ops::Question) to authenticated requests of nodes. Requests to other
/// paths pass unchanged.
pub(super) fn judge(credential: &Credential, request: &mut Request) -> Result<(), Problem> {
    if !request.uri().path().starts_with(INTERNAL) {
        return Ok(());
    }
    let mut shown = request.headers().get_all(NODE_HEADER).iter();
    let only = shown.next().filter(|_| shown.next().is_none());
    match credential.accept(request.uri().path(), only.map(|shown| shown.as_bytes())) {
        Ok(question) => {
            request.extensions_mut().insert(question);
            Ok(())
        }
        Err(err) => {
            tracing::debug!(%err, "rejected a call to an internal path");
            Err(Problem::new(Kind::NotANode, err.to_string()))
        }
    }
}
