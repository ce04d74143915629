//! The gRPC handshake service. The guard has already checked the proof in a call.

use std::sync::Arc;

use fastjob_core::wire::{
    ExecutorProof,
    v1::{
        self,
        handshake_server::{Handshake, HandshakeServer},
    },
};
use tonic::{Request, Response, Status};

use crate::ops::{Handshakes, NotProven};

/// Limit for messages of executors, which are empty.
const MESSAGE_MAX: usize = 64;

/// Answers handshakes.
pub(super) struct Server(pub(super) Arc<Handshakes>);

impl Server {
    pub(super) fn into_service(self) -> HandshakeServer<Self> {
        HandshakeServer::new(self).max_decoding_message_size(MESSAGE_MAX)
    }
}

#[tonic::async_trait]
impl Handshake for Server {
    async fn begin(&self, _: Request<v1::Empty>) -> Result<Response<v1::Nonce>, Status> {
        let (node, nonce) = self.0.begin();
        Ok(Response::new(v1::Nonce { node, nonce }))
    }

    async fn prove(&self, request: Request<v1::Empty>) -> Result<Response<v1::Proof>, Status> {
        let proof = request.extensions().get::<ExecutorProof>();
        let refused = |err: NotProven| Status::failed_precondition(err.to_string());
        let Some(proof) = proof else { return Err(refused(NotProven::NoToken)) };
        let mac = self.0.answer(proof).map_err(refused)?;
        Ok(Response::new(v1::Proof { mac }))
    }
}
