//! Requests from other nodes of the cluster. The server has verified that they come from a node.

use axum::{
    extract::{FromRequest, Path, Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::header::CONTENT_TYPE;

use super::{
    Problem,
    problem::Kind,
    read::{collect, json},
};
use crate::ops::{Ask, NODE_HEADER, NotOfCluster, Ops, Question};

/// Largest request of another node: the body of a client's request, encoded for nodes.
pub(crate) const ASK_MAX: usize = 4 * 1024 * 1024;

/// A request of another node.
pub(super) struct Asked {
    question: Question,
    ask: Ask,
}

impl<S: Sync> FromRequest<S> for Asked {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let refused = |why: &str| Problem::new(Kind::NotANode, why);
        let question = request.extensions().get::<Question>().cloned();
        let question = question.ok_or_else(|| refused(&NotOfCluster::Missing.to_string()))?;
        let (headers, bytes) = collect(request, ASK_MAX).await?;
        if !question.has(&bytes) {
            return Err(refused("the credential does not match the body"));
        }
        Ok(Self { question, ask: json(&headers, &bytes)? })
    }
}

/// Answers the request, or reports that another node now owns the partition.
pub(super) async fn answer(
    State(ops): State<Ops>,
    Path(partition): Path<u32>,
    Asked { question, ask }: Asked,
) -> Result<Response, Problem> {
    let answer = ops.asked(partition, ask).await;
    let body = serde_json::to_vec(&answer).map(Bytes::from);
    let body = body.map_err(|err| Problem::new(Kind::Internal, err.to_string()))?;
    let proof = ops.peers.credential().answer(&question, &body);
    let headers = [(CONTENT_TYPE.as_str(), "application/json"), (NODE_HEADER, proof.as_str())];
    Ok((headers, body).into_response())
}
