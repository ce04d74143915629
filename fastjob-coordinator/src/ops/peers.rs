//! The client for requests to other nodes: connections, transport and verification of answers.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::{
    Error,
    credential::{Credential, HEADER},
    node_calls::{NodeCall, path_of},
    refusal::Refusal,
};
use crate::{
    config::ServerUrl,
    store::{NodeRow, Partition},
};

/// How long another node may take to answer.
const ANSWER: Duration = Duration::from_secs(25);
/// How long an idle connection to another node is kept: less than the 30 s after which the other
/// node closes it.
const IDLE: Duration = Duration::from_secs(20);
/// Maximum size of another node's answer in bytes.
const REPLY_MAX: usize = 32 * 1024 * 1024;
/// Maximum number of concurrent requests to other nodes.
const ASKED: usize = 64;

/// The client for other nodes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Peers {
    client: reqwest::Client,
    credential: Arc<Credential>,
    transport: Transport,
    asked: Arc<Semaphore>,
}

/// The transports that requests to other nodes may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// TLS, or plain text on this machine.
    Safe,
    /// Plain text as well: the network is protected by other means.
    Any,
}

/// The client could not be created.
#[derive(Debug, thiserror::Error)]
#[error("could not set up the client for other nodes")]
pub(crate) struct NoPeers(#[from] reqwest::Error);

impl Peers {
    /// Uses the credential of the cluster, and trusts `roots` (PEM) in addition to the system's
    /// certificates.
    ///
    /// # Errors
    ///
    /// Fails if a certificate cannot be read.
    pub(crate) fn new(
        credential: Arc<Credential>,
        roots: &[u8],
        transport: Transport,
    ) -> Result<Self, NoPeers> {
        let client = || {
            reqwest::Client::builder()
                .connect_timeout(Duration::from_secs(3))
                .timeout(ANSWER)
                // Shorter than the other node's timeout, so that no request uses a closing
                // connection.
                .pool_idle_timeout(IDLE)
                // Nodes never redirect.
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
        };
        let roots = match roots {
            [] => Vec::new(),
            pem => reqwest::Certificate::from_pem_bundle(pem)?,
        };
        let client = crate::crypto::client(client, &roots)?;
        Ok(Self { client, credential, transport, asked: Arc::new(Semaphore::new(ASKED)) })
    }

    /// The credential of the cluster.
    pub(crate) fn credential(&self) -> &Arc<Credential> {
        &self.credential
    }

    /// Sends a call to a node.
    ///
    /// # Errors
    ///
    /// Fails with the error of the call. Fails with [`Error::Moved`] if the node cannot be reached;
    /// nothing was done.
    pub(super) async fn call<C: NodeCall>(
        &self,
        node: &NodeRow,
        partition: Partition,
        call: &C,
    ) -> Result<C::Reply, Error> {
        let address = node.address.as_str();
        let question = serde_json::to_vec(call).map_err(|err| unreadable(address, &err))?;
        let body = self.exchange(node, &path_of::<C>(partition), question).await?;
        let reply: Result<C::Reply, Refusal> =
            serde_json::from_slice(&body).map_err(|err| unreadable(address, &err))?;
        reply.map_err(Error::from)
    }

    /// Sends a question to a node, and returns its verified answer.
    async fn exchange(
        &self,
        node: &NodeRow,
        path: &str,
        question: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let address = node.address.as_str();
        self.judge(address)?;
        let away = |err: reqwest::Error| match err.is_connect() {
            true => Error::Moved, // nothing was done, and another node will own its partitions
            false => Error::Unavailable(format!(
                "the node at {address} did not answer: it is not known whether this was done"
            )),
        };
        // A timeout here is safe: nothing was sent yet.
        let turn = tokio::time::timeout(ANSWER, self.asked.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(Error::Unavailable(format!(
                "{ASKED} requests to other nodes are waiting for an answer: try again later"
            )));
        };
        let (credential, asked) = self.credential.ask(&node.id, path, &question);
        let request = self
            .client
            .post(format!("{address}{path}"))
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(HEADER, credential)
            .body(question);
        let response = request.send().await.map_err(away)?;
        let status = response.status();
        if status == http::StatusCode::UNAUTHORIZED {
            return Err(Error::Unavailable(format!(
                "the node at {address} rejects this node's credential: all nodes must have the \
                 same release and store, and the address of each must lead to that node only"
            )));
        }
        if !status.is_success() {
            return Err(Error::Unavailable(format!("the node at {address} answered {status}")));
        }
        let proof = response.headers().get(HEADER).cloned();
        let body = read(response).await.map_err(away)?.ok_or_else(|| too_long(address))?;
        if !proof.is_some_and(|proof| self.credential.is_answer(&asked, proof.as_bytes(), &body)) {
            return Err(Error::Unavailable(format!(
                "the server at {address} is not the node of this cluster with that address"
            )));
        }
        Ok(body)
    }

    /// Rejects an address if others could read the traffic to it.
    fn judge(&self, address: &str) -> Result<(), Error> {
        let url: ServerUrl = address.parse().map_err(|err| {
            Error::Unavailable(format!("a node of the cluster has the address {address}: {err}"))
        })?;
        match self.transport {
            Transport::Safe if url.is_open_to_others() => Err(Error::Unavailable(format!(
                "requests to the node at {address} would be plain text: have it `advertise` an \
                 https address, or set insecure_plaintext = true on all nodes if the network is \
                 protected by other means"
            ))),
            Transport::Safe | Transport::Any => Ok(()),
        }
    }
}

/// Reads the body of an answer; `None` if it is too long.
async fn read(mut response: reqwest::Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > REPLY_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Some(body))
}

fn too_long(address: &str) -> Error {
    Error::Unavailable(format!(
        "the answer of the node at {address} has more than {REPLY_MAX} bytes: request fewer items"
    ))
}

fn unreadable(address: &str, err: &serde_json::Error) -> Error {
    Error::Unavailable(format!(
        "the answer of the node at {address} cannot be read, so it is not known whether this was \
         done: {err}"
    ))
}
