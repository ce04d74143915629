//! Before a coordinator is sent the token it proves that it is of the executor's cluster. Else whoever
//! takes the address of a coordinator that is down would be handed the token.

use fastjob_core::wire::{
    proves,
    v1::{self, cluster_proof_client::ClusterProofClient},
};
use tonic::{Code, Status, transport::Channel};

/// Longest answer.
const PROOF_MAX: usize = 1024;

/// Why a coordinator was not sent the token.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotProven {
    #[error(
        "it did not prove that it is of the cluster that this executor works for; if the cluster has \
         a new store, start the executor again"
    )]
    Wrong,
    #[error("it did not prove that it is of the cluster that this executor works for: {}", .0.message())]
    Refused(Box<Status>),
    #[error(
        "the coordinator that named it is of an earlier release, which cannot prove what it is: bring \
         all coordinators to one release"
    )]
    Earlier,
}

impl NotProven {
    /// Whether the answer will be the same for some time.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Wrong | Self::Earlier => true,
            Self::Refused(status) => {
                matches!(status.code(), Code::Unimplemented | Code::Unauthenticated)
            }
        }
    }
}

/// Asks for a proof of `node`, or of any node where its name is not known.
pub(super) async fn ask(channel: Channel, key: &[u8], node: Option<&str>) -> Result<(), NotProven> {
    let nonce = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].map(uuid::Uuid::into_bytes).concat();
    let challenge =
        v1::Challenge { nonce: nonce.clone(), node: node.unwrap_or_default().to_owned() };
    let mut client = ClusterProofClient::new(channel).max_decoding_message_size(PROOF_MAX);
    let answered = client.prove(challenge).await;
    let v1::Proof { node: by, mac } =
        answered.map_err(|status| NotProven::Refused(Box::new(status)))?.into_inner();
    let is_there = node.is_none_or(|node| node == by);
    if is_there && proves(key, &nonce, &by, &mac) { Ok(()) } else { Err(NotProven::Wrong) }
}
