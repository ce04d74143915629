//! What other nodes of the cluster ask.

use axum::{
    Json,
    extract::{Path, State},
};

use crate::ops::{Ask, Ops, Refusal, Reply};

/// Answers, or says that another node acts on the partition by now.
pub(super) async fn answer(
    State(ops): State<Ops>,
    Path(partition): Path<u32>,
    Json(ask): Json<Ask>,
) -> Json<Result<Reply, Refusal>> {
    Json(ops.asked(partition, ask).await)
}
