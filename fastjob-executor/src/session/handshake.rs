//! The handshake with a coordinator: each side proves that it knows the token, without sending it.
//! Otherwise a program that takes over the address of a stopped coordinator would receive the
//! token.

use fastjob_core::wire::{
    ExecutorKey, ExecutorProof, NONCE_BYTES,
    v1::{self, handshake_client::HandshakeClient},
};
use tonic::{Code, Request, Status, metadata::MetadataValue, transport::Channel};

use super::peers::NodeId;

/// Maximum length of an answer.
const ANSWER_MAX: usize = 1024;

/// Why no session is opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotProven {
    #[error(
        "it did not prove that it has the executor's token: another program may use its address"
    )]
    Wrong,
    #[error("another coordinator is at the address of node {0}")]
    OtherNode(NodeId),
    #[error(
        "it did not prove that it has the executor's token: it does not support the handshake, so \
         it is not a coordinator, or it runs an earlier release"
    )]
    Unknown,
    #[error("{}", .0.message())]
    Refused(Box<Status>),
}

impl NotProven {
    /// Whether the error is likely to persist.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Wrong | Self::Unknown => true,
            // A node that has just been replaced is forgotten soon.
            Self::OtherNode(_) => false,
            Self::Refused(status) => {
                matches!(status.code(), Code::FailedPrecondition | Code::Unauthenticated)
            }
        }
    }
}

impl From<Status> for NotProven {
    fn from(status: Status) -> Self {
        if status.code() == Code::Unimplemented {
            return Self::Unknown;
        }
        Self::Refused(Box::new(status))
    }
}

/// Asks the coordinator to prove its identity, as `node` if that is known. Returns the proof that
/// lets the executor join.
pub(super) async fn shake(
    channel: Channel,
    key: &ExecutorKey,
    node: Option<&NodeId>,
) -> Result<ExecutorProof, NotProven> {
    let mut client = HandshakeClient::new(channel).max_decoding_message_size(ANSWER_MAX);
    let v1::Nonce { node: there, nonce } = client.begin(v1::Empty {}).await?.into_inner();
    if let Some(node) = node.filter(|node| node.0 != there) {
        return Err(NotProven::OtherNode(node.clone()));
    }
    let mut own = [0; NONCE_BYTES];
    for part in own.chunks_mut(16) {
        part.copy_from_slice(&uuid::Uuid::new_v4().into_bytes()[..part.len()]);
    }
    let proof = key.prove(there, nonce, own);
    let mut request = Request::new(v1::Empty {});
    show(&proof, &mut request)?;
    let v1::Proof { mac } = client.prove(request).await?.into_inner();
    if key.is_answer(&proof, &mac) { Ok(proof) } else { Err(NotProven::Wrong) }
}

/// Adds the proof to a request.
pub(super) fn show<T>(proof: &ExecutorProof, request: &mut Request<T>) -> Result<(), NotProven> {
    // A node id that is not a valid header value is not a node id.
    let mut value: MetadataValue<_> = proof.to_header().parse().map_err(|_| NotProven::Wrong)?;
    value.set_sensitive(true);
    request.metadata_mut().insert("authorization", value);
    Ok(())
}
