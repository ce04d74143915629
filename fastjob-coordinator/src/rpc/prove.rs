//! Proves to executors that this node is of their cluster, before they send it their token. Anybody may
//! ask.

use fastjob_core::wire::{
    PROOF_NONCE_MAX, proof,
    v1::{
        self,
        cluster_proof_server::{ClusterProof, ClusterProofServer},
    },
};
use tonic::{Request, Response, Status};

/// Longest challenge: anybody may send one.
const CHALLENGE_MAX: usize = 1024;

/// What proves this node.
#[derive(Clone)]
pub(super) struct Prover {
    pub(super) node: String,
    pub(super) key: Vec<u8>,
}

impl Prover {
    pub(super) fn into_service(self) -> ClusterProofServer<Self> {
        ClusterProofServer::new(self).max_decoding_message_size(CHALLENGE_MAX)
    }
}

#[tonic::async_trait]
impl ClusterProof for Prover {
    async fn prove(&self, request: Request<v1::Challenge>) -> Result<Response<v1::Proof>, Status> {
        let v1::Challenge { nonce, node } = request.into_inner();
        if nonce.len() > PROOF_NONCE_MAX {
            return Err(Status::invalid_argument(format!(
                "the nonce has {} bytes, at most {PROOF_NONCE_MAX} are allowed",
                nonce.len()
            )));
        }
        if !node.is_empty() && node != self.node {
            return Err(Status::failed_precondition("this is another node"));
        }
        let mac = proof(&self.key, &nonce, &self.node);
        Ok(Response::new(v1::Proof { node: self.node.clone(), mac }))
    }
}
