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
        let reply = self.call_if_known(node, partition, call).await?;
        reply.ok_or_else(|| answered(&node.address, http::StatusCode::NOT_FOUND))
    }

    /// Sends a call that nodes of earlier releases do not have. `None` if the node does not know it;
    /// nothing was done.
    ///
    /// # Errors
    ///
    /// The same as of [`call`](Self::call).
    pub(super) async fn call_if_known<C: NodeCall>(
        &self,
        node: &NodeRow,
        partition: Partition,
        call: &C,
    ) -> Result<Option<C::Reply>, Error> {
        let address = node.address.as_str();
        let question = serde_json::to_vec(call).map_err(|err| unreadable(address, &err))?;
        let body = self.exchange(node, &path_of::<C>(partition), question).await?;
        let Some(body) = body else { return Ok(None) };
        let reply: Result<C::Reply, Refusal> =
            serde_json::from_slice(&body).map_err(|err| unreadable(address, &err))?;
        Ok(Some(reply?))
    }

    /// Sends a question to a node, and returns its verified answer; `None` if the node does not know
    /// the path. A node says so before it does anything, and of nothing else.
    async fn exchange(
        &self,
        node: &NodeRow,
        path: &str,
        question: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, Error> {
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
        if status == http::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(answered(address, status));
        }
        let proof = response.headers().get(HEADER).cloned();
        let body = read(response).await.map_err(away)?.ok_or_else(|| too_long(address))?;
        if !proof.is_some_and(|proof| self.credential.is_answer(&asked, proof.as_bytes(), &body)) {
            return Err(Error::Unavailable(format!(
                "the server at {address} is not the node of this cluster with that address"
            )));
        }
        Ok(Some(body))
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

fn answered(address: &str, status: http::StatusCode) -> Error {
    Error::Unavailable(format!("the node at {address} answered {status}"))
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde::{Deserialize, Serialize};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::{ops::Ops, store::NodeId};

    /// A call of a newer release.
    #[derive(Clone, Deserialize, Serialize)]
    struct Newer {}

    impl NodeCall for Newer {
        const NAME: &'static str = "newer";
        type Reply = ();

        async fn answer(self, _: &Ops, _: Partition) -> Result<(), Error> {
            Ok(())
        }
    }

    /// A node that answers each request with this status, without a body or a proof. Returns it with
    /// the first line of each request.
    async fn node(status: &'static str) -> (NodeRow, tokio::sync::mpsc::UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (asked, requests) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut read = Vec::new();
                // The body is `{}`.
                while !read.ends_with(b"\r\n\r\n{}") {
                    if stream.read_buf(&mut read).await.unwrap() == 0 {
                        break;
                    }
                }
                let line = String::from_utf8_lossy(&read).lines().next().map(str::to_owned);
                asked.send(line.unwrap_or_default()).ok();
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let id = NodeId("other".to_owned());
        let node = NodeRow { id, address, version: String::new(), since: Timestamp::UNIX_EPOCH };
        (node, requests)
    }

    fn peers() -> Peers {
        Peers::new(Arc::new(Credential::of_tests("me")), &[], Transport::Safe).unwrap()
    }

    #[tokio::test]
    async fn a_node_of_an_earlier_release_does_not_know_a_newer_call() {
        let (old, mut requests) = node("404 Not Found").await;
        let peers = peers();
        let reply = peers.call_if_known(&old, Partition(3), &Newer {}).await;
        assert!(matches!(reply, Ok(None)), "{reply:?}");
        assert_eq!(
            requests.recv().await.as_deref(),
            Some("POST /internal/v1/calls/3/newer HTTP/1.1")
        );
        let reply = peers.call(&old, Partition(3), &Newer {}).await;
        let Err(Error::Unavailable(why)) = reply else { panic!("{reply:?}") };
        assert!(why.contains("answered 404"), "{why}");
    }

    #[tokio::test]
    async fn a_call_that_may_have_been_carried_out_is_not_taken_for_an_unknown_one() {
        for status in ["500 Internal Server Error", "400 Bad Request", "200 OK"] {
            let (other, _requests) = node(status).await;
            let reply = peers().call_if_known(&other, Partition(3), &Newer {}).await;
            assert!(matches!(reply, Err(Error::Unavailable(_))), "{status}: {reply:?}");
        }
    }
}
