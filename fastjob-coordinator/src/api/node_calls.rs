//! Calls of other nodes of the cluster. The server has verified that they come from a node.

use axum::{
    extract::{FromRequest, Path, Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::header::CONTENT_TYPE;

use super::{Problem, problem::Kind, read::collect};
use crate::ops::{BadCall, NODE_HEADER, NotOfCluster, Ops, Question};

/// Largest call of another node: the body of a client's request, encoded for nodes.
pub(crate) const CALL_MAX: usize = 4 * 1024 * 1024;

/// A call of another node.
pub(super) struct Asked {
    question: Question,
    body: Bytes,
}

impl<S: Sync> FromRequest<S> for Asked {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let refused = |why: &str| Problem::new(Kind::NotANode, why);
        let question = request.extensions().get::<Question>().cloned();
        let question = question.ok_or_else(|| refused(&NotOfCluster::Missing.to_string()))?;
        let (_, body) = collect(request, CALL_MAX).await?;
        if !question.has(&body) {
            return Err(refused("the credential does not match the body"));
        }
        Ok(Self { question, body })
    }
}

/// Answers the call, or reports that another node now owns the partition.
pub(super) async fn answer(
    State(ops): State<Ops>,
    Path((partition, call)): Path<(u32, String)>,
    Asked { question, body }: Asked,
) -> Result<Response, Problem> {
    let reply = ops.answer_call(partition, &call, &body).await.map_err(|err| {
        let kind = match &err {
            BadCall::Unknown(_) => Kind::UnknownPath,
            BadCall::Unreadable(_) => Kind::Unreadable,
            BadCall::Unwritable(_) => Kind::Internal,
        };
        Problem::new(kind, err.to_string())
    })?;
    let proof = ops.peers.credential().answer(&question, &reply);
    let headers = [(CONTENT_TYPE.as_str(), "application/json"), (NODE_HEADER, proof.as_str())];
    Ok((headers, reply).into_response())
}
