//! How nodes of a cluster authenticate each other: with the cluster's key, which is in their store.
//!
//! The key is never sent. A request has a MAC over its content, its sender and its recipient; the
//! response has a MAC over its content and the request. So a process that listens at the address of
//! a node that has ended learns nothing that another node would accept, and cannot answer in its
//! place. A request is accepted once.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use fastjob_core::wire::{self, hex};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::store::{ClusterKey, NodeId, unhex};

/// The header of a request and of its response.
pub(crate) const HEADER: &str = "fastjob-node";
/// The version of the header's format.
const FORM: &str = "1";
/// Maximum number of remembered senders.
const ASKERS: usize = 1_024;
/// How far out of order a sender's requests may arrive. A node never has so many in flight to
/// another. Stored in words of 64 bits.
const WINDOW: u64 = 65_536;
const WORDS: usize = 1_024;

/// The credential that a node authenticates itself and other nodes with.
pub(crate) struct Credential {
    key: ClusterKey,
    me: NodeId,
    /// The number of the next request to each node.
    asked: Mutex<HashMap<NodeId, u64>>,
    askers: Mutex<Askers>,
}

/// An authenticated request of another node. Its body has yet to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    from: NodeId,
    number: u64,
    body: [u8; 32],
}

/// Why a request is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOfCluster {
    #[error(
        "only nodes of this cluster may call this, with the cluster's credential: a token does not \
         suffice, and nodes of other releases have a different credential"
    )]
    Missing,
    #[error(
        "the credential is of another cluster, or for another node: all nodes must use the same \
         store, and the address of each must lead to that node only"
    )]
    Wrong,
    #[error("this request was sent before")]
    Repeated,
}

impl Credential {
    pub(crate) fn new(key: ClusterKey, me: NodeId) -> Self {
        Self { key, me, asked: Mutex::default(), askers: Mutex::default() }
    }

    /// For a node of a new cluster.
    #[cfg(test)]
    pub(crate) fn of_tests(me: &str) -> Self {
        Self::new(ClusterKey::random(), NodeId(me.to_owned()))
    }

    /// The header of a request to the node `to`, and the state to verify its response with.
    pub(crate) fn ask(&self, to: &NodeId, path: &str, body: &[u8]) -> (String, Asked) {
        let number = self.next_number(to);
        let question = Question { from: self.me.clone(), number, body: digest(body) };
        let mac = hex(&question.mac(&self.key, to, path));
        let header = format!("{FORM} {} {number} {} {mac}", self.me.0, hex(&question.body));
        (header, Asked { to: to.clone(), question })
    }

    fn next_number(&self, to: &NodeId) -> u64 {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = asked.get_mut(to) {
            *next += 1;
            return *next;
        }
        // Clearing is safe: no cluster has so many live nodes, and ended nodes get no more
        // requests. Numbers never restart, because the recipient would reject them as replays.
        let first = asked.values().max().map_or(0, |last| last + 1);
        if asked.len() >= ASKERS {
            asked.clear();
        }
        asked.insert(to.clone(), first);
        first
    }

    /// Verifies the header of a request to this node.
    pub(crate) fn accept(
        &self,
        path: &str,
        header: Option<&[u8]>,
    ) -> Result<Question, NotOfCluster> {
        let text = header.and_then(|header| std::str::from_utf8(header).ok());
        let mut parts = text.unwrap_or_default().split(' ');
        let parts = [(); 5].map(|()| parts.next());
        let [Some(FORM), Some(from), Some(number), Some(body), Some(mac)] = parts else {
            return Err(NotOfCluster::Missing);
        };
        let question = || {
            let (from, number) = (NodeId(from.to_owned()), number.parse().ok()?);
            Some((Question { from, number, body: unhex(body)? }, unhex::<32>(mac)?))
        };
        let (question, mac) = question().ok_or(NotOfCluster::Missing)?;
        let expected = question.mac(&self.key, &self.me, path);
        if !bool::from(expected.ct_eq(&mac)) {
            return Err(NotOfCluster::Wrong);
        }
        let mut askers = self.askers.lock().unwrap_or_else(PoisonError::into_inner);
        match askers.is_new(&question) {
            true => Ok(question),
            false => Err(NotOfCluster::Repeated),
        }
    }

    /// The header of the response to a request.
    pub(crate) fn answer(&self, question: &Question, answer: &[u8]) -> String {
        format!("{FORM} {}", hex(&question.answer_mac(&self.key, &self.me, answer)))
    }

    /// Whether a response is from the node that the request was for.
    pub(super) fn is_answer(&self, asked: &Asked, header: &[u8], answer: &[u8]) -> bool {
        let mac = std::str::from_utf8(header).ok().and_then(|text| text.strip_prefix(FORM));
        let mac = mac.and_then(|text| unhex::<32>(text.strip_prefix(' ')?));
        let expected = asked.question.answer_mac(&self.key, &asked.to, answer);
        mac.is_some_and(|mac| expected.ct_eq(&mac).into())
    }

    /// The id of this node.
    pub(super) fn me(&self) -> &str {
        &self.me.0
    }

    /// The MAC that marks a nonce for an executor as issued by the cluster.
    pub(super) fn nonce_mac(&self, node: &str, nonce: &[u8]) -> [u8; 32] {
        mac(&self.key, &[b"executor nonce", node.as_bytes(), nonce])
    }

    /// Whether a nonce was issued by a node of the cluster.
    pub(super) fn is_nonce_mac(&self, node: &str, nonce: &[u8], given: &[u8]) -> bool {
        self.nonce_mac(node, nonce)[..].ct_eq(given).into()
    }
}

/// A request in flight.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    to: NodeId,
    question: Question,
}

impl Question {
    /// Whether `body` is the body of the request.
    pub(crate) fn has(&self, body: &[u8]) -> bool {
        self.body == digest(body)
    }

    fn mac(&self, key: &ClusterKey, to: &NodeId, path: &str) -> [u8; 32] {
        let (from, number) = (self.from.0.as_bytes(), self.number.to_be_bytes());
        mac(key, &[b"ask", from, to.0.as_bytes(), &number, path.as_bytes(), &self.body])
    }

    fn answer_mac(&self, key: &ClusterKey, by: &NodeId, answer: &[u8]) -> [u8; 32] {
        let (from, number) = (self.from.0.as_bytes(), self.number.to_be_bytes());
        mac(key, &[b"answer", from, by.0.as_bytes(), &number, &self.body, &digest(answer)])
    }
}

/// The senders, and which of their recent requests have arrived.
#[derive(Debug, Default)]
struct Askers {
    by_node: HashMap<NodeId, Seen>,
    /// Counts all requests.
    now: u64,
}

/// Which requests of a node have arrived.
#[derive(Debug)]
struct Seen {
    /// The number after the highest.
    next: u64,
    /// One bit per number of the window that ends before `next`.
    window: Vec<u64>,
    /// When its last request arrived.
    last: u64,
}

impl Askers {
    /// Records a request; `false` if it is a replay, or too old to know.
    fn is_new(&mut self, question: &Question) -> bool {
        self.now += 1;
        if !self.by_node.contains_key(&question.from) && self.by_node.len() >= ASKERS {
            // Each sender is one run of a process that had the key, so this takes years to reach.
            let oldest = self.by_node.iter().min_by_key(|(_, seen)| seen.last);
            let oldest = oldest.map(|(node, _)| node.clone());
            oldest.and_then(|node| self.by_node.remove(&node));
        }
        let new = || Seen { next: 0, window: vec![0; WORDS], last: 0 };
        let seen = self.by_node.entry(question.from.clone()).or_insert_with(new);
        seen.last = self.now;
        seen.is_new(question.number)
    }
}

impl Seen {
    fn is_new(&mut self, number: u64) -> bool {
        let Some(next) = number.checked_add(1) else { return false };
        if next.saturating_add(WINDOW) <= self.next {
            return false;
        }
        for skipped in self.next.max(next.saturating_sub(WINDOW))..next {
            let (word, bit) = self.slot(skipped);
            *word &= !bit;
        }
        self.next = self.next.max(next);
        let (word, bit) = self.slot(number);
        let was_set = *word & bit != 0;
        *word |= bit;
        !was_set
    }

    /// The word and the bit mask of a number.
    fn slot(&mut self, number: u64) -> (&mut u64, u64) {
        let at = usize::try_from(number % WINDOW / 64).unwrap_or_default();
        (&mut self.window[at], 1 << (number % 64))
    }
}

/// Separates these uses of the cluster key from others.
const LABEL: &[u8] = b"fastjob cluster 1";

/// A MAC over these parts.
fn mac(key: &ClusterKey, parts: &[&[u8]]) -> [u8; 32] {
    wire::mac(key.expose(), &[&[LABEL], parts].concat())
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("me", &self.me).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> NodeId {
        NodeId(name.to_owned())
    }

    /// Two nodes of one cluster.
    fn two() -> (Credential, Credential) {
        let key = ClusterKey::random();
        (Credential::new(key.clone(), node("a")), Credential::new(key, node("b")))
    }

    #[test]
    fn requests_and_responses_of_a_node_are_authenticated() {
        let (a, b) = two();
        let (header, asked) = a.ask(&node("b"), "/ask/3", b"what");
        let question = b.accept("/ask/3", Some(header.as_bytes())).unwrap();
        assert!(question.has(b"what") && !question.has(b"else"));
        let answer = b.answer(&question, b"that");
        assert!(a.is_answer(&asked, answer.as_bytes(), b"that"));
        assert!(!a.is_answer(&asked, answer.as_bytes(), b"this"));
        let (_, other) = a.ask(&node("b"), "/ask/3", b"what");
        assert!(!a.is_answer(&other, answer.as_bytes(), b"that"), "it answers another request");
    }

    #[test]
    fn requests_of_another_cluster_or_for_another_node_are_rejected() {
        let (a, b) = two();
        let stranger = Credential::new(ClusterKey::random(), node("a"));
        let refused = |header: &str, path| b.accept(path, Some(header.as_bytes())).unwrap_err();
        let (header, _) = stranger.ask(&node("b"), "/ask/3", b"what");
        assert_eq!(refused(&header, "/ask/3"), NotOfCluster::Wrong);
        let (header, _) = a.ask(&node("c"), "/ask/3", b"what");
        assert_eq!(refused(&header, "/ask/3"), NotOfCluster::Wrong, "it is for another node");
        let (header, _) = a.ask(&node("b"), "/ask/3", b"what");
        assert_eq!(refused(&header, "/ask/4"), NotOfCluster::Wrong, "it is for another path");
        let changed = header.replacen(" a 1 ", " a 9 ", 1);
        assert_ne!(changed, header);
        assert_eq!(refused(&changed, "/ask/3"), NotOfCluster::Wrong);
        for missing in ["", "Bearer 0123456789abcdef", &header[..header.len() - 1], "1 a 0  "] {
            assert_eq!(refused(missing, "/ask/3"), NotOfCluster::Missing, "{missing}");
        }
        assert_eq!(b.accept("/ask/3", None).unwrap_err(), NotOfCluster::Missing);
    }

    #[test]
    fn a_request_is_accepted_once_and_slightly_out_of_order() {
        let (a, b) = two();
        let ask = || {
            // Requests to other nodes have their own numbers.
            (0..3).for_each(|_| drop(a.ask(&node("c"), "/ask/0", b"")));
            a.ask(&node("b"), "/ask/0", b"").0
        };
        let mut headers: Vec<_> = (0..1_000).map(|_| ask()).collect();
        let accept = |header: &str| b.accept("/ask/0", Some(header.as_bytes())).map(drop);
        for at in [1, 0, 2, 900, 3, 899] {
            assert_eq!(accept(&headers[at]), Ok(()), "{at}");
            assert_eq!(accept(&headers[at]), Err(NotOfCluster::Repeated), "{at}");
        }
        let first = headers.len() as u64;
        headers.extend((first..WINDOW + 5).map(|_| a.ask(&node("b"), "/ask/0", b"").0));
        assert_eq!(accept(&headers[headers.len() - 1]), Ok(()));
        assert_eq!(accept(&headers[4]), Err(NotOfCluster::Repeated), "it is too old to know");
        assert_eq!(accept(&headers[5]), Ok(()), "the oldest of the window");
        assert_eq!(accept(&headers[899]), Err(NotOfCluster::Repeated));
        assert_eq!(accept(&headers[898]), Ok(()));
    }
}
