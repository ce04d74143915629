//! The way to the other nodes: who is asked, over what, and whose answer is believed.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::{
    Error,
    credential::{Credential, HEADER},
    forward::{Ask, PATH, Refusal, Reply},
};
use crate::{
    config::ServerUrl,
    store::{NodeRow, Partition},
};

/// How long another node may take to answer.
const ANSWER: Duration = Duration::from_secs(25);
/// How long a connection to another node is kept for the next question: less than the 30 s after
/// which the other node closes it.
const IDLE: Duration = Duration::from_secs(20);
/// Longest answer of another node.
const REPLY_MAX: usize = 32 * 1024 * 1024;
/// Most questions to other nodes at the same time.
const ASKED: usize = 64;

/// The way to the other nodes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Peers {
    client: reqwest::Client,
    credential: Arc<Credential>,
    transport: Transport,
    asked: Arc<Semaphore>,
}

/// Over what other nodes may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// TLS, and plain text on this machine.
    Safe,
    /// Plain text as well: something else keeps it safe.
    Any,
}

/// Why other nodes cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("the way to the other nodes cannot be set up")]
pub(crate) struct NoPeers(#[from] reqwest::Error);

impl Peers {
    /// With the credential of the cluster, and certificates in PEM that are trusted beside the
    /// system's.
    ///
    /// # Errors
    ///
    /// Fails if a certificate cannot be read.
    pub(crate) fn new(
        credential: Arc<Credential>,
        roots: &[u8],
        transport: Transport,
    ) -> Result<Self, NoPeers> {
        crate::crypto::choose();
        let mut client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(3))
            .timeout(ANSWER)
            // Before the other node closes it, so that no question meets a connection that ends.
            .pool_idle_timeout(IDLE)
            // A node answers itself.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if !roots.is_empty() {
            for root in reqwest::Certificate::from_pem_bundle(roots)? {
                client = client.add_root_certificate(root);
            }
        }
        let asked = Arc::new(Semaphore::new(ASKED));
        Ok(Self { client: client.build()?, credential, transport, asked })
    }

    /// What the nodes of the cluster know each other by.
    pub(crate) fn credential(&self) -> &Arc<Credential> {
        &self.credential
    }

    pub(super) async fn ask(
        &self,
        node: &NodeRow,
        partition: Partition,
        ask: &Ask,
    ) -> Result<Reply, Error> {
        let address = node.address.as_str();
        self.judge(address)?;
        let away = |err: reqwest::Error| match err.is_connect() {
            true => Error::Moved, // nothing was done there, and another will have its partitions
            false => Error::Unavailable(format!(
                "the node at {address} did not answer: it is not known whether this was done"
            )),
        };
        // Whatever takes long here takes long for the caller: nothing was done there yet.
        let turn = tokio::time::timeout(ANSWER, self.asked.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(Error::Unavailable(format!(
                "{ASKED} questions to other nodes are waiting for an answer: ask again"
            )));
        };
        let question = serde_json::to_vec(ask).map_err(|err| unreadable(address, &err))?;
        let path = format!("{PATH}/{}", partition.0);
        let (credential, asked) = self.credential.ask(&node.id, &path, &question);
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
                "the node at {address} does not accept this node's credential: nodes need the same \
                 release and the same store, and an address that leads to each alone"
            )));
        }
        if !status.is_success() {
            return Err(Error::Unavailable(format!("the node at {address} answered {status}")));
        }
        let proof = response.headers().get(HEADER).cloned();
        let body = read(response).await.map_err(away)?.ok_or_else(|| too_long(address))?;
        if !proof.is_some_and(|proof| self.credential.is_answer(&asked, proof.as_bytes(), &body)) {
            return Err(Error::Unavailable(format!(
                "what answers at {address} is not the node of this cluster that has this address"
            )));
        }
        let reply: Result<Reply, Refusal> =
            serde_json::from_slice(&body).map_err(|err| unreadable(address, &err))?;
        reply.map_err(Error::from)
    }

    /// Refuses an address where others could read what is asked and answered.
    fn judge(&self, address: &str) -> Result<(), Error> {
        let url: ServerUrl = address.parse().map_err(|err| {
            Error::Unavailable(format!("a node of the cluster has the address {address}: {err}"))
        })?;
        match self.transport {
            Transport::Safe if url.is_open_to_others() => Err(Error::Unavailable(format!(
                "the node at {address} would be asked in plain text: have it `advertise` an https \
                 address, or set insecure_plaintext = true at all nodes if something else keeps \
                 the way safe"
            ))),
            Transport::Safe | Transport::Any => Ok(()),
        }
    }
}

/// The body of an answer; `None` if it is too long.
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
        "the answer of the node at {address} has more than {REPLY_MAX} bytes: ask for less"
    ))
}

fn unreadable(address: &str, err: &serde_json::Error) -> Error {
    Error::Unavailable(format!(
        "the answer of the node at {address} cannot be read, so it is not known whether this was \
         done: {err}"
    ))
}
