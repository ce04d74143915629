//! What other nodes of the cluster ask.

use axum::{
    Json,
    extract::{FromRequest, Path, Request, State},
};

use super::{
    Problem,
    read::{collect, json},
};
use crate::ops::{Ask, Ops, Refusal, Reply};

/// Longest question of another node: a body of a client in the words of nodes.
pub(crate) const ASK_MAX: usize = 4 * 1024 * 1024;

/// A question of another node.
pub(super) struct Asked(Ask);

impl<S: Sync> FromRequest<S> for Asked {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (headers, bytes) = collect(request, ASK_MAX).await?;
        json(&headers, &bytes).map(Self)
    }
}

/// Answers, or says that another node acts on the partition by now.
pub(super) async fn answer(
    State(ops): State<Ops>,
    Path(partition): Path<u32>,
    Asked(ask): Asked,
) -> Json<Result<Reply, Refusal>> {
    Json(ops.asked(partition, ask).await)
}
