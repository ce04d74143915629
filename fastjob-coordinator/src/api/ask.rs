//! What other nodes of the cluster ask. The server has checked that it is one of them.

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
use crate::ops::{Ask, NODE_HEADER, Ops, Question};

/// Longest question of another node: a body of a client in the words of nodes.
pub(crate) const ASK_MAX: usize = 4 * 1024 * 1024;

/// A question of another node.
pub(super) struct Asked {
    question: Question,
    ask: Ask,
}

impl<S: Sync> FromRequest<S> for Asked {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let refused = |why: &str| Problem::new(Kind::Unauthorized, why);
        let question = request.extensions().get::<Question>().cloned();
        let question = question.ok_or_else(|| refused("only nodes of the cluster ask here"))?;
        let (headers, bytes) = collect(request, ASK_MAX).await?;
        if !question.has(&bytes) {
            return Err(refused("the body is not what the credential is for"));
        }
        Ok(Self { question, ask: json(&headers, &bytes)? })
    }
}

/// Answers, or says that another node acts on the partition by now.
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
